"""Asks a search the judged queries."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any, Protocol, TypeAlias
from uuid import uuid4

from toolkit.errors import ConfigError, ToolkitError
from toolkit.search.documents import Document, Hit, Hits, IngestProgress, IngestReport, Status
from toolkit.search.evaluation import judgements
from toolkit.search.evaluation.judgements import Judgements
from toolkit.search.evaluation.report import Report, Run, report
from toolkit.search.ranking.mode import Mode

MODES: tuple[Mode, ...] = ("lexical", "semantic", "hybrid")

Told: TypeAlias = Callable[[str, int, int], None]
"""Told what is being done, and how many of how many are done."""

DEPTH = 100
_AT_ONCE = 5_000  # documents of a corpus that are in memory at a time
_MOST_HITS = 1_000
_PAUSE, _PATIENCE = 0.2, 300.0  # seconds between two looks, and until embedding that does not go on has failed


class Kept(Protocol):
    """What is asked of the documents; `tk.documents` has it."""

    async def status(self, collection: str | None = None) -> Status:
        """How many chunks are still without a vector."""
        ...

    async def remove_collection(self, name: str) -> int:
        """Remove a collection."""
        ...


class Subject(Protocol):
    """What is evaluated; a `Toolkit` is one."""

    @property
    def documents(self) -> Kept:
        """The documents."""
        ...

    async def ingest(
        self,
        what: Sequence[Document],
        *,
        collection: str,
        progress: Callable[[IngestProgress], None] | None = None,
    ) -> IngestReport:
        """Take documents in."""
        ...

    async def search(self, query: str, *, collection: str, top_k: int, mode: Mode) -> Hits:
        """The best chunks, and why only words were compared where that is so."""
        ...


async def evaluate(
    subject: Subject,
    path: str | Path,
    *,
    modes: Sequence[Mode] = MODES,
    collection: str | None = None,
    keep: str | None = None,
    top_k: int = 10,
    depth: int = DEPTH,
    told: Told = lambda _what, _done, _total: None,
) -> Report:
    """How good the search is on judged queries, in each of the `modes`.

    A corpus is read into a collection of its own, which is removed afterwards. Chunks count for the document that they
    are of: it stands where its best chunk stands.

    Args:
        subject: usually a `Toolkit`.
        path: of a folder or file of judgements, or of a folder of such folders; see `judgements`.
        modes: how it is searched; each is a configuration of the report.
        collection: search this one, as it is; the judged ids are its sources, its chunks' or its documents' ids. A
            corpus is not read then.
        keep: read the corpus into the collection of this name and leave it there; of several, `keep` and the name.
        top_k: how many ranks count for nDCG, MRR and precision.
        depth: how many count for recall.
        told: what is being done, and how many of how many are done.

    Raises:
        ConfigError: the judgements are broken, or are not about the collection.
        ToolkitError: meanings could not be compared; the message says why.
    """
    if not 1 <= top_k <= _MOST_HITS or not 1 <= depth <= _MOST_HITS:
        raise ConfigError(f"Ranks are counted to {top_k} and {depth}; both must be 1 to {_MOST_HITS}.")
    if collection and keep:
        raise ConfigError("A collection is either searched as it is or made of the corpus; give one of both names.")
    judged = await asyncio.to_thread(judgements.read, Path(path))
    runs: list[Run] = []
    for one in judged:
        async with _searchable(subject, one, collection, _name(keep, one, judged), told) as name:
            if any(mode != "lexical" for mode in modes):
                await _embedded(subject, name, one, told)
            found = [await _run(subject, one, name, mode, depth=max(top_k, depth), told=told) for mode in modes]
            if collection:
                _checked(found, one, collection)
            runs += found
    return await asyncio.to_thread(report, judged, runs, k=top_k, depth=depth)


def _name(keep: str | None, one: Judgements, judged: Sequence[Judgements]) -> str | None:
    return f"{keep}-{one.name}" if keep and len(judged) > 1 else keep


@asynccontextmanager
async def _searchable(
    subject: Subject, one: Judgements, collection: str | None, keep: str | None, told: Told
) -> AsyncIterator[str]:
    """The name of the collection to be searched."""
    if collection:
        yield collection
        return
    if not one.corpus:
        raise ConfigError(
            f"{one.name!r} has no {judgements.CORPUS}; name the collection that its ids are of: --collection NAME."
        )
    name = keep or f"evaluation-{uuid4().hex[:12]}"
    try:
        await _read_in(subject, one, one.corpus, name, told)
        yield name
    finally:
        if not keep:
            await _removed(subject.documents.remove_collection(name))


async def _removed(removing: Awaitable[Any]) -> None:
    with suppress(ToolkitError):  # nothing was read in yet, or the database went away: what failed first is told
        await removing


async def _read_in(subject: Subject, one: Judgements, corpus: Path, name: str, told: Told) -> None:
    before = 0

    def show(progress: IngestProgress) -> None:
        told(f"reading {one.name}", before + progress.done, one.documents)

    for batch in _batches(judgements.documents(corpus), _AT_ONCE):
        await subject.ingest(batch, collection=name, progress=show)
        before += len(batch)


def _batches(found: Iterable[Document], size: int) -> Iterable[list[Document]]:
    left = iter(found)
    while batch := list(islice(left, size)):
        yield batch


async def _embedded(subject: Subject, name: str, one: Judgements, told: Told) -> None:
    """Wait until every chunk has its vector."""
    least, since = None, time.monotonic()
    while (status := await subject.documents.status(name)).pending:
        told(f"embedding {one.name}", status.chunks - status.pending, status.chunks)
        if least is None:  # who makes vectors begins with a collection when it is searched
            await subject.search(next(iter(one.queries.values())), collection=name, top_k=1, mode="hybrid")
        if least is None or status.pending < least:
            least, since = status.pending, time.monotonic()
        elif time.monotonic() - since > _PATIENCE:
            raise ToolkitError(
                f"{status.pending:,} chunks of {name!r} have no vector, and there was no new one for "
                f"{_PATIENCE:.0f} seconds; `toolkit doctor` says what the embedder lacks, --mode lexical needs none."
            )
        await asyncio.sleep(_PAUSE)


async def _run(subject: Subject, one: Judgements, name: str, mode: Mode, *, depth: int, told: Told) -> Run:
    """Every query, one after the other."""
    judged = one.judged()
    rankings: dict[str, list[str]] = {}
    milliseconds: list[float] = []
    for number, (query, text) in enumerate(one.queries.items()):
        told(f"asking {one.name}, {mode}", number, len(one.queries))
        begun = time.perf_counter()
        hits = await subject.search(text, collection=name, top_k=depth, mode=mode)
        milliseconds.append((time.perf_counter() - begun) * 1000)
        if hits.note:
            raise ToolkitError(f"This is no evaluation of {mode} search any more: {hits.note}")
        found, asked = ranking(hits, judged), depth
        while len(found) < depth and len(hits) == asked and asked < _MOST_HITS:  # several chunks of the same document
            asked = min(asked * 4, _MOST_HITS)
            hits = await subject.search(text, collection=name, top_k=asked, mode=mode)
            found = ranking(hits, judged)
        rankings[query] = found[:depth]
    return Run(one.name, mode, rankings, milliseconds)


def _checked(runs: Sequence[Run], one: Judgements, collection: str) -> None:
    """Raise ConfigError if the judgements are about something else."""
    judged = one.judged()
    if not any(each in judged for run in runs for found in run.rankings.values() for each in found):
        raise ConfigError(
            f"Nothing that was found in {collection!r} was judged in {one.name!r}, where the ids are e.g. "
            f"{min(judged)!r}; they must be sources of the collection, or its chunks' or documents' ids."
        )


def ranking(hits: Sequence[Hit], judged: frozenset[str]) -> list[str]:
    """The documents of `hits` by the names that were judged, each once, best first.

    What was judged may be a chunk, a source or a document; what was not judged at all is called by its source.
    """
    names = (
        next((each for each in (hit.chunk_id, hit.source, hit.document_id) if each in judged), hit.source)
        for hit in hits
    )
    return list(dict.fromkeys(names))

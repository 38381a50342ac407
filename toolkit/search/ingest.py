"""How documents come in: found, read, cut and kept, several at once."""

import asyncio
import inspect
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from toolkit.db import Database
from toolkit.errors import ConfigError, Conflict, IngestError
from toolkit.search import plan
from toolkit.search.collection import key_of
from toolkit.search.cutting.chunker import document_id
from toolkit.search.describing import Describe, Describing
from toolkit.search.documents import Document, IngestProgress, IngestReport
from toolkit.search.embedding import Embedders
from toolkit.search.gathering import Gathering
from toolkit.search.keeping import Written
from toolkit.search.plan import Ingestible, Job, Names
from toolkit.search.preparing import Left, Runs, Way, parts, prepared
from toolkit.search.reading import loader
from toolkit.search.reading.folder import Skipped
from toolkit.search.reading.readers import Readers
from toolkit.search.reading.web import Web
from toolkit.search.ready import Ready, ready
from toolkit.search.store import DocumentStore, Known

if TYPE_CHECKING:
    from toolkit.search.embedding.sources import Function

OnProgress: TypeAlias = Callable[[IngestProgress], Awaitable[None] | None]
"""Told after every document; a function or a coroutine function."""

_ADVICE = (
    "give text, Markdown, HTML, PDF, Office files, tables, code or notebooks, of at most "
    f"{loader.MOST_BYTES // 1_000_000} MB of text or 100 MB of PDF and Office."
)


class Documents(DocumentStore):
    """The documents that are searched, and the door through which they come in.

    Args:
        db: where they are kept.
        embedders: makes their vectors; None: one that asks nobody else.
        environ: says from which hosts pages may be read.
    """

    def __init__(
        self, db: Database, embedders: Embedders | None = None, *, environ: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        super().__init__(db)
        self._embedders = embedders
        self._environ = environ

    def embedder(self, name: str, function: "Function") -> None:
        """Name a function that makes vectors of texts, for `TOOLKIT_EMBEDDING_MODEL` or a collection.

        Args:
            name: letters, digits, `_`, `.` and `-`; other vectors need another name.
            function: texts to one vector each, in order; a coroutine function or a plain one.

        Raises:
            ConfigError: it cannot be called so.
        """
        if self._embedders is None:
            raise ConfigError("These documents have no embedders; open them with a Toolkit.")
        self._embedders.register(name, function)

    async def ingest(
        self,
        what: Ingestible | Sequence[Ingestible],
        *,
        collection: str = "default",
        progress: OnProgress | None = None,
        workers: int = 0,
        readers: Runs | None = None,
        describe: Describe | None = None,
        owner: str | None = None,
    ) -> IngestReport:
        """Read files, folders, texts or documents; what has not changed is not touched.

        Each document is kept whole or not at all, so an ingest that is broken off leaves what it had finished, and
        the next one goes on. After a folder was read, documents whose files are gone from it are removed.

        Args:
            what: the path of a file or folder, a text of several words, a document, or several of these.
            collection: the named set that they belong to.
            progress: told after every document.
            workers: processes that read files; 0: threads of this one, and a child for what could harm it.
            readers: who reads instead, e.g. a cluster; it stays open.
            describe: says what passages of a document are about, to be found by that, too; None: nobody.
            owner: whose the collection is; None: everyone's.

        Raises:
            IngestError: a path does not exist, or nothing of it all can be read; the message says why.
            Conflict: a document has the source of one that is a file.
        """
        items = [what] if isinstance(what, str | PathLike | Document) else list(what)
        key = key_of(collection, owner)
        async with AsyncExitStack() as open_ones:
            runs: Runs = await open_ones.enter_async_context(Readers(workers)) if readers is None else readers
            way = Way(runs, bool(readers or workers), Describing(describe) if describe else None)
            try:
                report = await self._ingest(items, key, way, progress)
            except Conflict:
                # Another ingest has just given the same name to its folder. Now that is known, and ours gets another.
                report = await self._ingest(items, key, way, progress)
            await self.index.tidy(key)
            return report

    async def _ingest(
        self, items: Sequence[Ingestible], key: str, way: Way, progress: OnProgress | None
    ) -> IngestReport:
        work = await self._plan(items, key)
        tally = _Tally(len(work.jobs), progress, work.skipped)
        waiting = parts(work.jobs, way)
        gathering = Gathering(self.keep, lambda each: tally.count(work.jobs[each.id], each))
        await self.look_up_language(key)

        async def take_turns() -> None:
            for part in waiting:
                for outcome in await prepared(way, part, key, self.language_of(key)):
                    if isinstance(outcome, Left):
                        await tally.count(work.jobs[outcome.id], outcome.why)
                    elif isinstance(outcome, Ready):
                        await gathering.add(outcome)
                    else:
                        await gathering.add(ready([await way.described(outcome)]))

        try:
            async with gathering.open(), asyncio.TaskGroup() as group:
                for _ in range(min(way.runs.at_once, len(work.jobs))):
                    group.create_task(take_turns())
        except ExceptionGroup as failures:
            raise _first(failures) from None
        removed = [await self.forget(key, tree.root, tree.gone(tally)) for tree in work.trees]
        if not tally.documents and not sum(removed):
            raise _nothing(items, tally.skipped)
        return tally.report(sum(removed))

    async def _plan(self, items: Sequence[Ingestible], collection: str) -> "_Work":
        work = _Work()
        names = Names(await self.roots(collection))
        for item in items:
            if url := plan.address(item):
                await self._look_at_page(url, collection, work, alone=len(items) == 1)
                continue
            found = item if isinstance(item, Document) else await asyncio.to_thread(plan.look, item)
            if isinstance(found, Document):
                source = loader.clean(found.source)
                work.jobs[document_id(collection, source)] = Job(source, found)
                continue
            place = names.place(found)
            known = await self.known(collection, place.root)
            elsewhere = await self._elsewhere(collection, names.below(found.path, place))
            for path in found.files:
                if isinstance(path, Skipped):
                    work.skipped.append((place.source(path.path), path))
                    continue
                source, old = place.source(path), elsewhere.get(plan.key(path))
                job = Job(source, path, place.root, known.get(source), (old,) if old else ())
                work.jobs[document_id(collection, source)] = job
            if found.is_folder:
                work.trees.append(_Tree(place.root, place.source(found.path).partition("/")[2], known))
        given = [own_id for own_id, job in work.jobs.items() if not isinstance(job.content, Path)]
        for own_id, kept in (await self.known_ids(given)).items():
            work.jobs[own_id] = replace(work.jobs[own_id], known=kept)
        return work

    async def _look_at_page(self, url: str, collection: str, work: "_Work", *, alone: bool) -> None:
        try:
            page = await Web.configured(self._environ).fetch(url)
        except IngestError as error:
            if alone:
                raise
            work.skipped.append((url, Skipped(Path(url), str(error).rstrip("."), unseen=True)))
            return
        work.jobs[document_id(collection, page.source)] = Job(page.source, page)

    async def _elsewhere(self, collection: str, roots: Sequence[str]) -> dict[str, str]:
        """Ids of the documents of `roots` by the path of their file."""
        return {
            plan.file_of(root, source): known.id
            for root in roots
            for source, known in (await self.known(collection, root)).items()
        }


def _first(failures: BaseExceptionGroup) -> BaseException:
    """The first of several failures, or of those within."""
    first = failures.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


@dataclass(slots=True)
class _Tree:
    """The folder `inside` a root (empty: all of it) was walked: what is kept of it and was not met again is gone."""

    root: str
    inside: str
    known: Mapping[str, Known]

    def gone(self, tally: "_Tally") -> list[str]:
        return [
            known.id
            for source, known in self.known.items()
            if self._holds(source) and source not in tally.kept and not tally.has_unseen(source)
        ]

    def _holds(self, source: str) -> bool:
        return not self.inside or source.partition("/")[2].startswith(f"{self.inside}/")


@dataclass(slots=True)
class _Work:
    """What one ingest has to do: its jobs by document id, its folders, and what is left out from the start."""

    jobs: dict[str, Job] = field(default_factory=dict)
    trees: list[_Tree] = field(default_factory=list)
    skipped: list[tuple[str, Skipped]] = field(default_factory=list)


class _Tally:
    """Counts what became of each job, and tells whoever waits."""

    def __init__(self, total: int, progress: OnProgress | None, skipped: Sequence[tuple[str, Skipped]]) -> None:
        self._total = total
        self._progress = progress
        self._telling = asyncio.Lock()
        self._done = 0
        self._counts: Counter[str] = Counter()
        self._skipped = list(skipped)
        self.kept: set[str] = set()

    @property
    def documents(self) -> int:
        return len(self.kept)

    @property
    def skipped(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted((source, skipped.reason) for source, skipped in self._skipped))

    def has_unseen(self, source: str) -> bool:
        """Whether a document's file, or a folder that it lies in, could not be looked at."""
        unseen = (name for name, skipped in self._skipped if skipped.unseen)
        return any(source == name or source.startswith(f"{name}/") for name in unseen)

    async def count(self, job: Job, became: Written | Skipped | Known) -> None:
        if isinstance(became, Skipped):
            self._skipped.append((job.source, became))
        else:
            self.kept.add(job.source)
            if isinstance(became, Known):
                self._counts.update(unchanged=1, chunks=became.chunks)
            else:
                old = job.known or job.replaces
                self._counts.update(updated=1 if old else 0, added=0 if old else 1, chunks=len(became.chunks))
        async with self._telling:  # one at a time, so that what is told only ever grows
            self._done += 1
            if self._progress:
                told = self._progress(IngestProgress(self._done, self._total, job.source))
                if inspect.isawaitable(told):
                    await told

    def report(self, removed: int) -> IngestReport:
        return IngestReport(
            added=self._counts["added"],
            updated=self._counts["updated"],
            unchanged=self._counts["unchanged"],
            removed=removed,
            skipped=self.skipped,
            documents=self.documents,
            chunks=self._counts["chunks"],
        )


def _nothing(items: Sequence[Ingestible], skipped: Sequence[tuple[str, str]]) -> IngestError:
    """The error that says why nothing could be read."""
    what = ", ".join(_short(item) for item in items[:3]) + (", …" if len(items) > 3 else "")  # noqa: PLR2004 - one line
    if not skipped:
        return IngestError(f"There are no files in {what or 'what was given'}; {_ADVICE}")
    if len(skipped) == 1:
        return IngestError(f"{skipped[0][0]} cannot be ingested: {skipped[0][1]}; {_ADVICE}")
    reasons = Counter(reason for _, reason in skipped)
    counted = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return IngestError(f"Nothing in {what} can be ingested ({counted}); {_ADVICE}")


def _short(item: Ingestible) -> str:
    return item.source if isinstance(item, Document) else str(item)[:100]

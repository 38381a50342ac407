"""How documents come in: found, read, cut and kept, several at once."""

import asyncio
import hashlib
import inspect
import json
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from typing import TypeAlias

from toolkit.errors import Conflict, IngestError
from toolkit.search import loader, plan
from toolkit.search.chunker import VERSION, cut, document_id
from toolkit.search.documents import Document, IngestProgress, IngestReport
from toolkit.search.folder import Skipped
from toolkit.search.plan import Ingestible, Job, Names
from toolkit.search.store import DocumentStore, Known, Prepared, checked_name

OnProgress: TypeAlias = Callable[[IngestProgress], Awaitable[None] | None]
"""Told after every document; a function or a coroutine function."""

IN_FLIGHT = 32
"""Documents worked on at once: enough for the database to commit several together, few enough to fit in memory."""

_ADVICE = f"give Markdown, text, code or notebooks, in UTF-8, of at most {loader.MOST_BYTES // 1_000_000} MB each."


class Documents(DocumentStore):
    """The documents that are searched, and the door through which they come in."""

    async def ingest(
        self,
        what: Ingestible | Sequence[Ingestible],
        *,
        collection: str = "default",
        progress: OnProgress | None = None,
    ) -> IngestReport:
        """Read files, folders, texts or documents; what has not changed is not touched.

        Each document is kept whole or not at all, so an ingest that is broken off leaves what it had finished, and
        the next one goes on. After a folder was read, documents whose files are gone from it are removed.

        Args:
            what: the path of a file or folder, a text of several words, a document, or several of these.
            collection: the named set that they belong to.
            progress: told after every document.

        Raises:
            IngestError: a path does not exist, or nothing of it all can be read; the message says why.
            Conflict: a document has the source of one that is a file.
        """
        items = [what] if isinstance(what, str | PathLike | Document) else list(what)
        try:
            return await self._ingest(items, checked_name(collection), progress)
        except Conflict:
            # Another ingest has just given the same name to its folder. Now that is known, and ours gets another.
            return await self._ingest(items, collection, progress)

    async def _ingest(self, items: Sequence[Ingestible], collection: str, progress: OnProgress | None) -> IngestReport:
        work = await self._plan(items, collection)
        tally = _Tally(len(work.jobs), progress, work.skipped)
        waiting = iter(work.jobs.items())

        async def take_turns() -> None:
            for own_id, job in waiting:
                await self._take(own_id, job, collection, tally)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(IN_FLIGHT, len(work.jobs))):
                    group.create_task(take_turns())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        removed = [await self.forget(tree.root, tree.gone(tally)) for tree in work.trees]
        if not tally.documents and not sum(removed):
            raise _nothing(items, tally.skipped)
        return tally.report(sum(removed))

    async def _plan(self, items: Sequence[Ingestible], collection: str) -> "_Work":
        work = _Work()
        names = Names(await self.roots(collection))
        for item in items:
            found = await asyncio.to_thread(plan.look, item)
            if isinstance(found, Document):
                source = loader.clean(found.source)
                own_id = document_id(collection, source)
                work.jobs[own_id] = Job(source, found, known=await self.known_id(own_id))
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
        return work

    async def _elsewhere(self, collection: str, roots: Sequence[str]) -> dict[str, str]:
        """Ids of the documents of `roots` by the path of their file."""
        return {
            plan.file_of(root, source): known.id
            for root in roots
            for source, known in (await self.known(collection, root)).items()
        }

    async def _take(self, own_id: str, job: Job, collection: str, tally: "_Tally") -> None:
        prepared = await asyncio.to_thread(_prepare, own_id, job, collection)
        if isinstance(prepared, Prepared):
            await self.put(prepared)
        await tally.count(job, prepared)


def _prepare(own_id: str, job: Job, collection: str) -> Prepared | Skipped | Known:
    """A job's document, ready to be kept; what is known of it if it has not changed; or why it cannot be kept."""
    given = job.content
    data = _data(given) if isinstance(given, Document) else loader.read(given)
    if isinstance(data, Skipped):
        return data
    digest = hashlib.sha256(VERSION.encode() + b"\0" + data).hexdigest()
    if job.known and job.known.content_hash == digest:
        return job.known
    if isinstance(given, Document):
        document: Document | Skipped = _cleaned(given, job.source)
    else:
        document = loader.parse(data, given, job.source)
    if isinstance(document, Skipped):
        return document
    path = "" if isinstance(given, Document) else plan.key(given)
    chunks = cut(document, collection)
    return Prepared(document, chunks, own_id, collection, digest, len(data), job.root, path, job.replaces)


def _data(document: Document) -> bytes:
    """All that a document says, as bytes that change with it."""
    try:
        fields = {name: getattr(document, name) for name in Document.__slots__}
        return json.dumps(fields | {"metadata": dict(document.metadata)}).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise IngestError(f"The metadata of {document.source!r} cannot be kept as JSON ({error}).") from error


def _cleaned(document: Document, source: str) -> Document | Skipped:
    text = loader.clean(document.text)
    if not text.strip():
        return Skipped(Path(source), "empty")
    return replace(document, source=source, text=text, title=loader.clean(document.title))


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

    async def count(self, job: Job, prepared: Prepared | Skipped | Known) -> None:
        if isinstance(prepared, Skipped):
            self._skipped.append((job.source, prepared))
        else:
            self.kept.add(job.source)
            if isinstance(prepared, Known):
                self._counts.update(unchanged=1, chunks=prepared.chunks)
            else:
                old = job.known or job.replaces
                self._counts.update(updated=1 if old else 0, added=0 if old else 1, chunks=len(prepared.chunks))
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

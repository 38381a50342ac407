"""Files, pages and given texts, read and cut: what can be done in another process, for it knows no database."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeAlias

from toolkit.errors import IngestError
from toolkit.search import plan
from toolkit.search.cutting.chunker import VERSION, cut
from toolkit.search.describing import DESCRIBED, Describing
from toolkit.search.documents import Document
from toolkit.search.keeping import Prepared
from toolkit.search.plan import Job
from toolkit.search.reading import loader
from toolkit.search.reading.folder import Skipped
from toolkit.search.reading.readers import Broken
from toolkit.search.reading.web import Fetched
from toolkit.search.ready import Ready, ready
from toolkit.search.stored import Known

Jobs: TypeAlias = Sequence[tuple[str, Job]]

_NEAR: Final = 50_000  # characters or bytes of a part that is done by a thread: a few milliseconds
_FAR: Final = 1_000_000  # of one that other processes do: what comes back is kept in one batch, and indexed as one
_MOST: Final = 256  # documents of a part


class Left(NamedTuple):
    """A document that is not kept: why it cannot be, or what is known of it where it has not changed."""

    id: str
    why: Skipped | Known


Outcome: TypeAlias = Ready | Prepared | Left
"""Documents as they are written; one that is still to be described; or one that is not kept."""


class Runs(Protocol):
    """Runs functions elsewhere: `Readers`, or a cluster."""

    @property
    def at_once(self) -> int:
        """Calls that should be under way for nobody to wait."""
        ...

    async def run(self, function: Any, /, *args: Any, isolated: bool = False) -> Any:
        """What `function(*args)` gives; `isolated`, where nothing that it does can harm this process."""
        ...


class Way(NamedTuple):
    """How jobs are done.

    Attributes:
        runs: where.
        far: that is in other processes, which take the words, too.
        describing: describes chunks before they are kept, and what is known counts only if it did; None: nobody does.
    """

    runs: Runs
    far: bool
    describing: Describing | None

    async def described(self, prepared: Prepared) -> Prepared:
        """The document with its chunks described, if somebody does."""
        return await self.describing.described(prepared) if self.describing else prepared


def parts(jobs: Mapping[str, Job], way: Way) -> Iterator[Jobs]:
    """Jobs that are done in one go: one that is risky, or several that are small; all that run jobs get some.

    Args:
        jobs: by the ids of their documents.
        way: how they are done.
    """
    most = min(_MOST, max(1, len(jobs) // way.runs.at_once))
    part: list[tuple[str, Job]] = []
    size = 0
    for own_id, job in jobs.items():
        if _is_risky(job):
            yield [(own_id, job)]
            continue
        part.append((own_id, job))
        size += _size(job.content)
        if size >= (_FAR if way.far else _NEAR) or len(part) >= most:
            yield part
            part, size = [], 0
    if part:
        yield part


def _size(content: Document | Path | Fetched) -> int:
    """Characters or bytes, about."""
    if isinstance(content, Document):
        return len(content.text)
    if isinstance(content, Fetched):
        return len(content.data)
    try:
        return content.stat().st_size
    except OSError:  # who reads it finds out why
        return 0


async def prepared(way: Way, part: Jobs, collection: str, language: str) -> list[Outcome]:
    """What becomes of the jobs of a part, wherever that is found out.

    Args:
        way: how they are done.
        part: documents by their ids.
        collection: the key of theirs.
        language: of its words, as far as that is known.
    """
    language = language if way.far else ""  # with other parts, a thread takes them faster
    try:
        isolated = any(_is_risky(job) for _, job in part)
        found: list[Outcome] = await way.runs.run(
            prepare, part, collection, language, bool(way.describing), isolated=isolated
        )
    except Broken as broken:
        if len(part) > 1:  # one of them did it
            alone = [await prepared(way, [each], collection, language) for each in part]
            return [outcome for outcomes in alone for outcome in outcomes]
        own_id, job = part[0]
        return [Left(own_id, Skipped(Path(job.source), broken.reason))]
    return found


def prepare(part: Jobs, collection: str, language: str, described: bool) -> list[Outcome]:
    """The same, here; the words are taken if there is a language, and nothing is to be described."""
    found = [_prepare(own_id, job, collection, described=described) for own_id, job in part]
    those = [each for each in found if isinstance(each, Prepared)]
    left = [each for each in found if isinstance(each, Left)]
    if described or not those:
        return [*those, *left]
    return [ready(those, language), *left]


def _is_risky(job: Job) -> bool:
    return not isinstance(job.content, Document) and loader.is_risky(_path(job.content))


def _path(content: Path | Fetched) -> Any:
    return content.path if isinstance(content, Fetched) else content


def _prepare(own_id: str, job: Job, collection: str, *, described: bool) -> Prepared | Left:
    given = job.content
    data = _data(given)
    if isinstance(data, Skipped):
        return Left(own_id, data)
    digest = hashlib.sha256(VERSION.encode() + b"\0" + data).hexdigest()
    if job.known and job.known.content_hash in (digest + DESCRIBED, "" if described else digest):
        return Left(own_id, job.known)
    document = _document(given, data, job.source)
    if isinstance(document, Skipped):
        return Left(own_id, document)
    path = plan.key(given) if isinstance(given, Path) else ""
    chunks = cut(document, collection)
    return Prepared(document, chunks, own_id, collection, digest, len(data), job.root, path, job.replaces)


def _document(given: Document | Path | Fetched, data: bytes, source: str) -> Document | Skipped:
    if isinstance(given, Document):
        return _cleaned(given, source)
    if isinstance(given, Fetched):
        return loader.parse(data, given.path, source, given.charset)
    return loader.parse(data, given, source)


def _data(given: Document | Path | Fetched) -> bytes | Skipped:
    """All that a document says, as bytes that change with it."""
    if isinstance(given, Fetched):
        return given.data
    if isinstance(given, Path):
        return loader.read(given)
    try:
        fields = {name: getattr(given, name) for name in Document.__slots__}
        return json.dumps(fields | {"metadata": dict(given.metadata)}).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise IngestError(f"The metadata of {given.source!r} cannot be kept as JSON ({error}).") from error


def _cleaned(document: Document, source: str) -> Document | Skipped:
    text = loader.clean(document.text)
    if not text.strip():
        return Skipped(Path(source), "empty")
    return replace(document, source=source, text=text, title=loader.clean(document.title))

"""One file, page or given text, read and cut: what can be done in another process, for it knows no database."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

from toolkit.errors import IngestError
from toolkit.search import plan
from toolkit.search.cutting.chunker import VERSION, cut
from toolkit.search.describing import DESCRIBED
from toolkit.search.documents import Document
from toolkit.search.keeping import Prepared
from toolkit.search.plan import Job
from toolkit.search.reading import loader
from toolkit.search.reading.folder import Skipped
from toolkit.search.reading.readers import Broken
from toolkit.search.reading.web import Fetched
from toolkit.search.stored import Known

Jobs: TypeAlias = Sequence[tuple[str, Job]]
Outcome: TypeAlias = Prepared | Skipped | Known
"""A document ready to be kept; why it cannot be kept; or what is known of it, if it has not changed."""

_AT_ONCE: Final = 50_000  # characters of given documents that are cut in one go: a few milliseconds
_TOGETHER: Final = 16  # files of one call of another process, which costs as much as a small file


class Runs(Protocol):
    """Runs functions elsewhere: `Readers`, or a cluster."""

    async def run(self, function: Any, /, *args: Any, isolated: bool = False) -> Any:
        """What `function(*args)` gives; `isolated`, where nothing that it does can harm this process."""
        ...


def parts(jobs: Mapping[str, Job], *, far: bool) -> Iterator[Jobs]:
    """Jobs that are done in one go: a file each, or some documents that are there already.

    Args:
        jobs: by the ids of their documents.
        far: they are done in other processes: then several small files are one part.
    """
    texts: list[tuple[str, Job]] = []
    files: list[tuple[str, Job]] = []
    size = 0
    for own_id, job in jobs.items():
        if isinstance(job.content, Document):
            texts.append((own_id, job))
            size += len(job.content.text)
            if size >= _AT_ONCE:
                yield texts
                texts, size = [], 0
        elif not far or _is_risky(job):
            yield [(own_id, job)]
        else:
            files.append((own_id, job))
            if len(files) == _TOGETHER:
                yield files
                files = []
    yield from (part for part in (texts, files) if part)


async def prepared(runs: Runs, part: Jobs, collection: str, *, described: bool = False) -> list[tuple[str, Outcome]]:
    """What becomes of the jobs of a part, wherever that is found out.

    Args:
        runs: where.
        part: documents by their ids.
        collection: the key of theirs.
        described: what is known counts only if its chunks were described.
    """
    try:
        isolated = any(_is_risky(job) for _, job in part)
        found: list[tuple[str, Outcome]] = await runs.run(prepare, part, collection, described, isolated=isolated)
    except Broken as broken:
        if len(part) > 1:  # one of them did it
            alone = [await prepared(runs, [each], collection, described=described) for each in part]
            return [outcome for outcomes in alone for outcome in outcomes]
        own_id, job = part[0]
        return [(own_id, Skipped(Path(job.source), broken.reason))]
    return found


def prepare(part: Jobs, collection: str, described: bool = False) -> list[tuple[str, Outcome]]:
    """The same, here."""
    return [(own_id, _prepare(own_id, job, collection, described=described)) for own_id, job in part]


def _is_risky(job: Job) -> bool:
    return not isinstance(job.content, Document) and loader.is_risky(_path(job.content))


def _path(content: Path | Fetched) -> Any:
    return content.path if isinstance(content, Fetched) else content


def _prepare(own_id: str, job: Job, collection: str, *, described: bool) -> Outcome:
    given = job.content
    data = _data(given)
    if isinstance(data, Skipped):
        return data
    digest = hashlib.sha256(VERSION.encode() + b"\0" + data).hexdigest()
    if job.known and job.known.content_hash in (digest + DESCRIBED, "" if described else digest):
        return job.known
    document = _document(given, data, job.source)
    if isinstance(document, Skipped):
        return document
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

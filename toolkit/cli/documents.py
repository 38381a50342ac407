"""`toolkit ingest` and `toolkit search`: the user's own documents."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli import terminal
from toolkit.cli.run import database, example, json_output, sentence, with_toolkit
from toolkit.errors import ConfigError, IngestError

if TYPE_CHECKING:
    from toolkit.search.cluster import Cluster
    from toolkit.search.documents import Document, Hit, IngestProgress, IngestReport
    from toolkit.toolkit import Toolkit

_SKIPPED_SHOWN = 10
_LINES_SHOWN = 4


@click.command(epilog=example("toolkit ingest docs/ README.md --collection handbook", "toolkit ingest docs/ --watch"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("-c", "--collection", default="default", show_default=True, help="The named set they belong to.")
@click.option("--workers", default=0, type=click.IntRange(0, 256), help="Processes that read files; else threads do.")
@click.option(
    "--dask", metavar="ADDRESS", help="Read on the Dask cluster with this scheduler, e.g. tcp://10.0.0.5:8786."
)
@click.option("--describe", is_flag=True, help="Have a model say what each passage is about; it is found by that, too.")
@click.option("--watch", is_flag=True, help="Stay, and read what changes, until Ctrl-C.")
@json_output
@database
def ingest(
    *,
    paths: tuple[str, ...],
    collection: str,
    workers: int,
    dask: str | None,
    describe: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Read files, folders and web pages into the search index. What has not changed is not touched."""
    if workers and dask:
        raise ConfigError("Files are read by processes of this machine or by a cluster; give --workers or --dask.")
    if not all(path.strip() for path in paths):  # of a variable that is not set; the folder here is not meant
        raise IngestError("An empty path was given; name a file or folder, `.` for the one here.")
    pages = [path for path in paths if path.startswith(("http://", "https://"))]
    files = [Path(path) for path in paths if path not in pages]
    if pages and watch:
        raise ConfigError(f"{pages[0]} cannot be watched; watch files and folders, and read pages again when you like.")

    def tell(report: "IngestReport") -> None:
        if as_json:
            terminal.data(report)
        else:
            _tell(report, collection)

    async def work(tk: "Toolkit") -> None:
        async with _readers(dask, files) as readers:
            read = partial(read_in, tk, collection=collection, workers=workers, readers=readers, describe=describe)
            if watch:
                await _follow(files, read, tell)
            else:
                tell(await read([*pages, *files]))

    try:
        with_toolkit(work)
    except KeyboardInterrupt:
        terminal.note("Stopped. What was read so far is kept; the same command goes on from there.")
        raise


async def read_in(
    tk: "Toolkit",
    what: "Sequence[str | Path | Document]",
    collection: str,
    **how: Any,
) -> "IngestReport":
    """Ingest `what` as `Toolkit.ingest` does, while a bar shows how far it is."""
    with terminal.progress("Reading") as advance:

        def show(progress: "IngestProgress") -> None:
            advance(progress.done, progress.total, progress.source)

        return await tk.ingest(what, collection=collection, progress=show, **how)


@asynccontextmanager
async def _readers(dask: str | None, files: "Sequence[Path]") -> "AsyncIterator[Cluster | None]":
    """The cluster that reads, None where this machine does."""
    if dask is None:
        yield None
        return
    from toolkit.search.cluster import Cluster  # noqa: PLC0415 - Dask costs half a second, and few have it

    cluster = await Cluster.connect(dask)
    try:
        for path in files:
            await cluster.check(path.expanduser().resolve())
        yield cluster
    finally:
        await cluster.aclose()


async def _follow(
    what: "Sequence[Path]",
    ingest: "Callable[[Sequence[Path]], Awaitable[IngestReport]]",
    tell: "Callable[[IngestReport], None]",
) -> None:
    """Tell of every change until Ctrl-C."""
    from toolkit.search.following import follow  # noqa: PLC0415 - only who watches needs it

    async with aclosing(follow(ingest, what)) as told:
        async for found in told:
            if isinstance(found, IngestError):
                terminal.note(str(found))
            else:
                tell(found)


def _tell(report: "IngestReport", collection: str) -> None:
    terminal.say(
        f"{terminal.count(report.documents, 'document')} in {terminal.count(report.chunks, 'passage')} "
        f"of collection {collection!r}: {report.added} added, {report.updated} updated, "
        f"{report.unchanged} unchanged, {report.removed} removed."
    )
    for path, reason in report.skipped[:_SKIPPED_SHOWN]:
        terminal.note(f"skipped {path}: {reason}")
    if len(report.skipped) > _SKIPPED_SHOWN:
        terminal.note(f"… and {len(report.skipped) - _SKIPPED_SHOWN} more; --json lists them all.")


@click.command(epilog=example("toolkit search circuit breaker --collection handbook --top-k 3"))
@click.argument("words", nargs=-1, required=True, metavar="QUERY")
@click.option("-c", "--collection", "collections", multiple=True, help="Where to look; repeat it; else everywhere.")
@click.option("-k", "--top-k", default=5, show_default=True, type=click.IntRange(1, 50), help="How many passages.")
@click.option("--full", is_flag=True, help="Show whole passages rather than their first lines.")
@json_output
@database
def search(words: tuple[str, ...], collections: tuple[str, ...], top_k: int, full: bool, as_json: bool) -> None:
    """Find passages of the ingested documents."""
    query = sentence(words)
    hits = with_toolkit(lambda tk: tk.search(query, collection=collections or None, top_k=top_k))
    if as_json:
        terminal.data(hits)
        return
    if not hits:
        terminal.note("Nothing fits; try other words, or fewer.")
    for number, hit in enumerate(hits, 1):
        _show_hit(number, hit, full=full)


def _show_hit(number: int, hit: "Hit", *, full: bool) -> None:
    if number > 1:
        terminal.say()
    heading = f"  {hit.heading}" if hit.heading else ""
    terminal.say(f"{number}  {place(hit.source, hit.lines)}{heading}", "bold")
    terminal.say(f"   {hit.chunk_id}  score {hit.score:.2f}", "dim")
    lines = [line for line in hit.text.splitlines() if full or line.strip()]
    shown = lines if full else lines[:_LINES_SHOWN]
    for line in shown:
        terminal.say(f"   {line}")
    if len(lines) > len(shown):
        terminal.say(f"   … {len(lines) - len(shown)} more lines", "dim")


def place(source: str, lines: tuple[int, int]) -> str:
    """Where a passage stands, as editors read it: `docs/guide.md:12-30`."""
    first, last = lines
    return f"{source}:{first}" if first == last else f"{source}:{first}-{last}"

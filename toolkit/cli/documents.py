"""`toolkit ingest` and `toolkit search`: the user's own documents."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli import terminal
from toolkit.cli.run import database, example, json_output, sentence, with_toolkit

if TYPE_CHECKING:
    from toolkit.search.documents import Document, Hit, IngestProgress, IngestReport
    from toolkit.toolkit import Toolkit

_SKIPPED_SHOWN = 10
_LINES_SHOWN = 4


@click.command(epilog=example("toolkit ingest docs/ README.md --collection handbook"))
@click.argument("paths", nargs=-1, required=True, metavar="PATH…")
@click.option("-c", "--collection", default="default", show_default=True, help="The named set they belong to.")
@json_output
@database
def ingest(paths: tuple[str, ...], collection: str, as_json: bool) -> None:
    """Read files and folders into the search index. What has not changed is not touched."""
    try:
        report = with_toolkit(lambda tk: read_in(tk, [Path(path) for path in paths], collection))
    except KeyboardInterrupt:
        terminal.note("Stopped. What was read so far is kept; the same command goes on from there.")
        raise
    if as_json:
        terminal.data(report)
        return
    _tell(report, collection)


async def read_in(tk: "Toolkit", what: "Sequence[Path | Document]", collection: str) -> "IngestReport":
    """Ingest `what` while a bar shows how far it is."""
    with terminal.progress("Reading") as advance:

        def show(progress: "IngestProgress") -> None:
            advance(progress.done, progress.total, progress.source)

        return await tk.ingest(what, collection=collection, progress=show)


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

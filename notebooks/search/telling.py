"""What is told of an index and of an ingest, as HTML."""

from html import escape

from toolkit.search.documents import IngestProgress, IngestReport, Status

MOST_SKIPPED = 100
"""Files that were left out, by name; the others are counted."""

EMPTY = (
    '<div class="toolkit-empty" role="status"><b>Nothing to search yet.</b> Write the path of a file or a folder, or '
    "the address of a page, in the line below and press Ingest; or run "
    '<code>{}panel.ingest("docs/")</code> in a cell.</div>'
)


def empty(*, waits: bool) -> str:
    """That nothing was ingested yet, and how it is done."""
    return EMPTY.format("" if waits else "await ")


def searching() -> str:
    """That a search is under way."""
    return '<div class="toolkit-note" role="status">Searching…</div>'


def note(said: str, more: str = "") -> str:
    """A line above the hits.

    Args:
        said: how many there are.
        more: what a search says of itself, e.g. why only words were compared.
    """
    more = f" · {more}" if more else ""
    return f'<div class="toolkit-note" role="status">{escape(said + more)}</div>'


def holding(status: Status | None, collection: str | None) -> str:
    """How much can be searched, and how far its vectors are; None as a collection is all of them."""
    where = collection or "All collections"
    if status is None:
        return f'<div role="status">There is no collection {escape(where)} yet.</div>'
    said = f"{_count(status.documents, 'document')} · {_count(status.chunks, 'passage')}"
    if not status.pending:
        vectors = " · found by words and meaning" if status.chunks else ""
        return f'<div role="status">{escape(where)}: {said}{vectors}</div>'
    made = status.chunks - status.pending
    return (
        f'<div role="status">{escape(where)}: {said} · '
        f'<progress max="{status.chunks}" value="{made}" aria-label="Vectors made"></progress>'
        f"{_count(status.pending, 'vector')} still to be made; until then found by words</div>"
    )


def begun(what: str) -> str:
    """That an ingest has begun."""
    return f'<div role="status"><progress aria-label="Reading"></progress>Reading {escape(what)}…</div>'


def reading(progress: IngestProgress) -> str:
    """How far an ingest is."""
    return (
        f'<div role="status"><progress max="{progress.total}" value="{progress.done}" aria-label="Documents read">'
        f"</progress>{progress.done:,} of {_count(progress.total, 'document')} · {escape(progress.source)}</div>"
    )


def told(report: IngestReport, collection: str) -> str:
    """What an ingest did."""
    done = [
        f"{number:,} {what}"
        for number, what in (
            (report.added, "added"),
            (report.updated, "updated"),
            (report.unchanged, "unchanged"),
            (report.removed, "removed"),
        )
        if number
    ]
    said = f"{escape(collection)}: {_count(report.documents, 'document')} ({', '.join(done)}), "
    line = f'<div role="status"><b aria-hidden="true">✓</b> {said}{_count(report.chunks, "passage")}.</div>'
    return line + _skipped(report.skipped)


def failed(said: str) -> str:
    """Why an ingest did nothing."""
    return f'<div class="toolkit-error" role="alert">{escape(said)}</div>'


def stopped() -> str:
    """That an ingest was stopped."""
    return '<div role="status">Stopped; what was read is kept, and the next ingest goes on from there.</div>'


def _skipped(skipped: tuple[tuple[str, str], ...]) -> str:
    if not skipped:
        return ""
    rows = "".join(
        f"<li><span>{escape(source)}</span> {escape(reason)}</li>" for source, reason in skipped[:MOST_SKIPPED]
    )
    more = f"<li>and {len(skipped) - MOST_SKIPPED:,} more</li>" if len(skipped) > MOST_SKIPPED else ""
    files = _count(len(skipped), "file")
    return f"<details><summary>{files} left out, and why</summary><ul>{rows}{more}</ul></details>"


def _count(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"

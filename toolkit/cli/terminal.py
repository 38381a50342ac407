"""How the command line looks: tables, prose and a progress bar in a terminal, plain text everywhere else.

What a command gives goes to standard output; what is said about the run goes to standard error. Nothing is wrapped,
coloured or cut off where the reader is a pipe or a file. rich decides what is a terminal, so `NO_COLOR`, `FORCE_COLOR`
and `TERM=dumb` are honoured; it is imported when something is shown, because `toolkit --help` must answer at once.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

# What a model or a document says must not steer the terminal: no control characters but line feed and tab.
_CONTROL = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"}

Advance = Callable[[int, int | None, str], None]
"""Tells a progress bar how many of how many (None if unknown) are done, and what is being done."""


def console(*, stderr: bool = False) -> "Console":
    """The terminal behind one of the two streams."""
    from rich.console import Console  # noqa: PLC0415 - see the module's docstring

    return Console(stderr=stderr, highlight=False)


def clean(text: str) -> str:
    """`text` without what would steer a terminal."""
    return text.translate(_CONTROL)


def say(text: str = "", style: str = "", *, stderr: bool = False) -> None:
    """Show a line or several, as they are."""
    screen = console(stderr=stderr)
    if not screen.is_terminal:
        click.echo(clean(text), err=stderr)
        return
    from rich.text import Text  # noqa: PLC0415 - see the module's docstring

    screen.print(Text(clean(text), style=style))


def note(text: str) -> None:
    """Show a quiet line about the run, apart from what the command gives."""
    say(text, "dim", stderr=True)


def title(text: str) -> None:
    """Show a headline with an empty line before it."""
    say()
    say(text, "bold cyan")


def prose(text: str) -> None:
    """Show a model's answer: as Markdown in a terminal, as it is elsewhere."""
    screen = console()
    if not screen.is_terminal:
        click.echo(clean(text))
        return
    from rich.markdown import Markdown  # noqa: PLC0415 - see the module's docstring
    from rich.theme import Theme  # noqa: PLC0415

    # The reader's own colours, on a background that may be light or dark.
    with screen.use_theme(Theme({"markdown.code": "cyan", "markdown.code_block": "cyan"})):
        screen.print(Markdown(clean(text), hyperlinks=False, code_theme="ansi_dark"))


def piece(text: str) -> None:
    """Show the next piece of a streamed answer at once."""
    click.echo(clean(text), nl=False)


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[str] = ()) -> None:
    """Show rows under headings.

    Args:
        headings: one per column.
        rows: as many cells each.
        right: headings of the columns that are aligned at their right edge.
    """
    cells = [[" ".join(clean(cell).split()) for cell in row] for row in rows]
    screen = console()
    if not screen.is_terminal:
        click.echo(_plain_table(headings, cells, right))
        return
    from rich import box  # noqa: PLC0415 - see the module's docstring
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    shown = Table(box=box.SIMPLE_HEAD, header_style="bold", border_style="dim", pad_edge=False)
    for heading in headings:
        shown.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in cells:
        shown.add_row(*map(Text, row))
    screen.print(shown)


def marked(rows: Sequence[tuple[str, str, str]], styles: Mapping[str, str]) -> None:
    """Show rows of a mark, a subject and a sentence, the mark in its style of `styles`."""
    screen = console()
    if not screen.is_terminal:
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        for mark, subject, text in rows:
            click.echo(f"{mark:<{widths[0]}}  {subject:<{widths[1]}}  {clean(text)}")
        return
    from rich.table import Table  # noqa: PLC0415 - see the module's docstring
    from rich.text import Text  # noqa: PLC0415

    shown = Table.grid(padding=(0, 2))
    for mark, subject, text in rows:
        shown.add_row(Text(mark, styles[mark]), Text(subject, "bold"), Text(clean(text)))
    screen.print(shown)


def _plain_table(headings: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[str]) -> str:
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if heading in right else cell.ljust(width)
            for cell, width, heading in zip(row, widths, headings, strict=True)
        ).rstrip()
        for row in (headings, *rows)
    )


@contextmanager
def progress(what: str) -> Iterator[Advance]:
    """A bar on standard error while something long is done; nothing where that is not a terminal."""
    screen = console(stderr=True)
    if not screen.is_terminal:
        yield lambda _done, _total, _doing: None
        return
    from rich import progress as bars  # noqa: PLC0415 - see the module's docstring
    from rich.markup import escape  # noqa: PLC0415

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(bar_width=32),
        bars.MofNCompleteColumn(),
        bars.TextColumn("[dim]{task.fields[doing]}", table_column=None),
    )
    with bars.Progress(*columns, console=screen, transient=True) as shown:
        bar = shown.add_task(escape(what), total=None, doing="")
        yield lambda done, total, doing: shown.update(
            bar, completed=done, total=total, doing=escape(_shortened(clean(doing), 48))
        )


def data(value: Any) -> None:
    """Print `value` as JSON for a program: dataclasses as objects, times as ISO 8601."""
    click.echo(json.dumps(value, default=_as_json, ensure_ascii=False, indent=2))


def _as_json(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _shortened(text: str, width: int) -> str:
    return text if len(text) <= width else "…" + text[1 - width :]


def dollars(amount: float | None) -> str:
    """US dollars with as many digits as it takes to see a small sum; a dash where the price is unknown."""
    if amount is None:
        return "—"
    if amount == 0:
        return "$0"
    digits = max(2, 2 - math.floor(math.log10(amount)))  # three that count
    return f"${amount:,.2f}" if amount >= 1 else f"${amount:.{digits}f}".rstrip("0")


def count(number: int, noun: str, plural: str | None = None) -> str:
    """`1 file`, `1,204 files`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def moment(at: datetime) -> str:
    """A time as the reader's clock shows it, to the minute."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"

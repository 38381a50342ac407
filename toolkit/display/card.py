"""What a shown object says of itself: data, from which a page of HTML, a line and a table are made."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self, TypeAlias, Union

MOST_ROWS = 50
"""Rows of a table, and objects of a list, that are shown; it is said how many more there are."""

_MOST_LINE = 160


class Code(str):
    """A cell whose characters stand in columns: a path, a name in a program, JSON."""

    __slots__ = ()


class Figure(str):
    """A number in words, e.g. `$0.02`, that stands to the right as numbers do."""

    __slots__ = ()


class Share(float):
    """A part of 1, shown as a bar with its percentage."""

    __slots__ = ()


class State(str):
    """How something is, in words, and whether that is well."""

    __slots__ = ("good",)
    good: bool

    def __new__(cls, words: str, *, good: bool) -> Self:
        """The state that `words` tell."""
        self = super().__new__(cls, words)
        self.good = good
        return self


Cell: TypeAlias = str | int | float | None
"""What stands in a table or beside a name: text as it is, a number, True and False, or one of the kinds above."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under names.

    Attributes:
        columns: the names; that of the first row's title may be empty.
        rows: each with a cell for every column.
        more: how many rows there are besides these.
        total: a row beneath them that sums them up.
        numbered: each row stands beside its index, from 0.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    more: int = 0
    total: Sequence[Cell] = ()
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """A text as it is.

    Attributes:
        marks: first character and the one after the last of each place that is marked, in order and apart.
        code: its characters stand in columns.
    """

    text: str
    marks: Sequence[tuple[int, int]] = ()
    code: bool = False


@dataclass(frozen=True, slots=True)
class Notes:
    """Lines that unfold beneath a few words."""

    summary: str
    lines: Sequence[str]


Block: TypeAlias = Union[str, Table, Text, Notes, "Card"]
"""A part of a body; a plain `str` is Markdown."""


@dataclass(frozen=True, slots=True)
class Card:
    """What an object is, for a person. It has no ids and no times: the same object looks the same at every run.

    Attributes:
        title: what a person would call it. Without a title the body comes first, and the facts stand beneath it.
        facts: what is to be known of it, by its names, what matters most first; None, False and `""` are left out.
        body: what is shown whole.
        kind: what it is, in a word or two; the head of its column in a table.
        whole: in a list it is shown whole, rather than as a row of title and facts.
    """

    title: str = ""
    facts: Mapping[str, Cell] = field(default_factory=dict)
    body: Sequence[Block] = ()
    kind: str = ""
    whole: bool = False

    @property
    def told(self) -> dict[str, Cell]:
        """The facts that say something."""
        return {
            name: cell for name, cell in self.facts.items() if cell is not None and cell is not False and cell != ""
        }

    def in_a_line(self) -> str:
        """Title, or the beginning of the body, and facts, as far as there is room."""
        begin = next((_beginning(block) for block in self.body), "") if self.whole or not self.title else ""
        facts = (name if cell is True else f"{name} {_said(cell)}" for name, cell in self.told.items())
        return line(", ".join(filter(None, [line(self.title, 80), line(begin, 80), *facts])), _MOST_LINE)


def around(text: str, marks: Sequence[tuple[int, int]] = (), *, most: int = 480, code: bool = False) -> Text:
    """The part of `text` from a little before its first mark on, cut between words, of code between lines.

    It is about `most` characters long at most; what was left out before and after it is told by `…`.
    """
    gap = "\n" if code else " "
    begin = max(0, min(marks[0][0] - most // 4, len(text) - most)) if marks else 0
    begin = text.rfind(gap, 0, begin) + 1 if begin else 0
    end = len(text) if len(text) <= begin + most else text.rfind(gap, begin, begin + most)
    end = begin + most if end <= begin else end
    before, after = f"…{gap}" if begin else "", f"{gap}…" if end < len(text) else ""
    shift = len(before) - begin
    inside = [(at + shift, to + shift) for at, to in marks if begin <= at and to <= end]
    return Text(f"{before}{text[begin:end]}{after}", inside, code)


def line(text: str, most: int = _MOST_LINE) -> str:
    """`text` in one line of printable characters, cut to `most`."""
    begin = text[: 4 * most]
    told = " ".join("".join(each if each.isprintable() else " " for each in begin).split())
    return told if len(told) <= most and len(text) <= len(begin) else f"{told[: most - 1].rstrip()}…"


def _beginning(block: Block) -> str:
    match block:
        case str():
            return block
        case Text():
            return block.text
        case Card():
            return block.in_a_line()
    return ""


def _said(cell: Cell) -> str:
    return f"{cell:.0%}" if isinstance(cell, Share) else f"{cell:.4g}" if type(cell) is float else str(cell)

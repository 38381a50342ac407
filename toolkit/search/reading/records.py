"""Rows and records as lines that are understood alone: each value with its name."""

import re
from collections.abc import Sequence
from itertools import zip_longest

from toolkit.search.documents import SourceMap
from toolkit.search.reading.content import MOST_TEXT, Content, Unreadable

WIDE = 600
"""Characters from which a record gets a line for each of its values, rather than one for all."""

_MOST_COLUMN = 60
_NUMBER = re.compile(r"[-+]?[\d., ']*\d[%€$]?|\d{1,4}([-/.:])\d{1,2}\1\d{1,4}.*")
_YEAR = re.compile(r"(?:1[89]|20)\d\d")


class Records:
    """Collects the lines of a table with the way back to where they stand in its source.

    Args:
        has_bytes: whether `add` is told of bytes and lines.
    """

    def __init__(self, *, has_bytes: bool) -> None:
        self._lines: list[str] = []
        self._spans: list[tuple[int, int, int, int]] | None = [] if has_bytes else None
        self._places: list[tuple[int, str, int, str]] = []
        self._outline: list[tuple[int, tuple[str, ...]]] = []
        self._size = 0

    def at(self, row: int, sheet: str = "") -> None:
        """What is added from now on is of this row."""
        self._places.append((len(self._lines) + 1, "row", row, sheet))

    def under(self, path: tuple[str, ...]) -> None:
        """What is added from now on stands under these names."""
        path = tuple(name for name in path if name)
        if (self._outline[-1][1] if self._outline else ()) != path:
            self._outline.append((len(self._lines) + 1, path))

    def add(self, values: Sequence[str], span: tuple[int, int, int, int] = (-1, -1, 1, 1)) -> None:
        """A record, of `span`: its first byte, the byte after its last one, its first and its last line."""
        if not values:
            return
        size = sum(map(len, values)) + 3 * len(values)
        self._size += size
        if self._size > MOST_TEXT:
            raise Unreadable(f"a table of more than {MOST_TEXT // 1_000_000} million characters")
        if size <= WIDE and not any("\n" in value for value in values):
            self._put(" | ".join(values), span)
            return
        self.gap()
        for line in "\n".join(values).split("\n"):
            self._put(line, span)
        self.gap()

    def gap(self) -> None:
        """A blank line, for what follows belongs less to what came before."""
        if self._lines and self._lines[-1]:
            last = self._spans[-1] if self._spans else (-1, -1, 1, 1)
            self._put("", (-1, -1, last[3], last[3]))

    def content(self, title: str = "") -> Content:
        """All of it."""
        if self._lines and not self._lines[-1]:
            self._lines.pop()
            if self._spans:
                self._spans.pop()
        known = SourceMap(places=tuple(self._places), outline=tuple(self._outline), verbatim=False)
        if self._spans:
            starts, ends, firsts, lasts = zip(*self._spans, strict=True)
            known = SourceMap(starts, ends, firsts, lasts, known.places, known.outline, verbatim=False)
        return Content("\n".join(self._lines), title, source_map=known)

    def _put(self, line: str, span: tuple[int, int, int, int]) -> None:
        self._lines.append(line)
        if self._spans is not None:
            self._spans.append(span)


def header_of(rows: Sequence[Sequence[str]]) -> list[str] | None:
    """The names of the columns if the first of these rows has them: all different, and none a number but a year."""
    if len(rows) < 2:  # noqa: PLR2004 - a row of names, and one that they name
        return None
    names = [cell.strip() for cell in rows[0]]
    while names and not names[-1]:
        names.pop()
    said = [name for name in names if name]
    is_named = len(said) >= max(1, 0.7 * len(names)) and len(set(said)) == len(said)
    return names if is_named and not any(_is_value(name) or len(name) > _MOST_COLUMN for name in said) else None


def named(header: Sequence[str] | None, row: Sequence[str]) -> list[str]:
    """The values of a row that are not empty, each with the name of its column."""
    if header is None:
        return [cell for cell in row if cell]
    return [f"{name}: {cell}" if name else cell for name, cell in zip_longest(header, row, fillvalue="") if cell]


def _is_value(text: str) -> bool:
    """Whether it is a number or a date, and no year."""
    return bool(_NUMBER.fullmatch(text)) and not _YEAR.fullmatch(text)

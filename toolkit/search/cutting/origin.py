"""Where a passage of a document stands in the bytes, lines and pages that the document was made of."""

from bisect import bisect_right
from collections.abc import Sequence

from toolkit.search.documents import Document, Loaded, SourceMap

Bytes = tuple[int, int] | tuple[None, None]
"""The first byte and the byte after the last; None where the source is no text, or where it cannot be told."""

_NO_MAP = SourceMap()


class Origin:
    """Finds the way back for passages that are asked for in the order of the text.

    Args:
        document: its text is made of bytes, or is itself the source, in UTF-8.
        begins: for each line of the text the character with which it begins, and the length of the text plus 1.
    """

    def __init__(self, document: Document, begins: Sequence[int]) -> None:
        self._text = document.text
        self._begins = begins
        self._map = (document.source_map if isinstance(document, Loaded) else None) or _NO_MAP
        self._encoding = document.encoding if isinstance(document, Loaded) else "utf-8"
        self._is_plain = document.text.isascii() and not (self._encoding or "").startswith(("utf-16", "utf-32"))
        self._place_lines = [line for line, *_ in self._map.places]
        self._char = self._byte = 0  # how far the text has been measured

    def lines(self, first: int, last: int) -> tuple[int, int]:
        """The lines of the source that the lines `first` to `last` of the text stand on."""
        if self._map.firsts is None or self._map.lasts is None:
            return first, last
        return min(self._map.firsts[first - 1 : last]), max(self._map.lasts[first - 1 : last])

    def bytes(self, first: int, last: int, start: int, end: int) -> Bytes:
        """The bytes of the characters `start` to `end`: of the lines `first` to `last`, or a part of that one line."""
        starts, ends = self._map.starts, self._map.ends
        if self._encoding is None:
            return None, None
        if starts is None or ends is None:
            return self._measured(start), self._measured(end)
        if not self._map.verbatim:
            known = [n for n in range(first - 1, last) if starts[n] >= 0]
            return (min(starts[n] for n in known), max(ends[n] for n in known)) if known else (None, None)
        if self._char <= self._begins[first - 1]:
            self._char, self._byte = self._begins[first - 1], starts[first - 1]
        whole = end == self._begins[last] - 1
        return self._measured(start), ends[last - 1] if whole else self._measured(end)

    def place(self, first: int, last: int) -> str:
        """The pages, slides, cells or rows that the lines `first` to `last` are of, in words; empty without any."""
        if not self._place_lines:
            return ""
        at = max(0, bisect_right(self._place_lines, first) - 1)
        to = max(at, bisect_right(self._place_lines, last) - 1)
        (_, unit, begin, sheet), (_, _, end, end_sheet) = self._map.places[at], self._map.places[to]
        if sheet != end_sheet:
            return f"sheets {sheet}–{end_sheet}"
        where = f"{unit} {begin}" if begin == end else f"{unit}s {begin}–{end}"
        return f"sheet {sheet}, {where}" if sheet else where

    def _measured(self, char: int) -> int:
        """The byte at which the character `char` begins; each is measured once."""
        if self._is_plain:
            self._byte += char - self._char
        else:
            encoding = self._encoding or "utf-8"
            errors = "surrogatepass" if encoding.startswith("utf") else "strict"
            self._byte += len(self._text[self._char : char].encode(encoding, errors))
        self._char = char
        return self._byte

"""From characters of a decoded text back to bytes and lines of the file."""

from bisect import bisect_right
from itertools import accumulate

from toolkit.search.reading.decoding import Decoded

Span = tuple[int, int, int, int]
"""The first byte, the byte after the last, the first and the last line, counted from 1."""

_STEP = 4_096  # characters between two that are known, so that a line of a megabyte is not measured again and again


class Places:
    """Finds where characters of a decoded text stand.

    Args:
        decoded: the text.
    """

    def __init__(self, decoded: Decoded) -> None:
        self._text, self._encoding = decoded.text, decoded.encoding
        self._starts = decoded.source_map.starts if decoded.source_map else None
        self._begins = [0, *accumulate(len(line) + 1 for line in decoded.text.split("\n"))]
        self._known: list[int] | None = None
        if not decoded.text.isascii() or decoded.encoding.startswith(("utf-16", "utf-32")):
            steps = range(0, len(self._text), _STEP)
            self._known = [0, *accumulate(self._size(at, at + _STEP) for at in steps)]

    def span(self, start: int, end: int) -> Span:
        """Where the characters from `start` to before `end` stand."""
        first, first_byte = self._place(start)
        last, last_byte = self._place(max(start, end))
        return first_byte, last_byte, first, last

    def _place(self, char: int) -> tuple[int, int]:
        """The line of a character, counted from 1, and its byte."""
        line = min(bisect_right(self._begins, char), len(self._begins) - 1)
        if self._starts is None:
            return line, self._measured(char)
        begin = self._begins[line - 1]
        return line, self._starts[line - 1] + self._measured(char) - self._measured(begin)

    def _measured(self, char: int) -> int:
        """The bytes of the text before a character, without a mark, and with line ends of one character."""
        if self._known is None:
            return char
        step = char // _STEP
        return self._known[step] + self._size(step * _STEP, char)

    def _size(self, start: int, end: int) -> int:
        return len(self._text[start:end].encode(self._encoding))

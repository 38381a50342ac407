"""Where the words of a parsed page stand in its source: parsers do not say."""

import re
from html import escape
from typing import TypeAlias

Span: TypeAlias = tuple[int, int] | None
"""The first character in the source and the one after the last; None where that is not known."""

_NEAR = 65_536  # characters within which the next text stands, unless a script or a menu is in between
_MOST_FAR = 50  # times that the rest of the page is searched
_MOST_TRIES = 8
_ENDS = 40  # characters of the beginning and of the end of a text that are looked for
_ESCAPED = frozenset("&<>\"'")


class Aligner:
    """Finds texts in the order in which they stand in the source; a text is what lies between two tags.

    A parser may move a text (out of a table that it does not belong into) or join two. Such a text is not found, and
    after some of them no other is looked for: a page that is so far from its source is not worth the time.
    """

    def __init__(self, source: str) -> None:
        self._source = source
        self._at = 0
        self._far = 0

    def find(self, text: str) -> Span:
        """Where `text` stands, without the white space around it."""
        if self._far >= _MOST_FAR:
            return None
        found = self._within(text, self._at + len(text) + _NEAR)
        if found is None:
            self._far += 1
            found = self._within(text, len(self._source))
        if found is None:
            return None
        self._at = found[1]
        lead, tail = len(text) - len(text.lstrip()), len(text) - len(text.rstrip())
        return found[0] + lead, found[1] - tail

    def _within(self, text: str, end: int) -> Span:
        """Where `text` stands before the character `end`, as it is or with entities."""
        found = None if _ESCAPED.isdisjoint(text) else self._as_it_is(escape(text, quote=False), end)
        found = found or self._as_it_is(text, end)
        if found is None and _is_special(text):
            found = self._as_written(text, end)
        return found

    def _as_it_is(self, text: str, end: int) -> Span:
        start = self._at
        for _ in range(_MOST_TRIES):
            start = self._source.find(text, start, end)
            if start < 0:
                return None
            after = start + len(text)
            before = self._source[max(0, start - 2) : start].removesuffix("\n")  # which <pre> may begin with
            if before[-1:] in (">", "") and self._source[after : after + 1] in ("<", ""):
                return start, after
            start += 1
        return None

    def _as_written(self, text: str, end: int) -> Span:
        """With each character that may be written as an entity written as one or as itself."""
        end += 7 * len(text)
        is_short = len(text) <= _ENDS
        start = f"(?<=>)\\n?({_pattern(text[:_ENDS])})" + ("(?=<|$)" if is_short else "")
        head = re.compile(start).search(self._source, self._at, end)
        if head is None or is_short:
            return head.span(1) if head else None
        tail = re.compile(_pattern(text[-_ENDS:]) + "(?=<|$)").search(self._source, head.start(), end)
        return (head.start(1), tail.end()) if tail else None


def _is_special(text: str) -> bool:
    return not text.isascii() or not _ESCAPED.isdisjoint(text)


def _pattern(text: str) -> str:
    return "".join(
        f"(?:&#?[0-9A-Za-z]{{1,31}};?|{re.escape(each)})" if each in _ESCAPED or each > "\x7f" else re.escape(each)
        for each in text
    )

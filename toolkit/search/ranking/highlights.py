"""Where the words of a query stand in a text, in any of their forms."""

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

Span: TypeAlias = tuple[int, int]
Terms: TypeAlias = Callable[[str], Sequence[str]]
"""A language's analyser: the terms of a text."""

MOST = 200
"""Marked places of one chunk: a chunk of 1,200 characters has no more words than that."""

_TOKEN = re.compile(r"[\w.'+#-]*\w[\w.'+#-]*")
_WORD = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+|[^\W_]")
_TRIMMED = ".'-"


class Marker:
    """Finds wanted terms in texts; made once for the hits of a search, whose words are mostly the same.

    Args:
        wanted: the terms that the query looks for.
        terms: of the same analyser that made them.
    """

    def __init__(self, wanted: frozenset[str], terms: Terms) -> None:
        self._wanted = wanted
        self._terms = terms
        self._known: dict[str, tuple[list[Span], frozenset[str]]] = {}
        # Analysing each word takes fifty times as long as seeing that it cannot be one of a few.
        beginnings = sorted({_beginning(term) for term in wanted})
        self._may_be = re.compile("|".join(beginnings) or "(?!)", re.IGNORECASE)

    def mark(self, text: str) -> tuple[tuple[Span, ...], frozenset[str]]:
        """The places in `text` that have a wanted term, in order, and the terms that were met.

        Of an identifier only the parts that fit are marked, unless it fits as a whole.
        """
        spans: list[Span] = []
        met: set[str] = set()
        for token in _TOKEN.finditer(text):
            places, here = self._places(token.group())
            if places:
                met |= here
                spans += [(token.start() + start, token.start() + end) for start, end in places]
                if len(spans) >= MOST:
                    break
        return tuple(_joined(spans))[:MOST], frozenset(met)

    def _places(self, token: str) -> tuple[list[Span], frozenset[str]]:
        found = self._known.get(token)
        if found is None:
            here: frozenset[str] = frozenset()
            if not token.isascii() or self._may_be.search(token):
                here = self._wanted.intersection(self._terms(token))
            found = self._known[token] = (list(_within(token, here, self._terms)) if here else [], here)
        return found


def highlights(text: str, wanted: frozenset[str], terms: Terms) -> tuple[tuple[Span, ...], frozenset[str]]:
    """What a `Marker` finds in a single text."""
    return Marker(wanted, terms).mark(text)


def _beginning(term: str) -> str:
    """A pattern that the words of a stem have somewhere: its first letter, and the second unless that may change."""
    first, second = re.escape(term[:1]), term[1:2]
    return first + ("[iy]" if second in ("i", "y") else re.escape(second))  # dying, die


def _within(token: str, wanted: frozenset[str], terms: Terms) -> Iterator[Span]:
    """The places in a token that has wanted terms."""
    bare = token.strip(_TRIMMED)
    start = token.index(bare) if bare else 0
    words = list(_WORD.finditer(token))
    if len(words) == 1 and len(parts := list(_PART.finditer(token))) == 1 and parts[0].group().isascii():
        yield start, start + len(bare)
        return
    found = [span for span in _pieces(token, words) if wanted.intersection(terms(token[slice(*span)]))]
    missed = wanted.difference(*(terms(token[slice(*span)]) for span in found))
    yield from found if found and not missed else [(start, start + len(bare))]


def _pieces(token: str, words: Sequence[re.Match[str]]) -> Iterator[Span]:
    """What can be looked at alone: parts of identifiers, and of scripts without cases each two characters."""
    for word in words:
        for part in _PART.finditer(token, word.start(), word.end()):
            start, end = part.span()
            if part.group().lower() != part.group().upper() or end - start <= 2:  # noqa: PLR2004 - two characters
                yield start, end
            else:
                yield from ((at, at + 2) for at in range(start, end - 1))


def _joined(spans: Sequence[Span]) -> Iterator[Span]:
    """The spans in order, those that overlap or touch as one."""
    last: Span | None = None
    for start, end in sorted(spans):
        if last and start <= last[1]:
            last = (last[0], max(last[1], end))
            continue
        if last:
            yield last
        last = (start, end)
    if last:
        yield last

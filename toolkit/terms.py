"""The words that a question or a passage is about."""

import re
from collections import Counter
from collections.abc import Iterator
from itertools import islice

_TELLING_NOTHING = """
    a about am an and any are as at be been being but by can could did do does doing done for from had has have having
    he her here him his how i if in into is it its just me might must my no nor not of on onto or our ought over own
    please shall she should so some such than that the their them then there these they this those through to too us
    very was we were what when where which while who whom whose why will with would you your
"""
STOP_WORDS = frozenset(_TELLING_NOTHING.split())
"""English words that stand in every text and therefore tell no two of them apart."""

MOST_TERMS = 64
"""Distinct terms of one question: a question has ten, and each one costs a pass over its postings."""

MOST_REPEATS = 3
"""How often a repeated term may count: said twice is emphasis, said a hundred times is a pasted page."""

_MOST_WORDS = 2_000
_WORD = re.compile(r"\w+")
_HUMP = re.compile(r"_+|(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def terms(question: str) -> list[str]:
    """What to look for: the telling words of `question`, a repeated one up to `MOST_REPEATS` times.

    An identifier counts as if it were repeated, its parts once: who writes `AllModelsFailed` means that, and may also
    be helped by what is said of models that failed. At most `MOST_TERMS` distinct terms, the first ones.
    """
    counts: Counter[str] = Counter()
    kept = []
    for word in telling_words(question):
        key = word.casefold()
        if key not in counts and len(counts) == MOST_TERMS:
            continue
        emphasis = MOST_REPEATS if len(_parts(word)) > 1 else 1
        times = min(emphasis, MOST_REPEATS - counts[key])
        counts[key] += times
        kept += [word] * times
    return kept


def telling_words(text: str) -> list[str]:
    """The words of `text` that can tell passages apart, as they were written, in order.

    An identifier gives itself and its parts: `AllModelsFailed` also `All`, `Models` and `Failed`. Stop words are left
    out, unless there is nothing else. Of a very long text only the beginning is read.
    """
    everything = list(_words(text))
    return [word for word in everything if word.casefold() not in STOP_WORDS] or everything


def _words(text: str) -> Iterator[str]:
    for match in islice(_WORD.finditer(text), _MOST_WORDS):
        word = match.group().strip("_")
        if word:
            yield word
            parts = _parts(word)
            if len(parts) > 1:
                yield from (part for part in parts if len(part) > 1)


def _parts(word: str) -> list[str]:
    return _HUMP.split(word)

"""Texts and JSON that a database, a driver or a query language may trip over, for Hypothesis to choose from."""

import re
from typing import Any

from hypothesis import strategies as st

ODD = (
    "\\u0000",
    "'",
    '"',
    "\\",
    ":name",
    "::",
    "$1",
    "?",
    "%s",
    "é",
    "e\u0301",
    "🙂",
    "日本",
    "a",
    " ",
    "\n",
)
REFUSED = ("\0", "\ud83d")  # no database keeps these; now and then, or nothing else would be tried
texts = st.lists(st.sampled_from(ODD * 3 + REFUSED), max_size=5).map("".join)
# A number is kept as text by one database and as a decimal by the other: beyond 2**53 a float may come back an int.
numbers = st.integers(-(2**70), 2**70) | st.floats(-1e15, 1e15, allow_nan=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts, values, max_size=3)


def fits(value: Any) -> bool:
    """Whether a database can keep it: every text in it is whole characters without NUL."""
    match value:
        case str():
            return not re.search("[\0\ud800-\udfff]", value)
        case dict():
            return all(fits(key) and fits(inner) for key, inner in value.items())
        case list():
            return all(map(fits, value))
    return True


def mended(text: str) -> str:
    """What becomes of a message's text."""
    return re.sub("[\0\ud800-\udfff]", "\ufffd", text)

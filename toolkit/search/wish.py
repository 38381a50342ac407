"""What a search is asked for, checked once, in words."""

import math
import re
import unicodedata
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, get_args

from toolkit.errors import ConfigError
from toolkit.search.ranking.cursor import Cursor, search_digest
from toolkit.search.ranking.mode import Mode
from toolkit.search.ranking.rerankers import Rerank
from toolkit.search.store import MOST_NEIGHBORS, checked_name

Where: TypeAlias = str | Sequence[str] | Mapping[str, float]
"""Collections: one name, several, or several with how much each counts."""

Rewriter: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
"""A query to other ways to say it, by a model."""

MOST_HITS: Final = 1_000
"""The largest `top_k`, and the hits of all pages together: who wants more wants SQL."""

_MODES: Final = get_args(Mode)
_HEAVIEST = 1_000.0


@dataclass(frozen=True, slots=True)
class Wish:
    """A search as it is asked for; the arguments of `Retriever.search`, checked.

    Attributes:
        names: where to look; None is everywhere.
        weights: how much a collection counts, by name; what is not named counts 1.
        cursor: what the pages before have shown; its `best` is 0 on the first page.
    """

    query: str
    names: tuple[str, ...] | None
    weights: Mapping[str, float]
    top_k: int
    where: Mapping[str, Any]
    cursor: Cursor
    diversity: float
    neighbors: int
    highlight: bool
    rerank: str | Rerank | None
    mode: Mode
    rewrite: bool
    owner: str | None

    @property
    def first(self) -> bool:
        """Whether it is the first page."""
        return not self.cursor.shown


def wish(
    query: str,
    *,
    collection: Where | None = None,
    top_k: int = 5,
    where: Mapping[str, Any] | None = None,
    cursor: str | None = None,
    diversity: float = 0.0,
    neighbors: int = 0,
    highlight: bool = True,
    rerank: str | Rerank | None = None,
    mode: Mode = "hybrid",
    rewrite: bool = False,
    owner: str | None = None,
) -> Wish:
    """What is asked for.

    Raises:
        ConfigError: an argument cannot be used; the message says which, and what can be.
    """
    _check_bounds(top_k, diversity, neighbors)
    if mode not in _MODES:
        raise ConfigError(f"mode is {mode!r}; it must be one of {', '.join(map(repr, _MODES))}.")
    if not _says_something(query):
        raise ConfigError("The query has no words; say in a few of them what to look for.")
    if where is not None and not isinstance(where, Mapping):
        raise ConfigError(f'where is {where!r:.50}; name fields and what they must be, e.g. {{"kind": "code"}}.')
    names, weights = _places(collection)
    asked = {
        "query": query,
        "names": names,
        "weights": sorted(weights.items()),
        "where": dict(where or {}),
        "diversity": diversity,
        "mode": mode,
        "rewrite": rewrite,
        "owner": owner,
        "rerank": rerank if isinstance(rerank, str | None) else "a function",
    }
    digest = search_digest(asked)
    return Wish(
        query=query,
        names=names,
        weights=weights,
        top_k=top_k,
        where=where or {},
        cursor=Cursor(digest, 0.0) if cursor is None else Cursor.read(cursor, digest),
        diversity=diversity,
        neighbors=neighbors,
        highlight=highlight,
        rerank=rerank,
        mode=mode,
        rewrite=rewrite,
        owner=owner,
    )


def _check_bounds(top_k: int, diversity: float, neighbors: int) -> None:
    if not 1 <= top_k <= MOST_HITS:
        raise ConfigError(f"top_k is {top_k}; it must be 1 to {MOST_HITS}.")
    if not 0 <= diversity <= 1:
        raise ConfigError(f"diversity is {diversity}; it must be 0 (the best) to 1 (the most different).")
    if not 0 <= neighbors <= MOST_NEIGHBORS:
        raise ConfigError(f"neighbors is {neighbors}; it must be 0 to {MOST_NEIGHBORS}.")


def _places(collection: Where | None) -> tuple[tuple[str, ...] | None, dict[str, float]]:
    if collection is None:
        return None, {}
    if isinstance(collection, str):
        return (checked_name(collection),), {}
    names = tuple(dict.fromkeys(checked_name(name) for name in collection))
    if not isinstance(collection, Mapping):
        return names, {}
    for name, weight in collection.items():
        if isinstance(weight, bool) or not (isinstance(weight, int | float) and math.isfinite(weight)):
            raise ConfigError(f"The weight of the collection {name!r} is {weight!r}; give a number.")
        if not 0 < weight <= _HEAVIEST:
            raise ConfigError(f"The weight of {name!r} is {weight:g}; it must be more than 0, at most {_HEAVIEST:g}.")
    heaviest = max(collection.values(), default=1.0)
    return names, {name: weight / heaviest for name, weight in collection.items()}


def _says_something(query: str) -> bool:
    """Whether there is a letter, a figure or a symbol in it: `C++` and an emoji can be looked for, `???` cannot."""
    if re.search(r"[^\W_]", query):
        return True
    return any(unicodedata.category(character) in ("So", "Sm", "Sc") for character in query)

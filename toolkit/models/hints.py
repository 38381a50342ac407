"""Which model suits a wish, and the figure that speaks for it."""

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from statistics import median
from typing import Any, Final, NamedTuple, TypeAlias

from toolkit import providers
from toolkit.display.card import Card
from toolkit.display.shown import Listing, Shown
from toolkit.errors import ConfigError
from toolkit.models.facts import facts_of
from toolkit.models.lookup import Lookup
from toolkit.models.model import Model
from toolkit.models.requirements import blended_cost
from toolkit.usage.records import UsageRow
from toolkit.usage.reports import Reports

DAYS: Final = 30
"""How far back the ledger is asked."""

_FEW: Final = 5  # answers below which a median says nothing
_SURE: Final = 1.96  # standard deviations: 95 of 100


@dataclass(frozen=True, slots=True, repr=False)
class Hint(Shown):
    """A model that suits a wish.

    Attributes:
        model: its name.
        provider: its vendor.
        wish: what it suits.
        figure: what speaks for it, in `unit`.
        unit: `USD per million tokens`, `tokens`, `ms`, `of 1` or `calls`.
        sentence: the same for a person.
    """

    model: str
    provider: str
    wish: str
    figure: float
    unit: str
    sentence: str

    def _shown(self) -> Card:
        return Card(self.model, {"provider": self.provider, "suits": self.wish, "because": self.sentence}, kind="Model")


class _Found(NamedTuple):
    """A hint, and its place: smaller comes first."""

    place: float
    hint: Hint


_Used: TypeAlias = Mapping[str, UsageRow]
_Finder: TypeAlias = Callable[[Sequence[Model], Reports], Awaitable[list[_Found]]]


async def hints(
    catalog: Lookup, ledger: Reports, wish: str, *, n: int = 3, requirements: Mapping[str, Any] | None = None
) -> Listing[Hint]:
    """The enabled models that suit a wish best, best first; those of whom the figure is unknown are left out.

    A last resort such as `offline` comes after all others.

    Args:
        catalog: knows the models.
        ledger: knows how they did.
        wish: `cheapest`, `largest_context`, `fastest`, `most_reliable` or `most_used`.
        n: how many at most, at least 1.
        requirements: what a model must have besides, as for `models.select`.

    Raises:
        ConfigError: there is no such wish, or a requirement cannot be used as written.
    """
    finder = _FINDERS.get(wish)
    if finder is None:
        near = get_close_matches(wish, _FINDERS, n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ConfigError(f"There is no hint for {wish!r}{meant}; choose one of {', '.join(_FINDERS)}.")
    if n < 1:
        raise ConfigError(f"`n` must be at least 1 (got {n}).")
    models = await catalog.fitting(await catalog.list(enabled=True), requirements or {})
    found = await finder(models, ledger)
    found.sort(key=lambda each: (providers.last_resort(each.hint.provider), each.place))
    return Listing(each.hint for each in found[:n])


async def _cheapest(models: Sequence[Model], ledger: Reports) -> list[_Found]:
    # In a thread, because the price list may have to be loaded first.
    costs = await asyncio.to_thread(lambda: [blended_cost(facts_of(model)) for model in models])
    used = await _used(ledger)
    found = []
    for model, cost in zip(models, costs, strict=True):
        if cost is not None:
            row = used.get(model.name)
            spent = "" if row is None else _typical(row)
            words = f"{model.name} costs {_usd(cost)} per million tokens, three read for one written{spent}."
            found.append(_Found(cost, Hint(model.name, model.provider, "cheapest", cost, _PRICE, words)))
    return found


async def _largest_context(models: Sequence[Model], _ledger: Reports) -> list[_Found]:
    windows = await asyncio.to_thread(lambda: [facts_of(model).context_window for model in models])
    return [
        _Found(
            -window,
            Hint(
                model.name,
                model.provider,
                "largest_context",
                float(window),
                "tokens",
                f"{model.name} can read {window:,} tokens at once.",
            ),
        )
        for model, window in zip(models, windows, strict=True)
        if window
    ]


async def _fastest(models: Sequence[Model], ledger: Reports) -> list[_Found]:
    measured = await asyncio.gather(*(ledger.latencies(model.name) for model in models))
    found = []
    for model, taken in zip(models, measured, strict=True):
        if len(taken) >= _FEW:
            middle = median(taken)
            words = f"{model.name} took {middle:,.0f} ms, the median of its last {len(taken)} answers."
            found.append(_Found(middle, Hint(model.name, model.provider, "fastest", middle, "ms", words)))
    return found


async def _most_reliable(models: Sequence[Model], ledger: Reports) -> list[_Found]:
    used = await _used(ledger)
    found = []
    for model in models:
        row = used.get(model.name)
        asked = row.answers + row.failures if row else 0
        if row and asked:
            rate = row.answers / asked
            words = f"{model.name} answered {row.answers:,} of {asked:,} times in the last {DAYS} days."
            hint = Hint(model.name, model.provider, "most_reliable", rate, "of 1", words)
            found.append(_Found(-_at_least(row.answers, asked), hint))
    return found


async def _most_used(models: Sequence[Model], ledger: Reports) -> list[_Found]:
    used = await _used(ledger)
    return [
        _Found(
            -row.calls,
            Hint(
                model.name,
                model.provider,
                "most_used",
                float(row.calls),
                "calls",
                f"{model.name} was asked {row.calls:,} times in the last {DAYS} days.",
            ),
        )
        for model in models
        if (row := used.get(model.name)) and row.calls
    ]


_PRICE: Final = "USD per million tokens"
_FINDERS: Final[Mapping[str, _Finder]] = {
    "cheapest": _cheapest,
    "largest_context": _largest_context,
    "fastest": _fastest,
    "most_reliable": _most_reliable,
    "most_used": _most_used,
}
WISHES: Final[tuple[str, ...]] = tuple(_FINDERS)
"""What there are hints for."""


async def _used(ledger: Reports) -> _Used:
    return {row.key: row for row in await ledger.by("model", days=DAYS)}


def _typical(row: UsageRow) -> str:
    """What a call cost on average, where that is known of all."""
    if row.cost_usd is None or row.unpriced_calls or not row.answers:
        return ""
    return f"; an answer cost {_usd(row.cost_usd / row.answers)} on average in the last {DAYS} days"


def _usd(amount: float) -> str:
    return f"${amount:.2f}" if amount >= 1 or amount == 0 else f"${amount:.2g}"


def _at_least(hits: int, of: int) -> float:
    """The share that is to be expected at least: one answer of one says less than 999 of 1,000.

    Source: the lower bound of Wilson's score interval.
    """
    share, square = hits / of, _SURE**2
    spread = _SURE * math.sqrt(share * (1 - share) / of + square / (4 * of * of))
    return (share + square / (2 * of) - spread) / (1 + square / of)

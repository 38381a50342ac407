"""What was used, as a person reads it: sums with their shares."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from toolkit.display.card import Card, Cell, Figure, Share, State, Table, line
from toolkit.display.said import spent
from toolkit.display.shown import Listing
from toolkit.display.words import dollars

if TYPE_CHECKING:
    from toolkit.usage.records import Call, UsageRow, UsageStats

_COLUMNS = ("", "calls", "failures", "from the cache", "tokens in", "tokens out", "cost", "share")


class UsageRows(Listing["UsageRow"]):
    """Sums of one kind, e.g. per model; a notebook shows them with their shares of the whole, and the total."""

    __slots__ = ()

    def _shown(self) -> Card:
        return Card(body=(table(self),) if self else ("*Nothing was used.*",))


def table(rows: "Sequence[UsageRow]") -> Table:
    """Each with its share of the cost, or of the calls where nothing cost anything."""
    known = [row.cost_usd for row in rows if row.cost_usd is not None]
    paid, calls = sum(known), sum(row.calls for row in rows)
    cells = [[row.key or "not said", *_figures(row), _share(row, paid, calls)] for row in rows]
    total: list[Cell] = [
        "all",
        calls,
        sum(row.failures for row in rows),
        sum(row.cached for row in rows),
        sum(row.input_tokens for row in rows),
        sum(row.output_tokens for row in rows),
        Figure(_cost(paid if known or not rows else None, sum(row.unpriced_calls for row in rows))),
        None,
    ]
    return Table(_COLUMNS, cells, total=total if len(rows) > 1 else ())


def row(self: "UsageRow") -> Card:
    """What it used."""
    return Card(self.key or "not said", dict(zip(_COLUMNS[1:], _figures(self), strict=False)), kind="Usage")


def stats(self: "UsageStats") -> Card:
    """What was used altogether, and by which models."""
    facts: dict[str, Cell] = {
        "calls": self.calls,
        "failures": self.failures or None,
        "from the cache": self.cached or None,
        "tokens in": self.input_tokens,
        "tokens out": self.output_tokens,
        "cost": Figure(_cost(self.cost_usd, self.answers - self.priced_calls)),
    }
    return Card("Usage", facts, (replace(table(self.by_model), total=()),) if self.by_model else ())


def call(self: "Call") -> Card:
    """Who was asked for whom, and what came of it; not when, and not how long it took."""
    attempt = self.attempt
    cost = None if attempt.cost_nano_usd is None else attempt.cost_nano_usd / 1e9
    facts: dict[str, Cell] = {
        "outcome": State(self.status if attempt.ok else attempt.error or self.status, good=attempt.ok),
        "kind": self.kind,
        "user": self.user,
        "origin": self.origin,
        **(spent(attempt.usage, cost) if attempt.usage else {}),
        "why": line(attempt.message, 200) if attempt.message else None,
    }
    return Card(attempt.name, facts, kind="Model")


def _figures(self: "UsageRow") -> list[Cell]:
    cost = Figure(_cost(self.cost_usd, self.unpriced_calls))
    return [self.calls, self.failures, self.cached, self.input_tokens, self.output_tokens, cost]


def _cost(usd: float | None, unpriced: int) -> str:
    told = dollars(usd).removeprefix("cost ")
    return told if usd is None or unpriced <= 0 else f"{told} and {unpriced:,} unpriced"


def _share(self: "UsageRow", paid: float, calls: int) -> Cell:
    if paid:
        return None if self.cost_usd is None else Share(self.cost_usd / paid)
    return Share(self.calls / calls) if calls else None

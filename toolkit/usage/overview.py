"""The usage of the last days as one object, which a notebook shows: sums beside those before, and each day."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from toolkit.display.card import Card, Cell, Code, Figure, Share, Table
from toolkit.display.figures import day as day_in_words
from toolkit.display.figures import figure
from toolkit.display.frame import table
from toolkit.display.plots import Plot, stacked_bars
from toolkit.display.shown import Shown
from toolkit.usage.records import UsageRow

if TYPE_CHECKING:
    import pandas as pd

NAMES: Final[Mapping[str, str]] = {
    "model": "Model",
    "provider": "Provider",
    "user": "User",
    "origin": "Application",
    "session": "Session",
}
"""What a row of a report is, in words."""

_MOST_ROWS: Final = 20


@dataclass(frozen=True, slots=True, repr=False)
class UsageDay(Shown):
    """What was used on one day.

    Attributes:
        day: YYYY-MM-DD, in UTC.
        total: of all together; None if nothing was.
        parts: of each of the report's `shown`; who used nothing that day is missing.
        others: of all the rest together; None if there is none.
    """

    day: str
    total: UsageRow | None
    parts: Mapping[str, UsageRow]
    others: UsageRow | None


@dataclass(frozen=True, slots=True, repr=False)
class UsageReport(Shown):
    """The usage of the last days, today included, in UTC.

    Attributes:
        by: what there is a row for: model, provider, user, origin or session.
        days: each day, from the oldest on, also those without calls.
        rows: the sum of each model, user and so on, dearest first.
        shown: the keys of the first of them, which each day tells apart.
        total: of all together.
        before: of as many days before these.
        p95_milliseconds: within which 95 of 100 answers of a chat came, of the newest 2,000; None without any.
        p95_before: the same of the days before.
        fallbacks: questions that one model failed to answer, and another one answered then. A model that rests after
            failures is not asked, and so not counted.
    """

    by: str
    days: tuple[UsageDay, ...]
    rows: tuple[UsageRow, ...]
    shown: tuple[str, ...]
    total: UsageRow
    before: UsageRow
    p95_milliseconds: float | None
    p95_before: float | None
    fallbacks: int

    @property
    def answered(self) -> float | None:
        """The part of the calls that did not fail, from 0 to 1; None without calls."""
        return 1 - self.total.failures / self.total.calls if self.total.calls else None

    @property
    def priced(self) -> bool:
        """Whether anything cost something, or its price is unknown; else calls say more than costs."""
        return any(row.cost_usd or row.unpriced_calls for row in self.rows)

    def plot(self, *, heading: bool = True) -> Plot:
        """The cost of each day, or the calls where nothing cost anything, with a part for each of `shown`.

        Args:
            heading: whether the title stands above it.
        """
        title = f"{'Cost' if self.priced else 'Calls'} per day by {NAMES[self.by].lower()}"
        parts = {name_of(key): [self._drawn(day.parts.get(key)) for day in self.days] for key in self.shown}
        if any(day.others for day in self.days):
            parts[f"others ({len(self.rows) - len(self.shown)})"] = [self._drawn(day.others) for day in self.days]
        return stacked_bars(
            title,
            [day_in_words(day.day) for day in self.days],
            parts,
            unit="dollars" if self.priced else "number",
            whole=not self.priced,
            heading=heading,
            empty="No model was asked in these days.",
        )

    def to_frame(self) -> "pd.DataFrame":
        """A row for each model, user and so on, with all its sums.

        Raises:
            ConfigError: pandas is not installed.
        """
        return table({self.by: row.key, **asdict(row)} for row in self.rows).drop(columns="key", errors="ignore")

    def _drawn(self, row: UsageRow | None) -> float | None:
        if row is None:
            return 0.0
        return row.cost_usd if self.priced else float(row.calls)

    def _shown(self) -> Card:
        count = f"{len(self.days)} day{'' if len(self.days) == 1 else 's'}"
        facts: dict[str, Cell] = {
            "cost": Figure(figure(self.total.cost_usd, "dollars")),
            "calls": Figure(figure(self.total.calls)),
            "failed": self.total.failures,
            "fallbacks": self.fallbacks,
            "from the cache": self.total.cached,
        }
        rows = [
            (
                Code(name_of(row.key)),
                Figure(figure(row.calls)),
                Figure(figure(row.input_tokens + row.output_tokens, "tokens")),
                Figure(figure(row.cost_usd, "dollars")),
                Share(share) if (share := self.share(row)) is not None else None,
            )
            for row in self.rows[:_MOST_ROWS]
        ]
        columns = (NAMES[self.by], "calls", "tokens", "cost", "share")
        return Card(f"Usage of {count}", facts, (Table(columns, rows, max(0, len(self.rows) - _MOST_ROWS)),))

    def share(self, row: UsageRow) -> float | None:
        """A row's part of the cost that is known, or of the calls where nothing cost anything; None if unknown."""
        if not self.priced:
            return row.calls / self.total.calls if self.total.calls else None
        if row.cost_usd is None or not self.total.cost_usd:
            return None if row.cost_usd is None else 0.0
        return row.cost_usd / self.total.cost_usd


def name_of(key: str) -> str:
    """A key as a person reads it."""
    return key or "not said"

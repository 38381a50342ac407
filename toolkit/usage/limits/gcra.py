"""The arithmetic of limits: what a request wants of a counter, whether it fits, and when it would.

The generic cell rate algorithm keeps one number for each rate, the theoretical arrival time: the moment at which all
of the minute's share is free again. A request moves it on by its part of a minute, and fits if it is not moved beyond
a minute from now. So the burst is one minute's worth, and what was used comes back evenly, not at the full minute.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

MINUTE = 60_000_000
"""Microseconds."""


def micros(at: datetime) -> int:
    """A moment in whole microseconds since 1970."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


class Slot(NamedTuple):
    """A counter: a rate, or a budget of one day. Sorted, they are the order in which locks are taken.

    Attributes:
        day: in UTC, `YYYY-MM-DD`; empty for a rate.
        key: `rpm:user:ada`, or `user:ada` of a budget.
    """

    day: str
    key: str


@dataclass(frozen=True, slots=True)
class Demand:
    """What is wanted of one counter.

    Attributes:
        slot: which one.
        cost: how far it is moved: microseconds of a rate, nano-dollars of a budget.
        need: how much room there must be; it is less than `cost` for a request that is larger than a whole minute.
        room: how much there is when nothing is used: a minute, or the day's budget.
        unpriced: requests in it whose price nobody knows.
        per_minute: how many of its unit make up a minute; 0 for a budget.
    """

    slot: Slot
    cost: int
    need: int
    room: int
    unpriced: int = 0
    per_minute: int = 0

    @property
    def is_rate(self) -> bool:
        """Whether it comes back by itself."""
        return not self.slot.day

    def base(self, level: int, now: int) -> int:
        """Where the counter stands, microseconds ahead of `now` or nano-dollars spent; negative is no credit."""
        return max(level - now, 0) if self.is_rate else level

    def lacks(self, level: int, now: int) -> int:
        """How much less would have to be used for it to fit: microseconds to wait, or nano-dollars; 0: it fits."""
        return max(0, self.base(level, now) + self.need - self.room)

    def after(self, level: int, now: int) -> int:
        """Where the counter stands when it is taken."""
        return (max(level, now) if self.is_rate else level) + self.cost


def share(amount: int, per_minute: int) -> int:
    """What part of a minute `amount` is, in microseconds."""
    return amount * MINUTE // per_minute


def rate(key: str, amount: int, per_minute: int) -> Demand:
    """The demand for `amount` of what may be used `per_minute`.

    More than a whole minute's worth needs all of it to be free, and keeps others waiting until it is paid off.
    """
    cost = share(amount, per_minute)
    return Demand(Slot("", key), cost, min(cost, MINUTE), MINUTE, per_minute=per_minute)


def together(wanted: Iterable[Iterable[Demand]]) -> list[Demand]:
    """One demand for each counter that is the same as all of `wanted` one after another, in the order of the slots."""
    sums: dict[Slot, Demand] = {}
    for demands in wanted:
        for new in demands:
            old = sums.get(new.slot)
            if old:
                need = max(old.need, old.cost + new.need)
                new = Demand(new.slot, old.cost + new.cost, need, new.room, old.unpriced + new.unpriced)  # noqa: PLW2901 - the sum stands for both
            sums[new.slot] = new
    return [sums[slot] for slot in sorted(sums)]


def fits(demands: Iterable[Demand], levels: Mapping[Slot, int], now: int) -> bool:
    """Whether there is room for all of them."""
    return not any(demand.lacks(levels.get(demand.slot, 0), now) for demand in demands)

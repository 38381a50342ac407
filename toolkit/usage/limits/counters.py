"""What keeps the counters: the seam between limits and the database or Redis."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from toolkit.db import Statement
from toolkit.usage.limits.gcra import Demand, Slot


class Change(NamedTuple):
    """A correction: how far a counter is moved, forward or back, and how many requests of unknown price are added."""

    amount: int
    unpriced: int = 0


class Counters(Protocol):
    """Counters that all processes share. One that was never touched stands at 0.

    `now` is the time of the process in microseconds since 1970.

    Attributes:
        in_order: what this process hands over later is done later.
    """

    in_order: bool

    async def take(self, demands: Sequence[Demand], now: int) -> Mapping[Slot, int] | None:
        """Take all of `demands` or, where one does not fit, nothing; gives where the counters stand, or None.

        Args:
            demands: one for each counter, in the order of the slots, each of which fits a counter at 0.
            now: what the rates are compared with.
        """
        ...

    async def read(self, slots: Sequence[Slot]) -> Mapping[Slot, tuple[int, int]]:
        """Where counters stand, and how many requests of unknown price each has."""
        ...

    async def change(self, changes: Mapping[Slot, Change], now: int) -> None:
        """Correct counters, whether there is room or not."""
        ...

    async def settle(self, admission_id: str, changes: Mapping[Slot, Change]) -> tuple[Statement, ...]:
        """Correct budgets: done, or statements that do it when they are written."""
        ...

    async def sweep(self, now: int, first_day: str, limit: int) -> int:
        """Delete at most `limit` counters: rates that are free again, and days before `first_day`."""
        ...

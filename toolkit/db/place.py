"""A listener's place in the change feed: which numbers it has had, and which it still waits for."""

import re
import time
from bisect import bisect_right
from dataclasses import dataclass
from operator import lt

from toolkit.errors import ConfigError

MOST_NAMED = 250
"""Gaps that a place as text names; with more it goes back to the first of them, and repeats what is beyond."""

_TEXT = re.compile(rf"[0-9]{{1,18}}(~[0-9]{{1,18}}-[0-9]{{1,18}}){{0,{MOST_NAMED}}}")


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers that were missing when larger ones were there.

    Attributes:
        first: the smallest.
        last: the largest.
        seen: the moment of the monotonic clock since when they are missed.
    """

    first: int
    last: int
    seen: float


class Place:
    """All numbers up to `high` were had, but those of `gaps`.

    Attributes:
        high: the largest number that was had; 0 before the first.
        gaps: those below it that are missing, from the smallest on.
    """

    def __init__(self, high: int, gaps: tuple[Gap, ...] = ()) -> None:
        self.high = high
        self.gaps = list(gaps)
        self._named: str | None = None  # the gaps as text, until they change

    @classmethod
    def parse(cls, cursor: str) -> "Place":
        """The place that `cursor` was made of.

        Raises:
            ConfigError: it is none.
        """
        seen = time.monotonic()
        if _TEXT.fullmatch(cursor):
            high, *gaps = cursor.split("~")
            ends = [gap.split("-") for gap in gaps]
            place = cls(int(high), tuple(Gap(int(first), int(last), seen) for first, last in ends))
            if place._is_sound():
                return place
        raise ConfigError(
            f"{cursor[:50]!r} is no place in the feed; give an event's cursor, or what tk.events.last() gave."
        )

    @property
    def cursor(self) -> str:
        """The place as text; going on from it may repeat what was had, and skips nothing."""
        if len(self.gaps) > MOST_NAMED:
            return str(self.gaps[0].first - 1)
        if self._named is None:
            self._named = "".join(f"~{gap.first}-{gap.last}" for gap in self.gaps)
        return f"{self.high}{self._named}"

    def _is_sound(self) -> bool:
        """Whether the gaps are in order, apart from each other, and below `high`."""
        had = [0, *(gap.last + 1 for gap in self.gaps)]  # what was had before each gap, and after the last
        firsts = [*(gap.first for gap in self.gaps), self.high + 1]
        return all(gap.first <= gap.last for gap in self.gaps) and all(map(lt, had, firsts))

    def take(self, seq: int) -> None:
        """`seq` was had."""
        if seq > self.high:
            if seq > self.high + 1:
                self.gaps.append(Gap(self.high + 1, seq - 1, time.monotonic()))
                self._named = None
            self.high = seq
            return
        at = bisect_right(self.gaps, seq, key=lambda gap: gap.first) - 1
        gap = self.gaps[at] if at >= 0 else None
        if gap and seq <= gap.last:
            below, above = Gap(gap.first, seq - 1, gap.seen), Gap(seq + 1, gap.last, gap.seen)
            self.gaps[at : at + 1] = [part for part in (below, above) if part.first <= part.last]
            self._named = None

    def give_up(self, missed_since: float, *, until: int | None) -> None:
        """Wait no longer for what has been missing since `missed_since` or longer.

        Args:
            missed_since: a moment of the monotonic clock.
            until: the largest number that was looked for meanwhile; None if all were.
        """
        self.gaps = [gap for gap in self.gaps if gap.seen > missed_since or (until is not None and gap.last > until)]
        self._named = None

"""How often somebody may try to log in."""

from collections import deque
from time import monotonic
from typing import Final

MOST: Final = 10
"""Attempts that may fail within `SECONDS`, from one address."""

SECONDS: Final = 60.0
_MOST_ADDRESSES = 10_000


class Attempts:
    """The failed attempts of the last minute, by address; in this process alone."""

    def __init__(self) -> None:
        self._made: dict[str, deque[float]] = {}

    def begin(self, address: str) -> float | None:
        """Note an attempt; gives the seconds to wait instead where there were too many."""
        moment = monotonic()
        if len(self._made) >= _MOST_ADDRESSES:
            self._made = {each: made for each, made in self._made.items() if made[-1] > moment - SECONDS}
        made = self._made.setdefault(address, deque(maxlen=MOST))
        if len(made) == MOST and made[0] > moment - SECONDS:
            return made[0] + SECONDS - moment
        made.append(moment)  # before it is looked at: many at once must not get through together
        return None

    def succeeded(self, address: str) -> None:
        """The last attempt was good: those before it are forgotten."""
        self._made.pop(address, None)

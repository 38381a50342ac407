"""How fast each model answers, as measured here."""

import statistics
from collections import OrderedDict, deque
from contextlib import suppress
from typing import Final, Literal, TypeAlias

from toolkit.errors import DatabaseError
from toolkit.usage.ledger import Ledger

Kind: TypeAlias = Literal["whole", "first"]
"""Until the whole answer, or until the first piece of a stream."""

_REMEMBERED: Final = 200
_MODELS: Final = 256
_FEW: Final = 10
"""Answers below which a percentile says nothing."""


class Pace:
    """The times of each model's last answers, in seconds.

    Args:
        ledger: knows the whole answers of before this process began.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._times: OrderedDict[tuple[str, Kind], deque[float]] = OrderedDict()
        self._looked_up: set[str] = set()

    def note(self, name: str, kind: Kind, seconds: float) -> None:
        """Remember one answer."""
        times = self._times.get((name, kind))
        if times is None:
            times = self._times[name, kind] = deque(maxlen=_REMEMBERED)
            if len(self._times) > _MODELS:
                self._times.popitem(last=False)
        times.append(seconds)

    async def p95(self, name: str, kind: Kind) -> float | None:
        """The time within which 95 of 100 answers came; None where too few are known to say."""
        if kind == "whole" and name not in self._looked_up and len(self._times.get((name, kind), ())) < _FEW:
            self._looked_up.add(name)
            with suppress(DatabaseError):  # what is not known is measured from now on
                kept = await self._ledger.latencies(name, limit=_REMEMBERED)
                self._times.pop((name, kind), None)  # the ledger has these, too
                for milliseconds in reversed(kept):
                    self.note(name, kind, milliseconds / 1000)
        times = self._times.get((name, kind), ())
        return statistics.quantiles(times, n=20)[-1] if len(times) >= _FEW else None

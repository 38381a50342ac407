"""The line in which the requests of one process stand: they are decided together, in the order in which they came."""

import asyncio
import logging
from collections import ChainMap, deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from toolkit.errors import DatabaseUnavailable
from toolkit.stamps import now as moment
from toolkit.usage.limits.counters import Change, Counters
from toolkit.usage.limits.gcra import Demand, Slot, fits, micros, together

_MOST = 500  # requests that are decided together
_TRIES = 5  # of a decision together, until each is decided alone
_REMEMBERED = 10_000  # counters whose last known standing is remembered
_SOON = 0.05  # seconds that a correction waits for a decision that it can be made with
_SHORTEST = 0.001  # seconds between two looks at a counter that was full
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a request was not let in: the demand that keeps it waiting longest, and for how long.

    Attributes:
        demand: what did not fit.
        amount: by how much: microseconds to wait, or nano-dollars too much.
        level: where its counter stood.
    """

    demand: Demand
    amount: int
    level: int


@dataclass(eq=False, slots=True)
class Place:
    """A request in the line.

    Attributes:
        demands: what it wants; all or nothing.
        until: the loop's time when it gives up waiting; a moment that is past: it does not wait.
        verdict: None: it was let in.
    """

    demands: tuple[Demand, ...]
    until: float
    verdict: asyncio.Future[Lack | None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class _Plan(NamedTuple):
    chosen: list[Place]
    refused: list[tuple[Place, Lack]]
    waiting: list[Lack]


class Line:
    """Takes what requests want from counters that other processes take from too.

    All that came while a decision was under way are decided next, in one write: what fits by what was last known of
    the counters is taken as one sum, or not at all. Whom it lets in was let in by the counters themselves, and whom
    it refuses is refused by what they said in the same round.

    Attributes:
        seen: where counters stood when this process last heard of them, with its own corrections: to be shown.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._places: deque[Place] = deque()
        self._changes: dict[Slot, Change] = {}
        self._known: dict[Slot, int] = {}
        self.seen: dict[Slot, int] = {}
        self._work: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._more = asyncio.Event()
        self._corrected = asyncio.Event()
        self._corrected.set()

    async def take(self, demands: Sequence[Demand], wait: float) -> Lack | None:
        """Take all of `demands`, waiting at most `wait` seconds for it; why not, if it cannot be.

        Raises:
            DatabaseError: the counters cannot be reached.
        """
        place = Place(tuple(demands), asyncio.get_running_loop().time() + wait)
        self._places.append(place)
        self._go_on()
        try:
            return await place.verdict
        except asyncio.CancelledError:
            if place.verdict.done() and not place.verdict.cancelled() and place.verdict.exception() is None:
                self._let_out(place, place.verdict.result())
            raise

    def change(self, changes: Mapping[Slot, Change]) -> None:
        """Correct counters soon: with the next decision of this process, a twentieth of a second later at most."""
        for slot, new in changes.items():
            old = self._changes.get(slot, Change(0))
            self._changes[slot] = Change(old.amount + new.amount, old.unpriced + new.unpriced)
        if changes:
            self._corrected.clear()
            if self._work is not None and not self._work.done():
                self._go_on()  # somebody may wait for what is given back
            elif self._later is None:
                self._later = asyncio.get_running_loop().call_later(_SOON, self._go_on)

    async def flush(self) -> None:
        """Make the corrections, and wait until every one is made, or has failed."""
        if self._changes:
            self._go_on()
        await self._corrected.wait()

    async def close(self) -> None:
        """Make the corrections; whoever stands in the line is sent away."""
        places, self._places = self._places, deque()
        for place in places:
            if not place.verdict.done():
                place.verdict.set_exception(
                    DatabaseUnavailable("The toolkit was closed while a request waited its turn.")
                )
        if self._changes:
            self._go_on()
        self._more.set()
        if self._work:
            await asyncio.wait({self._work})

    def _go_on(self) -> None:
        if self._later:
            self._later.cancel()
            self._later = None
        self._more.set()
        if self._work is None or self._work.done():
            self._work = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while self._places or self._changes:
            self._more.clear()
            correcting = asyncio.create_task(self._correct())
            # Handed over one after the other they share a commit, where what comes later is done later.
            await (asyncio.sleep(0) if self._counters.in_order else correcting)
            batch = [place for place in self._places if not place.verdict.done()]
            self._places.clear()
            try:
                pause = await self._decide(batch) if batch else 0.0
            except Exception as error:  # noqa: BLE001 - whatever it is, those who wait must hear of it
                for place in batch:
                    if not place.verdict.done():
                        place.verdict.set_exception(error)
            else:
                self._places.extendleft(place for place in reversed(batch) if not place.verdict.done())
                if pause:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._more.wait(), max(pause, _SHORTEST))
            await correcting

    async def _correct(self) -> None:
        if not self._changes:
            return
        changes, self._changes = self._changes, {}
        for slot, change in changes.items():
            self._known.pop(slot, None)
            if slot in self.seen:
                self.seen[slot] += change.amount
        try:
            await self._counters.change(changes, micros(moment()))
        except Exception as error:  # noqa: BLE001 - the answer is there, and its estimate stands instead
            _log.warning("What a request used could not be corrected; its estimate stands: %s", error)
        if not self._changes:
            self._corrected.set()

    async def _decide(self, batch: list[Place]) -> float:
        """Decide about `batch`; leave those that wait. Gives seconds to the next turn, 0: nobody waits."""
        fresh: set[Slot] = set()
        failures = 0
        while batch and failures < _TRIES:
            plan = self._plan(batch)
            if plan.chosen:
                chosen = plan.chosen[:_MOST]
                levels = await self._counters.take(together(place.demands for place in chosen), micros(moment()))
                if levels is None:
                    failures += 1
                    await self._read(batch, fresh)
                    continue
                self._remember(levels)
                fresh.update(levels)
                self._let_in(chosen)
                done = set(chosen)
                batch = [place for place in batch if place not in done]
            elif fresh.issuperset(demand.slot for place in batch for demand in place.demands):
                return self._refuse(plan)
            else:
                await self._read(batch, fresh)
        return await self._one_by_one(batch)

    async def _one_by_one(self, batch: Sequence[Place]) -> float:
        """Decide where others take so much at the same time that no decision together comes about."""
        left = []
        for place in batch:
            levels = await self._counters.take(together([place.demands]), micros(moment()))
            if levels is None:
                left.append(place)
            else:
                self._remember(levels)
                self._let_in([place])
        await self._read(left, set())
        return self._refuse(self._plan(left, admit=False))

    def _plan(self, batch: Sequence[Place], *, admit: bool = True) -> "_Plan":
        """Who fits, by what is known; nobody overtakes one who waits for the same counter."""
        plan = _Plan([], [], [])
        levels: ChainMap[Slot, int]
        levels, now, clock = ChainMap({}, self._known), micros(moment()), asyncio.get_running_loop().time()
        for place in batch:
            if admit and fits(place.demands, levels, now):
                plan.chosen.append(place)
            else:
                lack = _worst(place.demands, levels, now)
                if not lack.demand.is_rate or clock + lack.amount / 1e6 >= place.until:
                    plan.refused.append((place, lack))
                    continue
                plan.waiting.append(lack)
            for demand in place.demands:
                levels[demand.slot] = demand.after(levels.get(demand.slot, 0), now)
        return plan

    def _refuse(self, plan: "_Plan") -> float:
        """Send away who cannot wait long enough; gives seconds until the first of the others has its turn."""
        for place, lack in plan.refused:
            if not place.verdict.done():
                place.verdict.set_result(lack)
        return min((max(lack.amount / 1e6, _SHORTEST) for lack in plan.waiting), default=0.0)

    def _let_in(self, places: Sequence[Place]) -> None:
        for place in places:
            if place.verdict.done():  # its caller went away meanwhile
                self._let_out(place, None)
            else:
                place.verdict.set_result(None)

    def _let_out(self, place: Place, lack: Lack | None) -> None:
        """Give back what was taken for a caller who went away."""
        if lack is None:
            self.change({demand.slot: Change(-demand.cost, -demand.unpriced) for demand in place.demands})

    async def _read(self, places: Sequence[Place], fresh: set[Slot]) -> None:
        slots = sorted({demand.slot for place in places for demand in place.demands})
        if slots:
            found = await self._counters.read(slots)
            self._remember({slot: level for slot, (level, _) in found.items()})
            fresh.update(slots)

    def _remember(self, levels: Mapping[Slot, int]) -> None:
        if len(self._known) > _REMEMBERED:
            self._known.clear()
            self.seen.clear()
        self._known.update(levels)
        self.seen.update(levels)


def _worst(demands: Sequence[Demand], levels: Mapping[Slot, int], now: int) -> Lack:
    """What keeps a request waiting longest; a budget does so until the day is over."""
    lacks = [Lack(d, d.lacks(levels.get(d.slot, 0), now), levels.get(d.slot, 0)) for d in demands]
    return max(lacks, key=lambda lack: (lack.amount > 0 and not lack.demand.is_rate, lack.amount))

"""Whose turn it is: the models of a call, one after the other, and from the beginning when all of them failed."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from toolkit import providers
from toolkit.errors import ToolkitError
from toolkit.models.call import Call
from toolkit.models.doors import Door, Doors, Pass, Shut
from toolkit.models.model import Model
from toolkit.models.retry import (
    PATIENCE,
    RESERVE,
    USED_UP,
    concerns_the_key,
    moment_before_retry,
    pause_before_round,
    share,
)


@dataclass(frozen=True, slots=True)
class _Later:
    """A model that may be asked in a later round.

    Attributes:
        ready_at: when, by the clock.
        promised: it is known that it will be, see `Shut`.
        shut: it was passed over, and may be open again sooner.
    """

    model: Model
    ready_at: float
    promised: bool = False
    shut: bool = False


class Turns:
    """Who is asked next. But for a retry at once, no model is asked again in a call while another one has not been.

    Args:
        call: whose deadline holds.
        candidates: in order, each once.
        doors: which of them may be asked now, and with which key.
        clock: seconds from any fixed point.
        sleep: waits some seconds.
    """

    def __init__(
        self,
        call: Call,
        candidates: Sequence[Model],
        doors: Doors,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self._call = call
        self._doors = doors
        self._clock = clock
        self._sleep = sleep
        self._order = {model.id: place for place, model in enumerate(candidates)}
        self._queue = deque(candidates)
        self._later: list[_Later] = []
        self._hopeless: list[Model] = []  # asked only if nobody else is left
        self._tried: set[Door] = set()  # keys that were refused in this round
        self._tries = 0
        self._rounds = 0
        self._all_failed_at: float | None = None

    async def next(
        self, before: Pass | None = None, error: ToolkitError | None = None, *, onward: bool = False
    ) -> Pass | None:
        """The leave to ask whoever is next, after the pause that is due; None where nobody is left, or no time.

        Args:
            before: who was asked before; None in the beginning.
            error: why they did not answer.
            onward: do not ask the same at once again if there is another.
        """
        if before is not None and error is not None:
            if again := await self._again(before, error, onward=onward):
                return again
            self.put_off(before.model, error)
        while self._call.left() > USED_UP:
            if leave := self.spare():
                return leave
            if leave := self._hopeless_one():
                return leave
            if not await self._another_round():
                break
        return None

    def spare(self) -> Pass | None:
        """The leave to ask whoever is next in this round; None where nobody is left in it."""
        while self._queue:
            model = self._queue.popleft()
            door = self._doors.enter(model)
            if isinstance(door, Pass):
                self._tries = 1
                return door
            self._pass_over(door)
        return None

    def limit(self, leave: Pass) -> float:
        """Seconds that an attempt with `leave` may take."""
        followers = [providers.last_resort(model.provider) for model in self._queue]
        own = leave.model.timeout
        return share(self._call.left(), own=own, others=not all(followers), resorts=any(followers))

    @property
    def others_follow(self) -> bool:
        """Whether another model has not been asked in this round."""
        return bool(self._queue)

    def put_off(self, model: Model, error: ToolkitError | None) -> None:
        """Ask `model` again when everyone was asked in vain, if what it failed with may pass."""
        pause = None if error is None else pause_before_round(error, rounds=self._rounds)
        if pause is not None:
            promised = getattr(error, "retry_after", None) is not None
            self._later.append(_Later(model, self._clock() + pause, promised))

    def leave_out(self, unfit: Callable[[Model], bool]) -> None:
        """Ask none of those any more that are `unfit`."""
        self._queue = deque(model for model in self._queue if not unfit(model))
        self._later = [later for later in self._later if not unfit(later.model)]

    async def _again(self, before: Pass, error: ToolkitError, *, onward: bool) -> Pass | None:
        """The leave to ask the same model once more at once."""
        if concerns_the_key(error):
            self._tried.add(before.door)
            door = self._doors.enter(before.model, avoid=self._tried)
        else:
            moment = moment_before_retry(error, tries=self._tries)
            if moment is None or moment > self._call.left() * (1 - RESERVE) or (onward and self._queue):
                return None
            await self._sleep(moment)
            door = self._doors.enter(before.model)
        if isinstance(door, Shut):
            return None
        self._tries += 1
        return door

    def _pass_over(self, shut: Shut) -> None:
        self._call.passed_over(shut)
        if shut.hopeless:
            self._hopeless.append(shut.model)
        else:
            self._later.append(_Later(shut.model, shut.ready_at, shut.promised, shut=True))

    def _hopeless_one(self) -> Pass | None:
        while self._hopeless:
            door = self._doors.enter(self._hopeless.pop(0), insist=True)
            if isinstance(door, Pass):
                self._tries = 1
                return door
        return None

    async def _another_round(self) -> bool:
        """Whether somebody may be asked again, after a pause that fits."""
        if self._all_failed_at is None:
            self._all_failed_at = self._clock()
        latest = self._all_failed_at + PATIENCE
        waited_for = [later for later in self._later if later.promised or later.ready_at <= latest]
        pause = min((later.ready_at for later in waited_for), default=float("inf")) - self._clock()
        if pause > self._call.left() * (1 - RESERVE):
            return False
        if pause > 0:
            await self._doors.wait(pause, self._sleep)
        self._rounds += 1
        self._tried.clear()
        ready = [later for later in self._later if later.shut or later.ready_at <= self._clock()]
        self._later = [later for later in self._later if later not in ready]
        self._queue.extend(sorted((later.model for later in ready), key=lambda model: self._order[model.id]))
        return True

"""The doors to the models: which of a model's keys is used next, how many may use it at once, which of them rest."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from toolkit.display.shown import Listing, Shown
from toolkit.errors import ToolkitError
from toolkit.models.breaker import Breaker, State
from toolkit.models.keys import Key, keys_of, secrets_of
from toolkit.models.model import Model
from toolkit.redaction import redact
from toolkit.stamps import now as calendar_now

_MOST: Final = 1000
"""Models whose doors are remembered before those that are well are forgotten."""
_SOON: Final = 0.5
"""Seconds after which to look again at a door that somebody will open without saying when."""


@dataclass(slots=True, eq=False)
class Door:
    """One key of one model.

    Attributes:
        inside: how many are asking it now.
    """

    model: Model
    key: Key
    breaker: Breaker = field(default_factory=Breaker)
    inside: int = 0


@dataclass(slots=True, eq=False)
class Pass:
    """The leave to ask a model once; it is given back with what became of it.

    Attributes:
        probe: the door is half open, and this is the one who tries.
        returned: it has been given back.
    """

    door: Door
    probe: bool
    returned: bool = False

    @property
    def model(self) -> Model:
        """Who is asked."""
        return self.door.model

    @property
    def key(self) -> Key:
        """With which key."""
        return self.door.key


@dataclass(frozen=True, slots=True)
class Shut:
    """No key of the model may be used now.

    Attributes:
        ready_at: when to look again, by the clock.
        reason: why, in a sentence.
        hopeless: waiting is not what mends it.
        promised: it is known to open: the vendor itself said when, or somebody is inside.
    """

    model: Model
    ready_at: float
    reason: str
    hopeless: bool = False
    promised: bool = False


@dataclass(frozen=True, slots=True, repr=False)
class KeyHealth(Shown):
    """How one key of one model fares.

    Attributes:
        model: the model's name.
        key: which key of a pool, None where there is only one.
        state: of its breaker.
        failures: in sequence.
        until: when it may be asked again; None while it is closed.
        message: why it rests; None while it is closed.
        inside: how many are asking it now.
    """

    model: str
    key: str | None
    state: State
    failures: int
    until: datetime | None
    message: str | None
    inside: int


class Doors:
    """Every door that was used since the start; what it remembers is forgotten when the model's row or its key changes.

    Args:
        environ: names to values, for the variables that rows refer to.
        clock: seconds from any fixed point.
    """

    def __init__(self, environ: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._environ = environ
        self._clock = clock
        self._doors: dict[str, tuple[Door, ...]] = {}  # by the model's id
        self._turn: dict[str, int] = {}
        self._waiting: set[asyncio.Event] = set()

    def enter(self, model: Model, *, insist: bool = False, avoid: Collection[Door] = ()) -> Pass | Shut:
        """The leave to ask `model` with the next of its keys, in turn; or why not now.

        Args:
            model: whom.
            insist: also with a key that rests because it is of no use: nobody else can answer.
            avoid: not with the keys of these.
        """
        doors = self._of(model)
        moment = self._clock()
        first = self._turn.get(model.id, 0)
        most = model.max_concurrency
        for place in range(first, first + len(doors)):
            door = doors[place % len(doors)]
            if door in avoid:
                continue
            if (most is None or door.inside < most) and door.breaker.lets_pass(moment, insist=insist):
                self._turn[model.id] = (place + 1) % len(doors)
                door.inside += 1
                return Pass(door, door.breaker.begin())
        return self._shut(model, doors, moment)

    def leave(self, leave: Pass, error: ToolkitError | None = None, *, cancelled: bool = False) -> None:
        """Give back a pass: the model answered, or failed with `error`, or was not waited for. The first counts."""
        if leave.returned:
            return
        leave.returned = True
        door = leave.door
        door.inside -= 1
        if cancelled:
            door.breaker.abandoned(probe=leave.probe)
        elif error is None:
            door.breaker.succeeded()
        else:
            door.breaker.failed(error, self._clock(), probe=leave.probe)
        for event in self._waiting:
            event.set()

    async def wait(self, seconds: float, sleep: Callable[[float], Awaitable[None]]) -> None:
        """Wait until somebody gives back a pass, at most `seconds`."""
        given_back = asyncio.Event()
        self._waiting.add(given_back)
        waits = {asyncio.ensure_future(sleep(seconds)), asyncio.create_task(given_back.wait())}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(given_back)
            for each in waits:
                each.cancel()

    def health(self) -> Listing[KeyHealth]:
        """How every key fares that was used since the start, by model and place."""
        moment, today = self._clock(), calendar_now()
        return Listing(
            KeyHealth(
                model=door.model.name,
                key=door.key.label,
                state=door.breaker.state(moment),
                failures=door.breaker.failures,
                until=None if door.breaker.until is None else today + timedelta(seconds=door.breaker.until - moment),
                message=self._told(door),
                inside=door.inside,
            )
            for doors in self._doors.values()
            for door in doors
        )

    def _told(self, door: Door) -> str | None:
        error = door.breaker.error
        return None if error is None else redact(str(error), *secrets_of(door.model, self._environ))

    def _forget(self) -> None:
        """Make room: models without a row may be named without end."""
        for name, doors in list(self._doors.items()):
            if all(door.inside == 0 and door.breaker.failures == 0 and door.breaker.until is None for door in doors):
                del self._doors[name]
                self._turn.pop(name, None)

    def _of(self, model: Model) -> tuple[Door, ...]:
        keys = keys_of(model, self._environ)
        known = self._doors.get(model.id, ())
        if known and known[0].model.updated_at == model.updated_at and tuple(door.key for door in known) == keys:
            return known
        if len(self._doors) >= _MOST:
            self._forget()
        self._doors[model.id] = doors = tuple(Door(model, key) for key in keys)
        return doors

    def _shut(self, model: Model, doors: tuple[Door, ...], moment: float) -> Shut:
        resting = [door for door in doors if door.breaker.until is not None]
        if len(resting) < len(doors):
            return Shut(model, moment + _SOON, "All its keys are in use.", promised=True)
        soonest = min(resting, key=lambda door: (door.breaker.hopeless, door.breaker.until or 0.0))
        until = soonest.breaker.until or 0.0
        if until <= moment:
            return Shut(model, moment + _SOON, "It is being tried out after a rest.", promised=True)
        # Not for how long: what a reply says can be compared with what it said before.
        reason = f"It rests after this: {soonest.breaker.error}"
        promised = getattr(soonest.breaker.error, "retry_after", None) is not None
        return Shut(model, until, reason, soonest.breaker.hopeless, promised)

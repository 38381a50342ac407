"""Ids and times, made in one place so that a test or a replay can freeze both."""

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID
from zlib import crc32

_GRID: Final = 2**20
"""Parts of a second in which a replay counts: sums and differences of binary fractions are exact."""


_COUNTED: Final = 32
"""Bits in which the ids of a replay are counted; those above them tell replays apart."""


def now() -> datetime:
    """The present moment, in UTC, to the microsecond."""
    frozen = _frozen.get() or _replay()
    return frozen.tick() if frozen else datetime.now(UTC)


def day_of(moment: datetime) -> str:
    """The day in UTC of an aware datetime, YYYY-MM-DD."""
    return moment.astimezone(UTC).date().isoformat()


def new_id() -> str:
    """A new UUIDv7 as text: unique without asking anyone, and sorted by the time it was made.

    Source: RFC 9562, section 5.7 (48 bits of Unix milliseconds, then 74 random bits).
    """
    frozen = _frozen.get() or _replay()
    return frozen.next_id() if frozen else fresh_id()


def fresh_id() -> str:
    """The same where nothing is frozen, and a new one also where it is: for what may never come twice."""
    return _uuid7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10)))


def monotonic() -> float:
    """Seconds from some fixed point, for deadlines and lengths; in a replay they pass as they were recorded."""
    replay = _replay()
    return replay.of_here().now if replay else time.monotonic()


async def sleep(seconds: float) -> None:
    """Wait so many seconds; in a replay they have passed at once."""
    if _replay():
        elapse(seconds)
        seconds = 0
    await asyncio.sleep(seconds)


def elapse(seconds: float) -> None:
    """In a replay, let so many seconds pass: for `monotonic` as far as this question is concerned, and for `now`."""
    if replay := _replay():
        replay.elapse(seconds)


def begin() -> float:
    """Note that a question begins, and give `monotonic()`.

    In a replay each question has a time of its own, however many are asked at once: it gets the seconds that its own
    models took. The time that had passed before it was asked, when it was recorded, passes here.
    """
    if replay := _replay():
        replay.begin()
    return monotonic()


def chance() -> float:
    """A random number from 0 to 1, for pauses that are not to be equal; in a replay they are."""
    return 0.5 if _replay() else random.random()  # noqa: S311 - no secret


@contextmanager
def freeze(at: datetime | None = None) -> Iterator[None]:
    """Inside, time starts at `at` and moves one millisecond per question; ids count from one.

    Only in this context: other threads and tasks do not notice. `monotonic` goes on.

    Args:
        at: the first moment; 2026-01-01T00:00:00Z if not given.
    """
    token = _frozen.set(_Frozen(at or datetime(2026, 1, 1, tzinfo=UTC)))
    try:
        yield
    finally:
        _frozen.reset(token)


@contextmanager
def replay(at: datetime, before: Callable[[], float] = lambda: 0.0, *, name: str = "") -> Iterator[None]:
    """Inside, ids and all times are those of a replay, for the whole process: its threads and tasks, old and new.

    `now` starts at `at` and moves one millisecond per question and with what is `elapse`d, summed over all that is
    done at once; `monotonic` moves with the latter only; ids count from one. Of several replays the last one counts.

    Args:
        at: the first moment.
        before: the seconds that passed before the question that begins now.
        name: ids of replays with different names differ, so that two processes may use one database.
    """
    mine = _Replay(at, before, name)
    _replays.append(mine)
    try:
        yield
    finally:
        _replays.remove(mine)


class _Frozen:
    def __init__(self, at: datetime) -> None:
        self._at = at
        self._count = 0

    def tick(self) -> datetime:
        self._at += timedelta(milliseconds=1)
        return self._at

    def next_id(self) -> str:
        self._count += 1
        return _uuid7(int(self._at.timestamp() * 1000), self._count)


class _Timeline:
    """The seconds of one question, which all tasks that work for it share."""

    __slots__ = ("now", "replay")

    def __init__(self, replay: "_Replay", now: float) -> None:
        self.replay = replay
        self.now = now


class _Replay(_Frozen):
    """What all threads of the process share in a replay."""

    def __init__(self, at: datetime, before: Callable[[], float], name: str) -> None:
        super().__init__(at)
        self._space = crc32(name.encode(errors="surrogatepass")) << _COUNTED
        self._began = int(at.timestamp() * 1000)  # for ids, which must not tell who of several was asked first
        self._before = before
        self._lock = threading.RLock()
        self._elapsed = 0.0  # of all questions together, so that the order in which they end does not matter
        self._own = _Timeline(self, 0.0)  # of whatever is done without a question

    def tick(self) -> datetime:
        with self._lock:
            return super().tick() + timedelta(seconds=self._elapsed)

    def next_id(self) -> str:
        with self._lock:
            self._count += 1
            return _uuid7(self._began, self._space | self._count)

    def of_here(self) -> _Timeline:
        timeline = _timeline.get()
        return timeline if timeline is not None and timeline.replay is self else self._own

    def elapse(self, seconds: float) -> None:
        exact = round(max(seconds, 0.0) * _GRID) / _GRID
        with self._lock:
            self._elapsed += exact
            self.of_here().now += exact

    def begin(self) -> None:
        self.elapse(self._before())
        with self._lock:
            _timeline.set(_Timeline(self, self._elapsed))


_frozen: ContextVar[_Frozen | None] = ContextVar("frozen", default=None)
_timeline: ContextVar[_Timeline | None] = ContextVar("timeline", default=None)
_replays: list[_Replay] = []


def _replay() -> _Replay | None:
    return _replays[-1] if _replays else None


def _uuid7(milliseconds: int, rest: int) -> str:
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (rest >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | rest & (1 << 62) - 1
    return str(UUID(int=value))

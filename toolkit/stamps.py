"""Ids and times, made in one place so that a test or a replay can freeze both."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime, timedelta
from uuid import UUID


def now() -> datetime:
    """The present moment, in UTC, to the microsecond."""
    frozen = _frozen.get()
    return frozen.tick() if frozen else datetime.now(UTC)


def new_id() -> str:
    """A new UUIDv7 as text: unique without asking anyone, and sorted by the time it was made.

    Source: RFC 9562, section 5.7 (48 bits of Unix milliseconds, then 74 random bits).
    """
    frozen = _frozen.get()
    return frozen.next_id() if frozen else fresh_id()


def fresh_id() -> str:
    """The same where nothing is frozen, and a new one also where it is: for what may never come twice."""
    return _uuid7(time.time_ns() // 1_000_000, int.from_bytes(os.urandom(10)))


@contextmanager
def freeze(at: datetime | None = None) -> Iterator[None]:
    """Inside, time starts at `at` and moves one millisecond per question; ids count from one.

    Args:
        at: the first moment; 2026-01-01T00:00:00Z if not given.
    """
    token = _frozen.set(_Frozen(at or datetime(2026, 1, 1, tzinfo=UTC)))
    try:
        yield
    finally:
        _frozen.reset(token)


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


_frozen: ContextVar[_Frozen | None] = ContextVar("frozen", default=None)


def _uuid7(milliseconds: int, random: int) -> str:
    value = (milliseconds & (1 << 48) - 1) << 80
    value |= 0x7 << 76 | (random >> 62 & 0xFFF) << 64
    value |= 0b10 << 62 | random & (1 << 62) - 1
    return str(UUID(int=value))

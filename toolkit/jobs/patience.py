"""Waiting instead of failing: for a place under our own limits, and for a database that is away."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from toolkit.errors import DatabaseBusy, DatabaseUnavailable, RateLimited
from toolkit.jobs.outcomes import Ask
from toolkit.messages import Json, Reply
from toolkit.stamps import monotonic, sleep

T = TypeVar("T")

OURS: Final = "toolkit"
"""Who says `RateLimited` where it is our own limits that are reached."""

_LEAST = 0.05  # seconds before asking our own limits again
_PAUSES = (0.1, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds before writing again what was paid for


async def queued(ask: Ask, keywords: Json, seconds: float) -> Reply:
    """Ask; where our own limits are reached, wait for a free place, at most `seconds` in all.

    Raises:
        RateLimited: there would be none within that time.
    """
    until = monotonic() + seconds
    while True:
        try:
            return await ask(keywords)
        except RateLimited as refused:
            pause = max(refused.retry_after or 1.0, _LEAST)
            if refused.provider != OURS or monotonic() + pause > until:
                raise
        await sleep(pause)


async def insisting(write: Callable[[], Awaitable[T]]) -> T:
    """What `write` gives, however often it takes within a quarter of a minute: an answer that was paid for is at stake.

    Raises:
        DatabaseError: the database is away for longer, or does not come back by itself.
    """
    for pause in _PAUSES:
        try:
            return await write()
        except (DatabaseBusy, DatabaseUnavailable):
            await asyncio.sleep(pause)
    return await write()

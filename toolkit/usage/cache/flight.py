"""One caller's way to an answer: found, or made while all others with the same question wait."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from toolkit.stamps import fresh_id
from toolkit.usage.cache.cached import Cached
from toolkit.usage.cache.key import CacheKey


@dataclass
class Asking:
    """What a caller wants.

    Attributes:
        key: of the request.
        ttl: seconds that the answer may be given again.
        prompt: the id of the prompt that it is asked with.
        deadline: until when it waits for others, by `time.monotonic`.
        refresh: an answer that was there before is none.
        before: when the answer that was there before was asked; None if there was none, or any will do.
        vector: of the question, as it is kept; None without one.
    """

    key: CacheKey
    ttl: int
    prompt: str | None
    deadline: float
    refresh: bool
    before: datetime | None = None
    vector: str | None = None

    @property
    def left(self) -> float:
        """Seconds that it still waits, at least 0."""
        return max(0.0, self.deadline - time.monotonic())


@dataclass
class Making:
    """An answer being made, or waited for, by one caller of this process for all of them.

    Attributes:
        maker: the name that the lease is taken under.
        began: when the model is asked, at the latest.
        leased: whether the lease was taken, and not given back.
        answer: what those of this process wait for; None is given when nothing came of it.
        renewing: keeps the lease.
    """

    began: datetime
    maker: str = field(default_factory=fresh_id)
    leased: bool = False
    answer: "asyncio.Future[Cached | None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    renewing: "asyncio.Task[None] | None" = None

    def end(self, answer: Cached | None) -> None:
        """Tell those who wait; only the first word counts."""
        if not self.answer.done():
            self.answer.set_result(answer)


class Flight:
    """What `ResponseCache.once` gives.

    Attributes:
        found: the answer; None: this caller makes it, and calls `keep`.
    """

    def __init__(self, found: Cached | None, keep: Callable[[Cached], Awaitable[None]] | None = None) -> None:
        self.found = found
        self._keep = keep

    async def keep(self, cached: Cached) -> None:
        """Give the answer to those who wait, and keep it for others; never raises. Does nothing with one found."""
        if self._keep:
            await self._keep(cached)

"""Documents that are ready are kept together: a batch costs hardly more than one document."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from toolkit.search.keeping import Written
from toolkit.search.ready import Ready, together

MOST_CHUNKS: Final = 2_048
"""Of one batch, unless it came as one."""

MOST_DOCUMENTS: Final = 256
"""Of one batch, unless it came as one."""

KEEPERS: Final = 2
"""Batches at a time: while the database writes one, the other is made ready."""

_WAITING: Final = 2 * MOST_CHUNKS  # chunks that are ready before no more are made


class Gathering:
    """Keeps what is added to it, as much at a time as is ready then.

    Args:
        keep: keeps documents, together.
        kept: told of each document afterwards.
    """

    def __init__(self, keep: Callable[[Ready], Awaitable[None]], kept: Callable[[Written], Awaitable[None]]) -> None:
        self._keep = keep
        self._kept = kept
        self._ready: deque[Ready] = deque()
        self._chunks = 0  # that are ready
        self._changed = asyncio.Condition()
        self._ended = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Keep what is added inside; at the end everything is kept.

        Raises:
            ExceptionGroup: something could not be kept.
        """
        async with asyncio.TaskGroup() as group:
            for _ in range(KEEPERS):
                group.create_task(self._work())
            yield
            async with self._changed:
                self._ended = True
                self._changed.notify_all()

    async def add(self, those: Ready) -> None:
        """Have documents of the one collection kept soon; waits while many are ready already."""
        async with self._changed:
            while self._chunks >= _WAITING:
                await self._changed.wait()
            self._ready.append(those)
            self._chunks += those.chunks
            self._changed.notify_all()

    async def _work(self) -> None:
        while several := await self._next():
            batch = together(several)
            await self._keep(batch)
            for each in batch.documents:
                await self._kept(each)

    async def _next(self) -> list[Ready]:
        """What is ready, at least something; nothing at the end."""
        async with self._changed:
            while not self._ready and not self._ended:
                await self._changed.wait()
            batch: list[Ready] = []
            chunks = documents = 0
            while self._ready:
                chunks += self._ready[0].chunks
                documents += len(self._ready[0].documents)
                if batch and (chunks > MOST_CHUNKS or documents > MOST_DOCUMENTS):
                    break
                batch.append(self._ready.popleft())
            self._chunks -= sum(each.chunks for each in batch)
            self._changed.notify_all()
            return batch

"""Documents that are ready are kept together: a batch costs hardly more than one document."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from toolkit.search.keeping import Prepared

MOST_CHUNKS: Final = 2_048
"""Of one batch; a single document may have more."""

MOST_DOCUMENTS: Final = 256
"""Of one batch."""

KEEPERS: Final = 2
"""Batches at a time: while the database writes one, the words of the other are taken."""

_WAITING: Final = 2 * MOST_CHUNKS  # chunks that are ready before no more are made


class Gathering:
    """Keeps what is added to it, as much at a time as is ready then.

    Args:
        keep: keeps documents.
        kept: told of each afterwards.
        keepers: batches at a time.
    """

    def __init__(
        self,
        keep: Callable[[Sequence[Prepared]], Awaitable[None]],
        kept: Callable[[Prepared], Awaitable[None]],
        *,
        keepers: int = KEEPERS,
    ) -> None:
        self._keep = keep
        self._kept = kept
        self._keepers = keepers
        self._ready: deque[Prepared] = deque()
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
            for _ in range(self._keepers):
                group.create_task(self._work())
            yield
            async with self._changed:
                self._ended = True
                self._changed.notify_all()

    async def add(self, prepared: Prepared) -> None:
        """Have a document kept soon; waits while many are ready already."""
        async with self._changed:
            while self._chunks >= _WAITING:
                await self._changed.wait()
            self._ready.append(prepared)
            self._chunks += len(prepared.chunks)
            self._changed.notify_all()

    async def _work(self) -> None:
        while batch := await self._next():
            await self._keep(batch)
            for each in batch:
                await self._kept(each)

    async def _next(self) -> list[Prepared]:
        """What is ready, at least one document; nothing at the end."""
        async with self._changed:
            while not self._ready and not self._ended:
                await self._changed.wait()
            batch: list[Prepared] = []
            size = 0
            while self._ready and len(batch) < MOST_DOCUMENTS:
                size += len(self._ready[0].chunks)
                if batch and size > MOST_CHUNKS:
                    break
                batch.append(self._ready.popleft())
            self._chunks -= sum(len(each.chunks) for each in batch)
            self._changed.notify_all()
            return batch

"""Works on the items of a stream, several at once, and gives what came of them in the items' order."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_END = None
"""Stands in the queue where no further item follows."""


def ahead(concurrency: int) -> int:
    """How many items may be begun, or wait to be taken, beyond the one that is given next."""
    return max(32, 4 * concurrency)


async def in_order(
    source: AsyncGenerator[T, None], work: Callable[[T], Awaitable[R]], *, concurrency: int
) -> AsyncGenerator[R, None]:
    """What `work` makes of each item, in order.

    At most `concurrency` items are worked on at once. The source is read at most `ahead(concurrency)` items beyond
    what was given, so that it may be endless. Leaving the generator cancels what is under way; so does an error of
    `work` or of the source, which is raised where its item would have come.

    Args:
        source: is closed in the end.
        work: may be cancelled.
        concurrency: at least 1.
    """
    places = asyncio.Semaphore(ahead(concurrency))
    hands = asyncio.Semaphore(concurrency)
    begun: asyncio.Queue[asyncio.Task[R] | None] = asyncio.Queue()
    tasks: set[asyncio.Task[R]] = set()

    async def one(item: T) -> R:
        async with hands:
            return await work(item)

    async def feed() -> None:
        try:
            async with aclosing(source):
                await places.acquire()
                async for item in source:
                    task = asyncio.create_task(one(item))
                    tasks.add(task)
                    begun.put_nowait(task)
                    await places.acquire()
        finally:
            begun.put_nowait(_END)

    feeding = asyncio.create_task(feed())
    try:
        while (task := await begun.get()) is not _END:
            # Not awaited itself: if we are cancelled, all must be at once, or the end of one would let the next begin.
            await asyncio.wait({task})
            result = task.result()
            tasks.discard(task)
            places.release()
            yield result
        await feeding  # raises what the source raised
    finally:
        feeding.cancel()
        for task in tasks:
            task.cancel()
        await asyncio.gather(feeding, *tasks, return_exceptions=True)

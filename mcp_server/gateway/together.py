"""Several streams as one."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from toolkit.messages import Delta

_AHEAD = 8  # pieces of each stream that wait for a slow client


async def together(streams: Sequence[AsyncGenerator[Delta, None]]) -> AsyncGenerator[tuple[int, Delta], None]:
    """The pieces of all `streams` as they come, each with the number of its stream.

    Raises:
        Exception: whatever the first of them fails with; the others are closed.
    """
    if len(streams) == 1:
        async with aclosing(streams[0]) as deltas:
            async for delta in deltas:
                yield 0, delta
        return
    come: asyncio.Queue[tuple[int, Delta | Exception | None]] = asyncio.Queue(_AHEAD * len(streams))

    async def follow(index: int, stream: AsyncGenerator[Delta, None]) -> None:
        try:
            async with aclosing(stream) as deltas:
                async for delta in deltas:
                    await come.put((index, delta))
            await come.put((index, None))
        except Exception as error:  # noqa: BLE001 - whoever listens raises it
            await come.put((index, error))

    tasks = [asyncio.create_task(follow(index, stream)) for index, stream in enumerate(streams)]
    speaking = len(tasks)
    try:
        while speaking:
            index, piece = await come.get()
            if isinstance(piece, Exception):
                raise piece
            if piece is None:
                speaking -= 1
            else:
                yield index, piece
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

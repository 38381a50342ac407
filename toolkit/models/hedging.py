"""A second model is asked when the first one takes longer than it usually does; the faster one is taken."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

T = TypeVar("T")

SLOWER: Final = "Another model was faster."
"""Why the slower one is cancelled."""

_FAREWELL: Final = 1.0
"""Seconds in which the slower one may say what became of it."""


async def hedged(
    first: Coroutine[Any, Any, T],
    second: Callable[[], Coroutine[Any, Any, T] | None],
    *,
    after: float,
    good: Callable[[T], bool],
) -> list[T]:
    """What came of `first` and, if it took longer than `after` seconds, of `second`: a success comes last.

    The one that is not waited for any more is cancelled with `SLOWER`; if the caller is cancelled, both are.

    Args:
        first: the attempt that is made at once.
        second: makes the other attempt; None if there is nobody to make it with.
        after: seconds.
        good: whether what came of an attempt is a success.
    """
    tasks = {asyncio.create_task(first)}
    ended: list[T] = []
    why = None
    try:
        done, pending = await asyncio.wait(tasks, timeout=after)
        if pending and (other := second()) is not None:
            tasks.add(asyncio.create_task(other))
        pending = set(tasks)
        while pending and not any(map(good, ended)):
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            ended += sorted((task.result() for task in done), key=good)
        why = SLOWER
        return ended
    finally:
        if unfinished := {task for task in tasks if not task.done()}:
            for task in unfinished:
                task.cancel(why)
            await asyncio.wait(unfinished, timeout=_FAREWELL)


def reason(cancelled: asyncio.CancelledError) -> str | None:
    """Why an attempt was cancelled: `SLOWER`, or None where the caller went away."""
    return SLOWER if SLOWER in cancelled.args else None

"""Each wait has its limit, what happens between two waits has none, and nobody else's wish is swallowed."""

import asyncio
import time

import pytest

from toolkit.providers.wire.patience import Patience

TINY, LONG = 0.01, 30.0


async def forever() -> None:
    await asyncio.Event().wait()


async def test_a_wait_that_is_too_long_ends_with_a_timeout() -> None:
    patience = Patience(TINY)
    with pytest.raises(TimeoutError), patience:
        await forever()
    task = asyncio.current_task()
    assert task is not None
    assert not task.cancelling()


async def test_what_happens_between_two_waits_may_take_any_time() -> None:
    patience = Patience(TINY)
    with patience:
        await asyncio.sleep(0)
    await asyncio.sleep(5 * TINY)
    patience.begin()
    with patience:
        await asyncio.sleep(0)
    patience.close()


async def test_a_wait_that_begins_when_its_time_is_over_ends_at_once() -> None:
    patience = Patience(TINY)
    with patience:
        await asyncio.sleep(0)
    await asyncio.sleep(5 * TINY)
    with pytest.raises(TimeoutError), patience:
        await forever()


async def test_every_beginning_gives_the_whole_time_again() -> None:
    patience = Patience(0.5)
    for _ in range(4):
        with patience:
            await asyncio.sleep(0.2)
        patience.begin()
    patience.close()


async def test_one_limit_ends_one_wait_and_then_the_next() -> None:
    patience = Patience(TINY)
    for _ in range(2):
        patience.begin()
        with pytest.raises(TimeoutError), patience:
            await forever()


async def test_whoever_cancels_the_task_cancels_it() -> None:
    async def wait() -> None:
        with Patience(LONG):
            await forever()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_task_that_is_cancelled_in_the_moment_of_its_timeout_is_cancelled() -> None:
    async def wait() -> None:
        with Patience(TINY):
            await forever()

    task = asyncio.create_task(wait())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_later(TINY / 2, time.sleep, 2 * TINY)  # then both are due at once
    asyncio.get_running_loop().call_later(TINY, task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_error_of_what_was_waited_for_goes_its_way() -> None:
    with pytest.raises(ValueError, match="broken"), Patience(LONG):
        raise ValueError("broken")

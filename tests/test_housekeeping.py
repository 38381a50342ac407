"""Chores are done in the background, again and again, and one that fails spoils none of the others."""

import asyncio

import pytest

from toolkit.errors import DatabaseUnavailable
from toolkit.housekeeping import Housekeeping


async def test_chores_are_done_again_and_again_until_it_is_closed() -> None:
    done = asyncio.Semaphore(0)

    async def chore() -> None:
        done.release()

    keeping = Housekeeping({"counting": chore}, first=0.0, every=0.001)
    keeping.start()
    keeping.start()  # a second time changes nothing
    for _ in range(3):
        await asyncio.wait_for(done.acquire(), 5)
    await keeping.close()
    await keeping.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "toolkit housekeeping"]


async def test_a_chore_that_fails_is_logged_and_the_next_is_done(caplog: pytest.LogCaptureFixture) -> None:
    done = []

    async def away() -> None:
        raise DatabaseUnavailable("The database is away.")

    async def broken() -> None:
        raise ValueError("a mistake of ours")

    async def well() -> None:
        done.append("well")

    await Housekeeping({"sweeping": away, "adding": broken, "counting": well}).round()
    assert done == ["well"]
    assert "Housekeeping (sweeping) must wait: The database is away." in caplog.text
    assert "Housekeeping (adding) failed." in caplog.text


async def test_nothing_is_done_before_the_first_round_is_due() -> None:
    done = []

    async def chore() -> None:
        done.append("chore")

    keeping = Housekeeping({"counting": chore})
    keeping.start()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await keeping.close()
    assert not done

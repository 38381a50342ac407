"""A second attempt is made when the first one takes long; the faster one wins and the other one is cancelled."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from toolkit.models.hedging import SLOWER, hedged, reason


class Attempts:
    """Attempts that end when told to."""

    def __init__(self) -> None:
        self.results: dict[str, asyncio.Future[str]] = {}
        self.cancelled: dict[str, str | None] = {}
        self.made: list[str] = []
        self.another = asyncio.Condition()

    async def make(self, name: str) -> str:
        async with self.another:
            self.made.append(name)
            self.another.notify_all()
        self.results[name] = asyncio.get_running_loop().create_future()
        try:
            return await self.results[name]
        except asyncio.CancelledError as gone:
            self.cancelled[name] = reason(gone)
            raise

    def second(self, name: str | None = "b") -> Callable[[], Coroutine[Any, Any, str] | None]:
        return lambda: None if name is None else self.make(name)

    def race(self, *, after: float, second: str | None = "b") -> "asyncio.Task[list[str]]":
        racing = hedged(self.make("a"), self.second(second), after=after, good=lambda said: said.startswith("good"))
        return asyncio.create_task(racing)

    async def until(self, *made: str) -> None:
        async with asyncio.timeout(10), self.another:
            await self.another.wait_for(lambda: self.made == list(made))


@pytest.fixture
def attempts() -> Attempts:
    return Attempts()


async def test_a_first_attempt_that_is_in_time_stays_alone(attempts: Attempts) -> None:
    race = attempts.race(after=3600.0)
    await attempts.until("a")
    attempts.results["a"].set_result("good a")

    assert await race == ["good a"]
    assert attempts.made == ["a"]


async def test_a_first_attempt_that_fails_in_time_stays_alone(attempts: Attempts) -> None:
    race = attempts.race(after=3600.0)
    await attempts.until("a")
    attempts.results["a"].set_result("bad a")

    assert await race == ["bad a"]


async def test_the_faster_one_is_taken_and_the_slower_one_cancelled_and_told_why(attempts: Attempts) -> None:
    race = attempts.race(after=0.0)
    await attempts.until("a", "b")
    attempts.results["b"].set_result("good b")

    assert await race == ["good b"]
    assert attempts.cancelled == {"a": SLOWER}


async def test_one_that_fails_leaves_the_other_to_answer(attempts: Attempts) -> None:
    race = attempts.race(after=0.0)
    await attempts.until("a", "b")
    attempts.results["b"].set_result("bad b")
    await asyncio.sleep(0)
    attempts.results["a"].set_result("good a")

    assert await race == ["bad b", "good a"]
    assert attempts.cancelled == {}


async def test_both_that_fail_are_both_told_of(attempts: Attempts) -> None:
    race = attempts.race(after=0.0)
    await attempts.until("a", "b")
    attempts.results["a"].set_result("bad a")
    await asyncio.sleep(0)
    attempts.results["b"].set_result("bad b")

    assert sorted(await race) == ["bad a", "bad b"]


async def test_where_there_is_nobody_else_the_first_is_waited_for(attempts: Attempts) -> None:
    race = attempts.race(after=0.0, second=None)
    await attempts.until("a")
    await asyncio.sleep(0.01)
    attempts.results["a"].set_result("good a")

    assert await race == ["good a"]


async def test_a_caller_who_goes_away_cancels_both(attempts: Attempts) -> None:
    race = attempts.race(after=0.0)
    await attempts.until("a", "b")
    race.cancel()

    with pytest.raises(asyncio.CancelledError):
        await race
    assert attempts.cancelled == {"a": None, "b": None}

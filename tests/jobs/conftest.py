"""Who is asked in the tests of jobs: a desk that answers, remembers, and can be told to wait or to fail."""

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from toolkit.db import Database
from toolkit.jobs.jobs import Jobs
from toolkit.messages import Attempt, Json, Message, Reply, Usage


class Desk:
    """Answers a prompt with itself in capitals.

    Attributes:
        asked: every prompt, in the order in which they came.
        answered: those that got their answer.
        cancelled: those whose asker went away.
        at_once: how many were being answered at once, at most.
        gate: no answer is given while it is closed.
        saying: what is answered to a prompt.
        failing: what is raised for a prompt instead of an answer, None if it is answered.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.answered: list[str] = []
        self.cancelled: list[str] = []
        self.keywords: list[Json] = []
        self.at_once = 0
        self.gate = asyncio.Event()
        self.gate.set()
        self.failing: Callable[[str], Exception | None] = lambda _prompt: None
        self.saying: Callable[[str], str] = str.upper
        self._now = 0

    async def ask(self, keywords: Json) -> Reply:
        prompt = str(keywords["prompt"])
        self.keywords.append(keywords)
        self.asked.append(prompt)
        number = len(self.asked)
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        try:
            await asyncio.sleep(0)
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(prompt)
            raise
        finally:
            self._now -= 1
        if error := self.failing(prompt):
            raise error
        self.answered.append(prompt)
        attempt = Attempt("small", "openai", "gpt", usage=Usage(3, 5), cost_nano_usd=7)
        return Reply(Message("assistant", self.saying(prompt)), "small", (attempt,), f"call-{number}")


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it, as long as the test may last."""
    while not condition():  # noqa: ASYNC110 - what it waits for happens in other processes, too
        await asyncio.sleep(0.005)


@pytest.fixture
async def desk() -> Desk:
    return Desk()


@pytest.fixture
async def jobs(db: Database, desk: Desk) -> AsyncIterator[Jobs]:
    made = Jobs(db, desk.ask)
    yield made
    await made.close()

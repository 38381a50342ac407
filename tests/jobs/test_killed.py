"""Processes that are killed in the middle: what they acknowledged is kept, and never asked again."""

import asyncio
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from tests.jobs.conftest import until
from tests.jobs.killed import CONCURRENCY, questions
from toolkit.messages import Json
from toolkit.testing.vendors import VendorServer

NUMBER = 60


def slowly(body: Json) -> str:
    """Takes long enough that a process can be killed in the middle."""
    time.sleep(0.01)  # in the server's own thread
    return str(body["messages"][-1]["content"]).upper()


@asynccontextmanager
async def process(work: str, url: str, vendors: VendorServer) -> AsyncIterator[Process]:
    """One that is killed in the end, if it lives."""
    words = ["-m", "tests.jobs.killed", work, url, str(NUMBER)]
    environ = {**os.environ, **vendors.environ(), "TOOLKIT_DEFAULT_MODEL": "openai/gpt-6-luna"}
    child = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE, env=environ)
    try:
        yield child
    finally:
        if child.returncode is None:
            child.kill()
        await child.communicate()


async def lines(child: Process, number: int = 10**9) -> list[str]:
    """What it tells, up to so many lines."""
    assert child.stdout
    told: list[str] = []
    while len(told) < number and (line := await child.stdout.readline()):
        told.append(line.decode().strip())
    return told


def asked(vendors: VendorServer) -> Counter[str]:
    return Counter(request.body["messages"][-1]["content"] for request in vendors.requests)


@pytest.mark.usefixtures("database_url")
async def test_a_batch_that_is_killed_again_and_again_loses_nothing_and_asks_nothing_acknowledged_twice(
    database_url: str,
) -> None:
    acknowledged: dict[str, str] = {}
    async with VendorServer(slowly) as vendors:
        for kill_at in (1, 10, 30, NUMBER + 1):
            before = asked(vendors)
            async with process("batch", database_url, vendors) as child:
                told = dict(line.partition(" ")[::2] for line in await lines(child, kill_at))
            again = asked(vendors) - before
            for position, text in told.items():
                assert acknowledged.get(position, text) == text
            assert not [position for position in acknowledged if again[f"question {position}"]]
            acknowledged |= told
    assert acknowledged.pop("end") == ""
    assert len(acknowledged) == NUMBER
    twice = sum(number - 1 for number in asked(vendors).values())
    assert asked(vendors).keys() == set(questions(NUMBER))
    assert twice <= 3 * CONCURRENCY  # of each process, at most what was under way


async def test_two_processes_that_run_one_batch_ask_each_question_once_and_give_the_same(database_url: str) -> None:
    async with VendorServer(slowly) as vendors:
        async with process("batch", database_url, vendors) as one, process("batch", database_url, vendors) as other:
            first, second = await asyncio.gather(lines(one), lines(other))
        assert first == second
        assert len(first) == NUMBER + 1
        assert set(asked(vendors).values()) == {1}


async def test_a_process_goes_on_with_a_batch_while_another_one_is_killed_in_it(database_url: str) -> None:
    async with VendorServer(slowly) as vendors:
        async with process("batch", database_url, vendors) as one:
            await lines(one, 5)
            async with process("batch", database_url, vendors) as other:
                await lines(other, 5)
                with suppress(ProcessLookupError):  # on a slow machine it may have done its part by now
                    one.kill()
                rest = await lines(other)
        assert rest[-1] == "end"
        assert len(rest) == NUMBER - 5 + 1
        assert sum(asked(vendors).values()) <= NUMBER + CONCURRENCY


async def test_generations_that_were_accepted_are_answered_by_the_next_process(database_url: str) -> None:
    async with VendorServer(slowly) as vendors:
        async with process("generate", database_url, vendors) as child:
            assert len(await lines(child, NUMBER)) == NUMBER
            await until(lambda: len(vendors.requests) >= 3)
        async with process("resume", database_url, vendors) as child:
            assert await lines(child) == ["end"]
        assert asked(vendors).keys() == set(questions(NUMBER))
        assert sum(asked(vendors).values()) <= NUMBER + CONCURRENCY

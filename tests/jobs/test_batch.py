"""A batch that is kept nowhere: order, errors, concurrency, memory, cancellation, waiting for our own limits."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from itertools import count
from typing import Any

import pytest

from tests.jobs.conftest import Desk, until
from toolkit.db import open_database
from toolkit.errors import ConfigError, ProviderUnavailable, RateLimited, ToolkitError
from toolkit.jobs.jobs import Jobs
from toolkit.jobs.window import ahead
from toolkit.messages import Message, Reply
from toolkit.settings import Settings


@pytest.fixture
def jobs(desk: Desk) -> Jobs:
    return Jobs(open_database(Settings("sqlite://")), desk.ask)


async def texts(jobs: Jobs, requests: Any, **rest: Any) -> list[str | type]:
    return [
        outcome.text if isinstance(outcome, Reply) else type(outcome) async for outcome in jobs.batch(requests, **rest)
    ]


async def test_answers_come_in_the_order_of_the_requests_however_they_end(desk: Desk, jobs: Jobs) -> None:
    desk.gate.clear()
    collecting = asyncio.create_task(texts(jobs, [f"q{n}" for n in range(50)], concurrency=4))
    await until(lambda: len(desk.asked) == 4)
    desk.gate.set()
    assert await collecting == [f"Q{n}" for n in range(50)]


async def test_no_more_are_asked_at_once_than_was_said(desk: Desk, jobs: Jobs) -> None:
    await texts(jobs, [f"q{n}" for n in range(40)], concurrency=3)
    assert desk.at_once == 3


async def test_an_error_stands_in_the_place_of_its_answer_and_the_others_go_on(desk: Desk, jobs: Jobs) -> None:
    desk.failing = lambda prompt: ProviderUnavailable("It is away.", provider="openai") if prompt == "b" else None
    assert await texts(jobs, ["a", "b", "c"]) == ["A", ProviderUnavailable, "C"]


async def test_a_defect_spoils_one_question_and_not_the_batch(
    desk: Desk, jobs: Jobs, caplog: pytest.LogCaptureFixture
) -> None:
    desk.failing = lambda prompt: ZeroDivisionError("by zero") if prompt == "b" else None
    outcomes = [outcome async for outcome in jobs.batch(["a", "b", "c"])]
    broken = outcomes[1]
    assert isinstance(broken, ToolkitError)
    assert "ZeroDivisionError: by zero" in str(broken)
    assert isinstance(outcomes[2], Reply)
    assert "failed in a way it should not" in caplog.text
    assert "Traceback" not in caplog.text
    with caplog.at_level(logging.DEBUG):
        await texts(jobs, ["b"])
    assert "Traceback" in caplog.text


async def test_what_is_no_request_is_an_error_in_its_place(jobs: Jobs) -> None:
    requests: list[Any] = ["a", {"model": "small"}, 7, "d"]
    outcomes = [outcome async for outcome in jobs.batch(requests)]
    assert [isinstance(outcome, ConfigError) for outcome in outcomes] == [False, True, True, False]
    assert '"prompt"' in str(outcomes[1])
    assert "int" in str(outcomes[2])


async def test_a_request_may_be_a_text_a_message_several_or_keywords_which_win_over_the_common_ones(
    desk: Desk, jobs: Jobs
) -> None:
    message = Message("user", "hi")
    requests = ["hi", message, [message, {"role": "user", "content": "you"}], {"prompt": "hi", "model": "large"}]
    await texts(jobs, requests, model="small", user="ada")
    assert [keywords["model"] for keywords in desk.keywords] == ["small", "small", "small", "large"]
    assert {keywords["user"] for keywords in desk.keywords} == {"ada"}
    assert [keywords["prompt"] for keywords in desk.keywords] == ["hi", message, requests[2], "hi"]


@pytest.mark.parametrize("one", ["hello", {"prompt": "hello"}, Message("user", "hello"), 7])
async def test_a_single_request_is_no_batch(jobs: Jobs, one: Any) -> None:
    with pytest.raises(ConfigError, match="put it into a list"):
        await texts(jobs, one)


async def test_a_keyword_that_there_is_not_is_refused_before_anything_is_asked(desk: Desk) -> None:
    jobs = Jobs(open_database(Settings("sqlite://")), desk.ask, keywords={"prompt", "model"})
    with pytest.raises(ConfigError, match="'modle'; the nearest is 'model'"):
        await texts(jobs, ["a"], modle="small")
    with pytest.raises(ConfigError, match="'zzz'; there are 'model', 'prompt'"):
        await texts(jobs, ["a"], zzz="small")
    assert await texts(jobs, [{"prompt": "a", "modle": "small"}, "b"]) == [ConfigError, "B"]
    assert desk.asked == ["b"]


async def test_an_endless_iterable_is_read_only_a_window_ahead(desk: Desk, jobs: Jobs) -> None:
    read: list[int] = []

    def endless() -> Iterator[str]:
        for number in count():
            read.append(number)
            yield f"q{number}"

    async with aclosing(jobs.batch(endless(), concurrency=2)) as outcomes:
        for number in range(100):
            outcome = await anext(outcomes)
            assert isinstance(outcome, Reply)
            assert outcome.text == f"Q{number}"
            assert len(read) <= number + 2 + ahead(2)
    assert len(desk.asked) <= len(read) <= 100 + ahead(2) + 1


async def test_an_asynchronous_iterable_is_asked_as_it_comes(desk: Desk, jobs: Jobs) -> None:
    more = asyncio.Event()
    closed = asyncio.Event()

    async def slow() -> AsyncIterator[str]:
        try:
            yield "a"
            await more.wait()
            yield "b"
        finally:
            closed.set()

    async with aclosing(jobs.batch(slow())) as outcomes:
        first = await anext(outcomes)  # it does not wait for the second request
        assert isinstance(first, Reply)
        more.set()
        assert [outcome.text async for outcome in outcomes if isinstance(outcome, Reply)] == ["B"]
    assert desk.asked == ["a", "b"]
    assert closed.is_set()


async def test_an_error_of_the_iterable_is_raised_after_what_came_before_it(jobs: Jobs) -> None:
    def broken() -> Iterator[str]:
        yield "a"
        raise OSError("the file is gone")

    outcomes = jobs.batch(broken())
    assert isinstance(await anext(outcomes), Reply)
    with pytest.raises(OSError, match="the file is gone"):
        await anext(outcomes)


async def test_leaving_cancels_what_is_under_way(desk: Desk, jobs: Jobs) -> None:
    async with aclosing(jobs.batch([f"q{n}" for n in range(100)], concurrency=4)) as outcomes:
        await anext(outcomes)
        desk.gate.clear()
        await until(lambda: len(desk.asked) - len(desk.answered) == 4)
        under_way = [prompt for prompt in desk.asked if prompt not in desk.answered]
    assert sorted(desk.cancelled) == sorted(under_way)
    assert len(desk.asked) < 100


async def test_cancelling_the_task_cancels_what_is_under_way(desk: Desk, jobs: Jobs) -> None:
    desk.gate.clear()
    task = asyncio.create_task(texts(jobs, ["a", "b", "c"], concurrency=2))
    await until(lambda: len(desk.asked) == 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(desk.cancelled) == ["a", "b"]
    assert desk.asked == ["a", "b"]


async def test_progress_is_told_after_each_with_the_total_where_it_is_known(jobs: Jobs) -> None:
    told: list[tuple[int, int | None]] = []
    await texts(jobs, ["a", "b"], progress=lambda done, total: told.append((done, total)))
    await texts(jobs, iter(["a"]), progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2), (1, None)]


async def test_our_own_limits_are_waited_for_and_the_vendors_are_not(desk: Desk, jobs: Jobs) -> None:
    refusals = [RateLimited("Wait.", provider="toolkit", retry_after=0.01) for _ in range(3)]
    desk.failing = lambda _prompt: refusals.pop() if refusals else None
    assert await texts(jobs, ["a"]) == ["A"]
    assert desk.asked == ["a"] * 4

    refusals.append(RateLimited("Wait.", provider="openai", retry_after=0.01))
    assert await texts(jobs, ["b"]) == [RateLimited]


async def test_who_would_wait_longer_than_is_allowed_is_refused_at_once(desk: Desk) -> None:
    jobs = Jobs(open_database(Settings("sqlite://")), desk.ask, queue=5.0)
    desk.failing = lambda _prompt: RateLimited("Wait.", provider="toolkit", retry_after=6.0)
    assert await texts(jobs, ["a"]) == [RateLimited]
    assert desk.asked == ["a"]


async def test_nothing_at_all_is_a_batch_of_nothing(jobs: Jobs) -> None:
    assert await texts(jobs, []) == []


async def test_a_concurrency_of_nobody_is_refused(jobs: Jobs) -> None:
    with pytest.raises(ConfigError, match="`concurrency` must be at least 1"):
        await texts(jobs, ["a"], concurrency=0)

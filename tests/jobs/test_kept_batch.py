"""A batch that is kept under a name: it goes on where it was left, and nothing acknowledged is asked twice."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import pytest

from tests.jobs.conftest import Desk, until
from toolkit.db import Database
from toolkit.db.feed import Feed
from toolkit.errors import AllModelsFailed, ConfigError, Conflict, NotFound, ProviderUnavailable, RateLimited
from toolkit.jobs import batch as kept
from toolkit.jobs import lease, store
from toolkit.jobs.jobs import Jobs
from toolkit.jobs.outcomes import Outcome
from toolkit.messages import Attempt, Message, Reply

QUESTIONS = [f"q{n}" for n in range(30)]
ANSWERS = [question.upper() for question in QUESTIONS]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What takes seconds takes a moment."""
    monkeypatch.setattr(store, "LEASE", 0.5)
    monkeypatch.setattr(lease, "SIGN_OF_LIFE", 0.05)
    monkeypatch.setattr(kept, "POLL", 0.01)


async def texts(jobs: Jobs, requests: Any, **rest: Any) -> list[str]:
    return [said(outcome) async for outcome in jobs.batch(requests, job="night", **rest)]


async def call_ids(jobs: Jobs) -> list[str]:
    return [outcome.call_id async for outcome in jobs.batch(["a", "b"], job="night") if isinstance(outcome, Reply)]


def said(outcome: Outcome) -> str:
    return outcome.text if isinstance(outcome, Reply) else type(outcome).__name__


async def some(jobs: Jobs, number: int) -> list[str]:
    """The first answers; then the batch is left."""
    seen = []
    async with aclosing(jobs.batch(QUESTIONS, job="night", concurrency=2)) as outcomes:
        async for outcome in outcomes:
            seen.append(said(outcome))
            if len(seen) == number:
                break
    return seen


async def test_a_batch_that_is_called_again_gives_its_answers_without_asking(jobs: Jobs, desk: Desk) -> None:
    assert await texts(jobs, QUESTIONS) == ANSWERS
    assert await texts(jobs, QUESTIONS) == ANSWERS
    assert sorted(desk.asked) == sorted(QUESTIONS)
    job = await jobs.get("night")
    assert (job.kind, job.status, job.total, job.answered, job.failed) == ("batch", "completed", 30, 30, 0)
    assert job.ended_at is not None


async def test_a_batch_goes_on_where_it_was_left(jobs: Jobs, desk: Desk) -> None:
    assert await some(jobs, 5) == ANSWERS[:5]
    job = await jobs.get("night")
    assert (job.status, job.working, job.ended) == ("pending", False, False)
    answered = list(desk.answered)
    desk.asked.clear()

    assert await texts(jobs, QUESTIONS) == ANSWERS
    assert not set(answered[:5]) & set(desk.asked)
    assert (await jobs.get("night")).status == "completed"


async def test_an_answer_is_kept_before_it_is_given(jobs: Jobs, db: Database) -> None:
    seen = 0
    async with aclosing(jobs.batch(QUESTIONS, job="night")) as outcomes:
        async for _ in outcomes:
            seen += 1
            done = "SELECT COUNT(*) AS n FROM job_items WHERE status = 'completed' AND position < :seen"
            row = await db.fetch_one(done, seen=seen)
            assert row is not None
            assert row["n"] == seen


async def test_an_answer_comes_back_whole(jobs: Jobs) -> None:
    first = [outcome async for outcome in jobs.batch(["a"], job="night")]
    assert [outcome async for outcome in jobs.batch(["a"], job="night")] == first


async def test_an_error_is_kept_and_given_again_as_what_it_was(jobs: Jobs, desk: Desk) -> None:
    attempts = (Attempt("small", "openai", "gpt", error="RateLimited", message="Wait.", status=429),)
    errors = {"a": RateLimited("Wait.", provider="openai", status=429, retry_after=2.0), "b": AllModelsFailed(attempts)}
    desk.failing = errors.get
    for _ in range(2):
        limited, failed, answered = [outcome async for outcome in jobs.batch(["a", "b", "c"], job="night")]
        assert isinstance(limited, RateLimited)
        assert (limited.status, limited.retry_after, limited.provider) == (429, 2.0, "openai")
        assert isinstance(failed, AllModelsFailed)
        assert failed.attempts == attempts
        assert isinstance(answered, Reply)
    assert len(desk.asked) == 3
    job = await jobs.get("night")
    assert (job.status, job.answered, job.failed) == ("completed", 1, 2)


async def test_other_requests_under_the_same_name_are_refused(jobs: Jobs, desk: Desk) -> None:
    await texts(jobs, ["a", "b"])
    for others in (["a"], ["b", "a"], ["a", "b", "c"], [{"prompt": "a", "model": "large"}, "b"]):
        with pytest.raises(Conflict, match="'night' was begun with other requests"):
            await texts(jobs, others)
    with pytest.raises(Conflict, match="other requests"):
        await texts(jobs, ["a", "b"], model="large")
    assert len(desk.asked) == 2


async def test_the_same_requests_in_another_form_are_the_same(jobs: Jobs, desk: Desk) -> None:
    await texts(jobs, [{"prompt": "a", "user": "ada"}, {"prompt": "b", "user": "ada", "model": None}])
    assert await texts(jobs, iter(["a", "b"]), user="ada") == ["A", "B"]
    assert len(desk.asked) == 2


@dataclass
class City:
    name: str


@pytest.mark.parametrize("name", ["response_model", "validation_context", "approve"])
async def test_what_cannot_be_kept_is_refused_and_nothing_is_asked(jobs: Jobs, desk: Desk, name: str) -> None:
    with pytest.raises(ConfigError, match=f"Request 1: .*cannot keep '{name}'; leave it out, or ask without a job"):
        await texts(jobs, ["a", {"prompt": "b", name: City}])
    assert desk.asked == []
    with pytest.raises(NotFound):
        await jobs.get("night")
    assert await texts(jobs, ["a"]) == ["A"]  # the name is free


async def test_a_callable_cannot_be_kept(jobs: Jobs) -> None:
    with pytest.raises(ConfigError, match="'extra' cannot be kept as JSON"):
        await texts(jobs, [{"prompt": "b", "extra": {"call": len}}])


async def test_without_a_name_it_may_have_what_cannot_be_kept(jobs: Jobs, desk: Desk) -> None:
    assert [said(o) async for o in jobs.batch([{"prompt": "b", "response_model": City}])] == ["B"]
    assert desk.keywords[0]["response_model"] is City


async def test_messages_are_kept_as_they_are(jobs: Jobs, desk: Desk) -> None:
    message = Message("user", "half \ud800 and \0", pinned=True)
    await texts(jobs, [message, [message, {"role": "user", "content": "x"}]])
    assert desk.keywords[0]["prompt"] == [{"role": "user", "text": "half � and �", "pinned": True}]
    assert desk.keywords[1]["prompt"][1] == {"role": "user", "content": "x"}


async def test_an_answer_that_a_database_cannot_hold_is_kept_as_it_can(jobs: Jobs, desk: Desk) -> None:
    desk.saying = lambda _prompt: "half \ud800 and \0"
    await texts(jobs, ["a"])
    assert await texts(jobs, ["a"]) == ["half � and �"]


@pytest.mark.parametrize("name", ["", " x", "a\0b", "a\nb", "x" * 201])
async def test_a_name_that_cannot_be_one_is_refused(jobs: Jobs, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be used"):
        _ = [outcome async for outcome in jobs.batch(["a"], job=name)]
    with pytest.raises(NotFound):
        await jobs.get(name)


async def test_many_requests_are_kept_page_by_page(jobs: Jobs) -> None:
    many = [f"q{n}" for n in range(2 * kept.PAGE + 1)]

    async def one_by_one() -> AsyncIterator[str]:
        for question in many:
            yield question

    told: list[tuple[int, int | None]] = []
    answers = await texts(jobs, one_by_one(), progress=lambda done, total: told.append((done, total)))
    assert answers == [question.upper() for question in many]
    assert told[-1] == (len(many), len(many))


async def test_an_iterable_that_breaks_leaves_the_name_free(jobs: Jobs) -> None:
    def broken() -> Iterator[str]:
        yield from QUESTIONS * 5
        raise OSError("the file is gone")

    with pytest.raises(OSError, match="gone"):
        await texts(jobs, broken())
    assert await texts(jobs, ["a"]) == ["A"]


@pytest.mark.usefixtures("impatient")
async def test_of_two_that_run_the_same_batch_one_asks_and_both_get_everything(
    jobs: Jobs, desk: Desk, db: Database
) -> None:
    other = Jobs(db, desk.ask)
    several = await asyncio.gather(texts(jobs, QUESTIONS), texts(other, QUESTIONS), texts(jobs, QUESTIONS))
    assert list(several) == [ANSWERS] * 3
    assert sorted(desk.asked) == sorted(QUESTIONS)


@pytest.mark.usefixtures("impatient")
async def test_who_waits_for_another_goes_on_when_that_one_leaves(jobs: Jobs, desk: Desk, db: Database) -> None:
    async with aclosing(jobs.batch(QUESTIONS, job="night", concurrency=2)) as outcomes:
        await anext(outcomes)
        desk.gate.clear()
        waiting = asyncio.create_task(texts(Jobs(db, desk.ask), QUESTIONS))
        await until(lambda: len(desk.asked) - len(desk.answered) == 2)
    desk.gate.set()
    assert await waiting == ANSWERS
    assert sorted(desk.answered) == sorted(QUESTIONS)


@pytest.mark.usefixtures("impatient")
async def test_a_batch_whose_worker_gives_no_sign_of_life_is_taken_over(
    jobs: Jobs, desk: Desk, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.gate.clear()
    with monkeypatch.context() as patch:
        patch.setattr(lease, "SIGN_OF_LIFE", 3600.0)  # as good as dead
        silent = asyncio.create_task(call_ids(jobs))
        await until(lambda: len(desk.asked) == 2)
    other = asyncio.create_task(call_ids(Jobs(db, desk.ask)))
    await until(lambda: len(desk.asked) == 4)
    desk.gate.set()
    assert await silent == await other  # what was kept first counts for both
    rows = await db.fetch_all("SELECT call_id FROM job_items ORDER BY position")
    assert [row["call_id"] for row in rows] == await other


@pytest.mark.usefixtures("impatient")
async def test_a_worker_that_gives_signs_of_life_keeps_its_batch_however_long_it_takes(
    jobs: Jobs, desk: Desk, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LEASE", 0.3)
    desk.gate.clear()
    tasks = [asyncio.create_task(texts(each, ["a", "b"])) for each in (jobs, Jobs(db, desk.ask))]
    await until(lambda: len(desk.asked) == 2)
    await asyncio.sleep(0.7)  # more than two leases
    assert len(desk.asked) == 2
    desk.gate.set()
    assert await asyncio.gather(*tasks) == [["A", "B"]] * 2
    assert len(desk.asked) == 2


async def test_cancelling_a_batch_cancels_what_is_under_way_and_says_so(jobs: Jobs, desk: Desk) -> None:
    desk.gate.clear()
    running = asyncio.create_task(texts(jobs, ["a", "b", "c"], concurrency=2))
    await until(lambda: len(desk.asked) == 2)
    job = await jobs.cancel("night")
    assert (job.status, job.ended) == ("cancelled", True)
    with pytest.raises(Conflict, match="'night' was cancelled"):
        await running
    assert sorted(desk.cancelled) == ["a", "b"]
    with pytest.raises(Conflict, match="'night' was cancelled"):
        await texts(jobs, ["a", "b", "c"])


@pytest.mark.usefixtures("impatient")
async def test_a_batch_that_another_process_cancels_stops(jobs: Jobs, desk: Desk, db: Database) -> None:
    desk.gate.clear()
    running = asyncio.create_task(texts(jobs, ["a", "b"]))
    await until(lambda: len(desk.asked) == 2)
    await Jobs(db, desk.ask).cancel("night")
    with pytest.raises(Conflict, match="cancelled"):
        await running
    assert sorted(desk.cancelled) == ["a", "b"]


async def test_a_batch_that_was_left_or_cancelled_runs_on_without_its_requests(jobs: Jobs, desk: Desk) -> None:
    await some(jobs, 3)
    await jobs.cancel("night")
    job = await jobs.run("night")
    assert (job.status, job.answered) == ("completed", 30)
    assert sorted(desk.answered) == sorted(QUESTIONS)
    assert await texts(jobs, QUESTIONS) == ANSWERS


async def test_failed_questions_are_asked_again_on_demand_only(jobs: Jobs, desk: Desk) -> None:
    desk.failing = lambda prompt: ProviderUnavailable("Away.", provider="openai") if prompt == "b" else None
    assert await texts(jobs, ["a", "b"]) == ["A", "ProviderUnavailable"]
    desk.failing = lambda _prompt: None
    assert (await jobs.run("night")).failed == 1
    assert (await jobs.run("night", failed=True)).failed == 0
    assert desk.asked == ["a", "b", "b"]
    assert await texts(jobs, ["a", "b"]) == ["A", "B"]


async def test_a_batch_is_told_when_it_begins_and_when_it_ends(jobs: Jobs, db: Database) -> None:
    feed = Feed(db)
    place = await feed.last()
    await texts(jobs, ["a", "b"])
    seen = []
    async with aclosing(feed.subscribe("job.*", after=place)) as events:
        async for event in events:
            seen.append((event.kind, event.subject, event.body["status"]))
            if len(seen) == 2:
                break
    assert seen == [("job.updated", "night", "running"), ("job.updated", "night", "completed")]


async def test_an_empty_batch_is_complete(jobs: Jobs) -> None:
    assert await texts(jobs, []) == []
    assert (await jobs.get("night")).status == "completed"

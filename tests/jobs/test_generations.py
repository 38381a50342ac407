"""Questions that are answered in the background, and outlive their process."""

import asyncio
from datetime import timedelta

import pytest

from tests.jobs.conftest import Desk, until
from toolkit.db import Database
from toolkit.db.feed import Feed
from toolkit.errors import ConfigError, Conflict, NotFound, RateLimited
from toolkit.jobs import lease, store
from toolkit.jobs.job import Generation
from toolkit.jobs.jobs import Jobs
from toolkit.messages import Message
from toolkit.stamps import now


async def ended(jobs: Jobs, job_id: str) -> Generation:
    job = await jobs.wait(job_id, within=60)
    assert isinstance(job, Generation)
    assert job.ended
    return job


async def test_a_generation_is_accepted_at_once_and_answered_in_the_background(jobs: Jobs, desk: Desk) -> None:
    desk.gate.clear()
    accepted = await jobs.generate("hello", user="ada", origin="app")
    assert (accepted.status, accepted.reply, accepted.user, accepted.origin) == ("pending", None, "ada", "app")
    await until(lambda: desk.asked == ["hello"])
    assert (await jobs.get(accepted.id)).status == "running"

    desk.gate.set()
    job = await ended(jobs, accepted.id)
    assert (job.status, job.answered, job.failed, job.error, job.failure) == ("completed", 1, 0, None, None)
    assert job.reply
    assert (job.reply.text, job.reply.cost_usd) == ("HELLO", 7e-9)
    assert desk.keywords == [{"prompt": "hello", "user": "ada", "origin": "app"}]


async def test_a_generation_that_fails_keeps_its_error(jobs: Jobs, desk: Desk) -> None:
    desk.failing = lambda _prompt: RateLimited("Come back later.", provider="openai", status=429, retry_after=3.0)
    job = await ended(jobs, (await jobs.generate("hello")).id)
    assert (job.status, job.error, job.reply, job.failed) == ("failed", "Come back later.", None, 1)
    assert isinstance(job.failure, RateLimited)
    assert (job.failure.retry_after, job.failure.status) == (3.0, 429)


async def test_the_user_who_asks_wins_over_the_one_that_the_request_names(jobs: Jobs, desk: Desk) -> None:
    job = await jobs.generate({"prompt": "hello", "user": "eve", "model": "large"}, user="ada")
    assert job.user == "ada"
    await ended(jobs, job.id)
    assert desk.keywords == [{"prompt": "hello", "user": "ada", "model": "large"}]


async def test_another_owners_generation_is_not_there(jobs: Jobs) -> None:
    mine = await jobs.generate("hello", user="ada")
    nobodys = await jobs.generate("hello")
    assert (await jobs.generation(mine.id, "ada")).id == mine.id
    for job_id, owner in ((mine.id, "eve"), (nobodys.id, "ada")):
        for look in (jobs.get, jobs.generation, jobs.cancel, jobs.delete):
            with pytest.raises(NotFound, match="There is no job"):
                await look(job_id, owner)
    assert await jobs.list(user="eve") == []


async def test_what_is_no_request_is_refused_before_it_is_accepted(jobs: Jobs, desk: Desk) -> None:
    for wrong in ({"model": "small"}, {"prompt": "a", "response_model": Message}, 7):
        with pytest.raises(ConfigError):
            await jobs.generate(wrong)  # type: ignore[arg-type]
    assert await jobs.list() == []
    assert desk.asked == []


async def test_no_more_are_answered_at_once_than_was_said(db: Database, desk: Desk) -> None:
    jobs = Jobs(db, desk.ask, concurrency=2)
    accepted = [await jobs.generate(f"q{n}") for n in range(10)]
    for job in accepted:
        await ended(jobs, job.id)
    assert desk.at_once <= 2
    await jobs.close()


async def test_a_generation_goes_on_in_the_next_process_when_its_own_is_closed(db: Database, desk: Desk) -> None:
    first, second = Jobs(db, desk.ask, concurrency=1), Jobs(db, desk.ask)
    desk.gate.clear()
    accepted = [await first.generate(f"q{n}") for n in range(3)]
    await until(lambda: desk.asked == ["q0"])
    await first.close()
    assert desk.cancelled == ["q0"]
    assert {(await second.get(job.id)).status for job in accepted} == {"pending"}

    desk.gate.set()
    assert await second.resume() == 3
    assert [(await ended(second, job.id)).status for job in accepted] == ["completed"] * 3
    assert sorted(desk.answered) == ["q0", "q1", "q2"]
    await second.close()


async def test_a_generation_whose_process_was_killed_is_taken_up_once_it_gives_no_sign_of_life(
    db: Database, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LEASE", 0.2)
    killed, living = Jobs(db, desk.ask), Jobs(db, desk.ask)
    desk.gate.clear()
    monkeypatch.setattr(lease, "SIGN_OF_LIFE", 3600.0)  # as good as dead
    job = await killed.generate("hello")
    await until(lambda: desk.asked == ["hello"])
    monkeypatch.setattr(lease, "SIGN_OF_LIFE", 0.02)
    assert await living.resume() == 0  # it still counts as alive
    await until(lambda: desk.asked == ["hello", "hello"])
    desk.gate.set()
    assert (await ended(living, job.id)).status == "completed"
    await living.close()
    await killed.close()
    assert (await living.get(job.id)).status == "completed"


async def test_a_generation_that_lives_is_not_taken_however_long_it_takes(
    db: Database, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LEASE", 0.3)
    monkeypatch.setattr(lease, "SIGN_OF_LIFE", 0.05)
    desk.gate.clear()
    mine, other = Jobs(db, desk.ask, concurrency=1), Jobs(db, desk.ask)
    accepted = [await mine.generate(f"q{n}") for n in range(3)]  # two of them wait for a free hand
    await other.resume()
    await asyncio.sleep(0.7)  # more than two leases
    assert desk.asked == ["q0"]
    desk.gate.set()
    for job in accepted:
        await ended(mine, job.id)
    assert desk.asked == ["q0", "q1", "q2"]
    await mine.close()
    await other.close()


async def test_of_many_processes_that_start_each_question_is_taken_by_one(db: Database, desk: Desk) -> None:
    gone = Jobs(db, desk.ask, concurrency=1)
    desk.gate.clear()
    accepted = [await gone.generate(f"q{n}") for n in range(20)]
    await gone.close()
    desk.asked.clear()
    desk.gate.set()
    several = [Jobs(db, desk.ask) for _ in range(5)]
    assert sum(await asyncio.gather(*(jobs.resume() for jobs in several))) == 20
    for job in accepted:
        await ended(several[0], job.id)
    assert sorted(desk.asked) == sorted(f"q{n}" for n in range(20))
    for jobs in several:
        await jobs.close()


async def test_no_more_is_taken_up_than_there_are_hands_for_and_the_rest_follows(db: Database, desk: Desk) -> None:
    gone = Jobs(db, desk.ask, concurrency=1)
    desk.gate.clear()
    for number in range(9):
        await gone.generate(f"q{number}")
    await gone.close()
    next_one = Jobs(db, desk.ask, concurrency=1)
    assert await next_one.resume() == 4
    desk.gate.set()
    await next_one.drained()
    assert {job.status for job in await next_one.list()} == {"completed"}
    await next_one.close()


async def test_a_cancelled_generation_is_no_longer_asked(jobs: Jobs, desk: Desk) -> None:
    desk.gate.clear()
    job = await jobs.generate("hello")
    await until(lambda: desk.asked == ["hello"])
    assert (await jobs.cancel(job.id)).status == "cancelled"
    await until(lambda: desk.cancelled == ["hello"])
    assert (await jobs.wait(job.id, within=60)).status == "cancelled"
    assert (await jobs.cancel(job.id)).status == "cancelled"


async def test_a_generation_that_another_process_cancels_stops(
    jobs: Jobs, desk: Desk, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "SIGN_OF_LIFE", 0.02)
    desk.gate.clear()
    job = await jobs.generate("hello")
    await until(lambda: desk.asked == ["hello"])
    await Jobs(db, desk.ask).cancel(job.id)
    await until(lambda: desk.cancelled == ["hello"])


async def test_cancelling_what_has_ended_changes_nothing(jobs: Jobs) -> None:
    job = await ended(jobs, (await jobs.generate("hello")).id)
    assert await jobs.cancel(job.id) == job


async def test_waiting_ends_with_the_time_that_was_given(jobs: Jobs, desk: Desk) -> None:
    desk.gate.clear()
    job = await jobs.generate("hello")
    assert not (await jobs.wait(job.id, within=0.05)).ended
    assert not (await jobs.wait(job.id, within=0)).ended


async def test_a_failed_generation_is_asked_again_on_demand(jobs: Jobs, desk: Desk) -> None:
    desk.failing = lambda _prompt: RateLimited("Come back later.", provider="openai")
    job = await ended(jobs, (await jobs.generate("hello")).id)
    desk.failing = lambda _prompt: None
    again = await jobs.run(job.id)
    assert isinstance(again, Generation)
    assert (again.status, again.error, again.failure) == ("completed", None, None)
    assert again.reply
    assert desk.asked == ["hello", "hello"]


async def test_a_generation_is_told_when_it_is_accepted_begins_and_ends(jobs: Jobs, db: Database) -> None:
    feed = Feed(db)
    place = await feed.last()
    job = await ended(jobs, (await jobs.generate("hello", user="ada")).id)
    seen = []
    async for event in feed.subscribe("generation.*", "job.*", subject=job.id, after=place):
        seen.append((event.kind, event.body))
        if len(seen) == 3:
            break
    feed.close()
    assert seen == [
        ("generation.requested", {"user": "ada", "origin": None}),
        ("job.updated", {"status": "running", "call_id": None}),
        ("job.updated", {"status": "completed", "call_id": "call-1"}),
    ]


async def test_jobs_are_listed_last_created_first_page_by_page(jobs: Jobs) -> None:
    ids = [(await jobs.generate(f"q{n}", user="ada" if n % 2 else "eve")).id for n in range(6)]
    for job_id in ids:
        await ended(jobs, job_id)
    _ = [outcome async for outcome in jobs.batch(["a"], job="night", user="ada")]

    assert [job.id for job in await jobs.list()] == ["night", *ids[::-1]]
    first = await jobs.list(limit=3)
    assert [job.id for job in [*first, *await jobs.list(after=first[-1].id)]] == ["night", *ids[::-1]]
    assert [job.id for job in await jobs.list(user="ada", kind="generation")] == [ids[5], ids[3], ids[1]]
    assert await jobs.list(status="failed") == []
    with pytest.raises(ConfigError, match="'done'; there are 'pending'"):
        await jobs.list(status="done")


async def test_a_batch_is_no_generation(jobs: Jobs) -> None:
    _ = [outcome async for outcome in jobs.batch(["a"], job="night")]
    with pytest.raises(NotFound):
        await jobs.generation("night")


async def test_a_deleted_job_is_gone_and_one_that_is_worked_on_stays(jobs: Jobs, desk: Desk, db: Database) -> None:
    job = await ended(jobs, (await jobs.generate("hello")).id)
    await jobs.delete(job.id)
    with pytest.raises(NotFound):
        await jobs.get(job.id)
    desk.gate.clear()
    running = await jobs.generate("hello")
    await until(lambda: len(desk.asked) == 2)
    with pytest.raises(Conflict, match="cancel it first"):
        await jobs.delete(running.id)
    await jobs.cancel(running.id)
    await jobs.delete(running.id)
    assert await db.fetch_all("SELECT 1 FROM job_items") == []


async def test_old_jobs_are_forgotten_some_at_a_time_and_running_ones_are_not(
    jobs: Jobs, desk: Desk, db: Database
) -> None:
    for number in range(5):
        await ended(jobs, (await jobs.generate(f"q{number}")).id)
    _ = [outcome async for outcome in jobs.batch([f"q{n}" for n in range(20)], job="night")]
    desk.gate.clear()
    running = await jobs.generate("hello")
    await until(lambda: desk.asked[-1] == "hello")
    later = now() + timedelta(seconds=1)

    assert await jobs.count_before(later) == 6
    gone = []
    while forgotten := await jobs.prune(later, 5):
        gone.append(forgotten)
    assert sum(gone) == 6
    assert len(gone) > 2
    assert [job.id for job in await jobs.list()] == [running.id]
    assert len(await db.fetch_all("SELECT 1 FROM job_items")) == 1
    assert await jobs.count_before(now() - timedelta(days=1)) == 0

"""Batches that the vendors work on, for half the price: handed over, looked at, fetched, also after a restart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import pytest

from tests.jobs.conftest import Desk, until
from toolkit.db import Database
from toolkit.errors import BadAnswer, ConfigError, Conflict, InvalidRequest, NotFound
from toolkit.jobs import batch as kept
from toolkit.jobs import lease, store, vendor
from toolkit.jobs.jobs import Jobs
from toolkit.jobs.outcomes import Outcome
from toolkit.messages import Reply, Usage
from toolkit.models.batches import VendorBatches
from toolkit.models.catalog import Catalog
from toolkit.models.prices import cost_nano_usd
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.usage.ledger import Ledger

MODELS = {"openai": "gpt-6-luna", "anthropic": "claude-haiku-5-5"}
CAPITALS = ["Capital of France?", "Capital of Italy?", "Capital of Spain?"]


@pytest.fixture
def vendors() -> Any:
    with VendorServer() as server:
        yield server


@pytest.fixture(params=list(MODELS))
def model(request: pytest.FixtureRequest) -> str:
    return f"{request.param}/{MODELS[request.param]}"


def made(db: Database, desk: Desk, vendors: VendorServer) -> Jobs:
    environ = vendors.environ()
    own = VendorBatches(Catalog(db, environ), Ledger(db), environ)
    return Jobs(db, desk.ask, vendors=own, vendor_pause=0.01)


@pytest.fixture
async def jobs(db: Database, desk: Desk, vendors: VendorServer) -> AsyncIterator[Jobs]:
    jobs = made(db, desk, vendors)
    yield jobs
    await jobs.close()


async def outcomes(jobs: Jobs, model: str, requests: Any = CAPITALS, job: str | None = "night") -> list[Outcome]:
    return [outcome async for outcome in jobs.batch(requests, model=model, vendor_batch=True, job=job)]


def handed_over(vendors: VendorServer) -> int:
    return sum(len(each.batches) for each in vendors.batches.values())


@pytest.mark.parametrize("job", ["night", None])
async def test_a_vendors_batch_gives_each_answer_in_its_place(
    jobs: Jobs, desk: Desk, vendors: VendorServer, model: str, job: str | None
) -> None:
    replies = await outcomes(jobs, model, [*CAPITALS, {"prompt": "Capital of Peru?", "system": "Be brief."}], job)
    for reply, place in zip(replies, ("France", "Italy", "Spain", "Peru"), strict=True):
        assert isinstance(reply, Reply)
        assert place in reply.text
    assert desk.asked == []
    assert handed_over(vendors) == 1
    (listed,) = await jobs.list()
    assert (listed.kind, listed.status, listed.answered) == ("vendor_batch", "completed", 4)


async def test_each_answer_is_in_the_ledger_at_half_the_price(jobs: Jobs, db: Database, model: str) -> None:
    replies = await outcomes(jobs, model, [{"prompt": "Capital of France?", "user": "ada", "origin": "app"}])
    assert isinstance(replies[0], Reply)
    usage = replies[0].usage
    provider, _, name = model.partition("/")
    whole = cost_nano_usd(provider, name, usage, {})
    assert whole
    (row,) = await db.fetch_all("SELECT * FROM calls")
    assert (row["kind"], row["status"], row["user_id"], row["origin"]) == ("batch", "ok", "ada", "app")
    assert (row["call_id"], row["cost_nano_usd"]) == (replies[0].call_id, whole // 2)
    assert replies[0].cost_usd == pytest.approx(whole / 2e9)
    assert usage != Usage()


async def test_what_a_vendor_refuses_expires_or_loses_is_an_error_in_its_place(
    jobs: Jobs, vendors: VendorServer, model: str, db: Database
) -> None:
    vendors.batch_plan.refused["0"] = "This request is wrong."
    vendors.batch_plan.expired.add("1")
    vendors.batch_plan.lost.add("2")
    refused, expired, lost, answered = await outcomes(jobs, model, [*CAPITALS, "Capital of Peru?"])
    assert isinstance(refused, InvalidRequest)
    assert "This request is wrong" in str(refused)
    assert isinstance(expired, BadAnswer)
    assert isinstance(lost, BadAnswer)
    assert "without a result" in str(lost)
    assert isinstance(answered, Reply)
    job = await jobs.get("night")
    assert (job.status, job.answered, job.failed) == ("completed", 1, 3)
    rows = await db.fetch_all("SELECT status FROM calls ORDER BY status")
    assert [row["status"] for row in rows] == ["error", "error", "ok"]


async def test_failed_ones_are_handed_over_again_on_demand(jobs: Jobs, vendors: VendorServer, model: str) -> None:
    vendors.batch_plan.expired.add("1")
    await outcomes(jobs, model)
    vendors.batch_plan.expired.clear()
    job = await jobs.run("night", failed=True)
    assert (job.status, job.answered, job.failed) == ("completed", 3, 0)
    (played,) = (each for each in vendors.batches.values() if each.batches)
    assert [list(batch.requests) for batch in played.batches.values()] == [["0", "1", "2"], ["1"]]


async def test_a_vendor_that_refuses_the_whole_batch_says_why_at_each_question(
    jobs: Jobs, vendors: VendorServer
) -> None:
    vendors.batch_plan.rejected = "The file has a duplicate."
    for outcome in await outcomes(jobs, "openai/gpt-6-luna"):
        assert isinstance(outcome, InvalidRequest)
        assert "duplicate" in str(outcome)
    with pytest.raises(InvalidRequest, match="duplicate"):
        await outcomes(jobs, "anthropic/claude-haiku-5-5", job="other")


async def test_a_batch_that_was_left_is_fetched_by_the_next_process(
    jobs: Jobs, db: Database, desk: Desk, vendors: VendorServer, model: str
) -> None:
    vendors.batch_plan.open.clear()
    waiting = asyncio.create_task(outcomes(jobs, model))
    await until(lambda: any(batch.looks for each in vendors.batches.values() for batch in each.batches.values()))
    waiting.cancel()
    await asyncio.wait({waiting})
    assert vendors.batch_plan.cancelled == []  # it has a name: the vendor goes on

    vendors.batch_plan.open.set()
    replies = await outcomes(made(db, desk, vendors), model)
    assert all(isinstance(reply, Reply) for reply in replies)
    assert handed_over(vendors) == 1


async def test_a_batch_without_a_name_that_is_left_is_cancelled_at_the_vendor(
    jobs: Jobs, vendors: VendorServer, model: str
) -> None:
    vendors.batch_plan.open.clear()
    waiting = asyncio.create_task(outcomes(jobs, model, job=None))
    await until(lambda: any(batch.looks for each in vendors.batches.values() for batch in each.batches.values()))
    waiting.cancel()
    await asyncio.wait({waiting})
    assert len(vendors.batch_plan.cancelled) == 1
    assert [job.status for job in await jobs.list()] == ["cancelled"]


async def test_a_batch_without_a_name_that_no_vendor_took_is_not_left_waiting(jobs: Jobs) -> None:
    with pytest.raises(NotFound):
        await outcomes(jobs, "nobody", job=None)
    assert [job.status for job in await jobs.list()] == ["cancelled"]


async def test_cancelling_the_job_cancels_it_at_the_vendor(jobs: Jobs, vendors: VendorServer, model: str) -> None:
    vendors.batch_plan.open.clear()
    waiting = asyncio.create_task(outcomes(jobs, model))
    await until(lambda: any(batch.looks for each in vendors.batches.values() for batch in each.batches.values()))
    assert (await jobs.cancel("night")).status == "cancelled"
    with pytest.raises(Conflict, match="cancelled"):
        await waiting
    assert len(vendors.batch_plan.cancelled) == 1


async def test_a_vendor_that_is_out_of_order_is_looked_at_again_later(
    jobs: Jobs, vendors: VendorServer, model: str
) -> None:
    vendors.batch_plan.open.clear()
    waiting = asyncio.create_task(outcomes(jobs, model))
    await until(lambda: any(batch.looks for each in vendors.batches.values() for batch in each.batches.values()))
    vendors.fail(model.partition("/")[0], Fault.status(503), times=3)
    vendors.batch_plan.open.set()
    assert all(isinstance(reply, Reply) for reply in await waiting)


async def test_a_large_batch_is_handed_over_in_parts(
    jobs: Jobs, vendors: VendorServer, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vendor, "MOST_AT_ONCE", 2)
    replies = await outcomes(jobs, model, [f"Question {n}" for n in range(5)])
    assert [f"Question {n}" in reply.text for n, reply in enumerate(replies) if isinstance(reply, Reply)] == [True] * 5
    assert handed_over(vendors) == 3


async def test_two_processes_hand_a_batch_over_once(
    jobs: Jobs, db: Database, vendors: VendorServer, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for room, name, seconds in ((store, "LEASE", 1.0), (lease, "SIGN_OF_LIFE", 0.2), (vendor, "POLL", 0.01)):
        monkeypatch.setattr(room, name, seconds)
    monkeypatch.setattr(kept, "POLL", 0.01)
    first, second = await asyncio.gather(outcomes(jobs, model), outcomes(made(db, Desk(), vendors), model))
    assert first == second
    assert handed_over(vendors) == 1


@pytest.mark.parametrize("wrong", [{"session": "x"}, {"tools": ["semantic_search"]}, {"model": "openai/other"}])
async def test_what_a_vendors_batch_cannot_hold_is_refused_before_it_is_handed_over(
    jobs: Jobs, vendors: VendorServer, wrong: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError, match="Request 1: A vendor's batch"):
        await outcomes(jobs, "openai/gpt-6-luna", ["a", {"prompt": "b", **wrong}])
    assert handed_over(vendors) == 0


async def test_a_vendors_batch_needs_a_model_whose_vendor_has_batches(jobs: Jobs, db: Database, desk: Desk) -> None:
    with pytest.raises(ConfigError, match="needs a `model`"):
        async with aclosing(jobs.batch(["a"], vendor_batch=True)) as none:
            await anext(none)
    with pytest.raises(ConfigError, match="has no batches"):
        await outcomes(jobs, "offline/quotes")
    with pytest.raises(ConfigError, match="needs a `model`"):
        await outcomes(Jobs(db, desk.ask), "openai/gpt-6-luna")

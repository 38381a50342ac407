"""Limits of requests and tokens, over both databases and Redis."""

import asyncio
from datetime import datetime, timedelta
from typing import NoReturn

import pytest

from toolkit import stamps
from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound, RateLimited
from toolkit.messages import Caller
from toolkit.stamps import freeze
from toolkit.usage.limits import Admission, Limit, Limits
from toolkit.usage.limits.rule import Kind

ADA = Caller(user="ada", origin="app")
BOB = Caller(user="bob", origin="app")


async def free() -> int:
    return 0


async def ask(limits: Limits, caller: Caller = ADA, tokens: int = 0, wait: float = 0.0) -> Admission | None:
    return await limits.admit(caller, tokens=tokens, price=free, wait=wait)


async def admitted(limits: Limits, times: int, caller: Caller = ADA, tokens: int = 0) -> int:
    results = await asyncio.gather(*(ask(limits, caller, tokens) for _ in range(times)), return_exceptions=True)
    for result in results:
        assert isinstance(result, Admission | RateLimited), result
    return sum(isinstance(result, Admission) for result in results)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> "Clock":
    """A clock that stands still until a test moves it."""
    clock = Clock()
    monkeypatch.setattr("toolkit.usage.limits.line.moment", clock)
    monkeypatch.setattr("toolkit.usage.limits.limits.now", clock)
    return clock


class Clock:
    def __init__(self) -> None:
        self.at = stamps.now()

    def __call__(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


async def test_without_a_rule_everybody_is_let_in_and_nothing_is_asked(
    limits: Limits, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.usage.limits.rules.monotonic", lambda: 1000.0)

    async def never() -> NoReturn:
        raise AssertionError

    def nor_this() -> NoReturn:
        raise AssertionError

    await limits.admit(ADA, tokens=nor_this, price=never)
    before = db.pool_stats()
    for _ in range(100):
        assert await limits.admit(ADA, tokens=nor_this, price=never) is None
    after = db.pool_stats()
    assert (after.reads, after.writes) == (before.reads, before.writes)


async def test_of_400_at_once_exactly_the_burst_is_let_in(limits: Limits, clock: Clock) -> None:
    await limits.set("user", "ada", rpm=100)
    assert await admitted(limits, 400) == 100
    assert await admitted(limits, 1) == 0
    clock.move(0.6)
    assert await admitted(limits, 3) == 1


async def test_what_was_used_comes_back_evenly(limits: Limits, clock: Clock) -> None:
    await limits.set("total", rpm=7)
    assert await admitted(limits, 10) == 7
    clock.move(30)
    assert await admitted(limits, 10) == 3
    clock.move(600)
    assert await admitted(limits, 10) == 7


async def test_a_refused_request_says_whose_limit_it_is_and_when_to_come_again(limits: Limits, clock: Clock) -> None:
    await limits.set("user", "ada", rpm=2)
    assert await admitted(limits, 2) == 2
    with pytest.raises(RateLimited) as refused:
        await ask(limits)
    assert refused.value.retry_after == 30.0
    assert refused.value.provider == "toolkit"
    assert str(refused.value) == (
        "The user 'ada' may use 2 requests per minute, and they are used up; try again in 30 s."
    )
    clock.move(29.999)
    assert await admitted(limits, 1) == 0
    clock.move(0.001)
    assert await admitted(limits, 1) == 1
    await limits.set("user", "ada", rpm=1)
    clock.move(2)
    with pytest.raises(RateLimited, match="may use 1 request per minute, and it is used up; try again in"):
        await ask(limits)


@pytest.mark.usefixtures("clock")
async def test_each_has_the_limit_of_their_own_and_those_without_a_name_share_one(limits: Limits) -> None:
    await limits.set("user", rpm=2)
    await limits.set("user", "bob", rpm=5)
    await limits.set("user", "carl")
    assert await admitted(limits, 9) == 2
    assert await admitted(limits, 9, BOB) == 5
    assert await admitted(limits, 9, Caller()) == 2
    assert await ask(limits, Caller(user="carl")) is None


@pytest.mark.usefixtures("clock")
async def test_a_refused_request_takes_nothing_of_any_limit(limits: Limits) -> None:
    await limits.set("user", rpm=3)
    await limits.set("origin", "app", rpm=100)
    await limits.set("total", tpm=100)
    assert await admitted(limits, 50, ADA, tokens=10) == 3
    assert await admitted(limits, 50, BOB, tokens=30) == 2
    left = {(s.kind, s.unit): s.left for s in await limits.status(user="bob", origin="app")}
    assert left == {("user", "requests"): 1, ("origin", "requests"): 95, ("total", "tokens"): 10}


@pytest.mark.usefixtures("clock")
async def test_tokens_are_corrected_up_and_down(limits: Limits) -> None:
    await limits.set("user", tpm=1000)
    first = await ask(limits, tokens=600)
    assert await admitted(limits, 1, tokens=600) == 0
    await limits.settle(first, tokens=100, nano_usd=None)
    second = await ask(limits, tokens=600)
    await limits.settle(second, tokens=1900, nano_usd=None)
    await limits.settle(second, tokens=0, nano_usd=None)  # a second word changes nothing
    with pytest.raises(RateLimited) as refused:
        await ask(limits, tokens=1)
    assert refused.value.retry_after == pytest.approx(60.06)


@pytest.mark.usefixtures("clock")
async def test_what_never_reached_a_vendor_gives_its_tokens_back_and_an_unknown_end_does_not(limits: Limits) -> None:
    await limits.set("user", tpm=1000)
    await limits.settle(await ask(limits, tokens=1000), tokens=0, nano_usd=0)
    unknown = await ask(limits, tokens=1000)
    await limits.settle(unknown, tokens=None, nano_usd=None)
    assert await admitted(limits, 1, tokens=1) == 0


async def test_tokens_given_back_late_are_no_credit(limits: Limits, clock: Clock) -> None:
    await limits.set("user", tpm=1000)
    admission = await ask(limits, tokens=1000)
    clock.move(3600)
    await limits.settle(admission, tokens=0, nano_usd=None)
    assert await admitted(limits, 9, tokens=500) == 2


async def test_a_request_larger_than_a_minute_is_let_in_when_nothing_else_is_used(limits: Limits, clock: Clock) -> None:
    await limits.set("user", tpm=100)
    assert await ask(limits, tokens=50)
    with pytest.raises(RateLimited, match="larger than that and is let in when nothing else is used") as refused:
        await ask(limits, tokens=300)
    assert refused.value.retry_after == 30.0
    clock.move(30)
    assert await ask(limits, tokens=300)
    clock.move(179)
    assert await admitted(limits, 2, tokens=100) == 0
    clock.move(1)
    assert await admitted(limits, 2, tokens=100) == 1


async def test_who_may_wait_is_let_in_in_turn(limits: Limits) -> None:
    await limits.set("user", rpm=600)
    assert await admitted(limits, 600) >= 600
    order: list[int] = []

    async def waiting(number: int) -> None:
        await ask(limits, wait=30)
        order.append(number)

    await asyncio.gather(*(waiting(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]


@pytest.mark.usefixtures("clock")
async def test_who_cannot_be_let_in_before_the_deadline_is_told_so_at_once(limits: Limits) -> None:
    await limits.set("user", rpm=2)
    assert await admitted(limits, 2) == 2
    async with asyncio.timeout(5):
        with pytest.raises(RateLimited) as refused:
            await ask(limits, wait=29)
    assert refused.value.retry_after == 30.0


async def test_nobody_overtakes_one_who_waits(limits: Limits, clock: Clock) -> None:
    await limits.set("user", tpm=100)
    assert await ask(limits, tokens=60)
    large = asyncio.create_task(ask(limits, tokens=80, wait=40))
    await asyncio.sleep(0.05)
    with pytest.raises(RateLimited) as refused:
        await ask(limits, tokens=30)
    assert refused.value.retry_after == pytest.approx(42.0)
    clock.move(24)
    assert await ask(limits, BOB, tokens=1)  # whoever comes wakes the line
    assert await large


@pytest.mark.usefixtures("clock")
async def test_who_goes_away_while_waiting_takes_nothing(limits: Limits) -> None:
    await limits.set("user", tpm=100)
    assert await ask(limits, tokens=60)
    task = asyncio.create_task(ask(limits, tokens=80, wait=3600))
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert await ask(limits, tokens=40)


@pytest.mark.usefixtures("clock")
async def test_who_goes_away_while_it_is_decided_takes_nothing(limits: Limits) -> None:
    await limits.set("user", rpm=10)
    assert await ask(limits)
    tasks = [asyncio.create_task(ask(limits)) for _ in range(9)]
    await asyncio.sleep(0)  # they stand in the line
    await asyncio.sleep(0)  # and are being decided
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0.1)
    await limits.flush()
    assert await admitted(limits, 20) == 9


@pytest.mark.usefixtures("clock")
async def test_a_models_limit_is_its_own_rule_or_that_of_its_row_or_that_of_each(limits: Limits) -> None:
    async def asked(model: str, rpm: int | None = None) -> int:
        questions = (limits.admit_model(model, rpm=rpm, tpm=None, tokens=1) for _ in range(20))
        results = await asyncio.gather(*questions, return_exceptions=True)
        refused = [str(result) for result in results if isinstance(result, RateLimited)]
        assert all(sentence.startswith(f"The model {model!r} may use ") for sentence in refused)
        return sum(isinstance(result, Admission) for result in results)

    assert await limits.admit_model("small", rpm=None, tpm=None, tokens=1) is None
    assert await asked("small", rpm=3) == 3
    await limits.set("model", "large", rpm=5)
    await limits.set("model", rpm=2)
    assert await asked("large", rpm=3) == 5
    assert await asked("other") == 2
    assert await asked("third", rpm=4) == 4


async def test_a_limit_of_the_settings_holds_until_a_row_says_otherwise(db: Database) -> None:
    limits = Limits(db, rpm=3, usd_per_day=1.5)
    assert await limits.list() == [Limit("total", "*", usd_per_day=1.5), Limit("user", "*", rpm=3)]
    assert await admitted(limits, 9) == 3
    with pytest.raises(ConfigError, match="comes from the settings"):
        await limits.remove("user")
    await limits.set("user", rpm=60)
    assert [limit.rpm for limit in await limits.list()] == [None, 60]
    await limits.remove("user")
    assert [limit.rpm for limit in await limits.list()] == [None, 3]
    with pytest.raises(NotFound, match="There is no limit of user 'ada'"):
        await limits.remove("user", "ada")
    await limits.close()


async def test_another_process_goes_by_a_new_rule_within_a_second(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = 1000.0
    monkeypatch.setattr("toolkit.usage.limits.rules.monotonic", lambda: time)
    here, there = Limits(db), Limits(db)
    assert await ask(there) is None
    await here.set("user", rpm=1)
    assert await ask(there) is None
    time += 1.0
    assert await ask(there)
    await there.close()


@pytest.mark.parametrize("name", ["x" * 5000, "a:b", "nul\0", "half\ud800", "Ω" * 200])
@pytest.mark.usefixtures("clock")
async def test_a_caller_may_have_any_name(limits: Limits, name: str) -> None:
    await limits.set("user", rpm=1)
    assert await admitted(limits, 3, Caller(user=name)) == 1
    assert await admitted(limits, 3, Caller(user=name + "!")) == 1


@pytest.mark.parametrize(
    ("kind", "name", "values", "words"),
    [
        ("team", "x", {"rpm": 1}, "There is no limit of 'team'; choose one of user, origin, model, total"),
        ("user", "", {"rpm": 1}, "must have 1 to 200 printable characters"),
        ("user", "x" * 201, {"rpm": 1}, "must have 1 to 200 printable characters"),
        ("user", "a\nb", {"rpm": 1}, "must have 1 to 200 printable characters"),
        ("total", "x", {"rpm": 1}, "write '\\*' instead of 'x'"),
        ("user", "*", {}, "Say at least one of `rpm`, `tpm` and `usd_per_day`"),
        ("user", "x", {"rpm": 0}, "`rpm` is 0; it must be a whole number"),
        ("user", "x", {"rpm": -1}, "`rpm` is -1"),
        ("user", "x", {"rpm": 1.5}, "`rpm` is 1.5"),
        ("user", "x", {"tpm": True}, "`tpm` is True"),
        ("user", "x", {"tpm": 10**10}, "`tpm` is 10000000000"),
        ("user", "x", {"usd_per_day": float("nan")}, "`usd_per_day` is nan; it must be a number above 0"),
        ("user", "x", {"usd_per_day": float("inf")}, "`usd_per_day` is inf"),
        ("user", "x", {"usd_per_day": 0}, "`usd_per_day` is 0"),
        ("user", "x", {"usd_per_day": -1.0}, "`usd_per_day` is -1.0"),
        ("model", "x", {"usd_per_day": 1.0}, "A model has no budget"),
    ],
)
async def test_a_value_that_cannot_be_is_refused_in_a_sentence(
    file_db: Database, kind: Kind, name: str, values: dict[str, int], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        await Limits(file_db).set(kind, name, **values)


async def test_a_rate_that_is_free_again_is_swept(db: Database, clock: Clock) -> None:
    limits = Limits(db, rpm=5)
    for number in range(4):
        await ask(limits, Caller(user=str(number)))
    clock.move(3000)
    await ask(limits)
    assert await limits.sweep() == 0
    clock.move(1000)
    assert await limits.sweep(limit=3) == 3
    assert await limits.sweep() == 1
    assert len(await db.fetch_all("SELECT key FROM rates")) == 1
    await limits.close()


async def test_in_a_replay_the_frozen_clock_counts(file_db: Database) -> None:
    limits = Limits(file_db, rpm=2)
    said = []
    for _ in range(2):
        with freeze():
            said.append([await admitted(limits, 1) for _ in range(3)])
        await file_db.execute("DELETE FROM rates")
        await limits.close()
        limits = Limits(file_db, rpm=2)
    assert said == [[1, 1, 0], [1, 1, 0]]

"""The ledger keeps every attempt, adds them up, and never stands in the way of an answer."""

import asyncio
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from toolkit.db import Database, Statement, open_database
from toolkit.errors import ConfigError, DatabaseFull
from toolkit.messages import Attempt, Caller, Usage
from toolkit.settings import Settings
from toolkit.stamps import new_id, now
from toolkit.usage.ledger import Ledger
from toolkit.usage.reports import LATENCIES

FEW = Usage(10, 5)
ADA = Caller(user="ada", origin="notebook", session_id="s1")


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(db)


async def keep(
    ledger: Ledger,
    name: str = "small",
    *,
    error: str | None = None,
    usage: Usage | None = FEW,
    cost: int | None = 1_000_000,
    caller: Caller = ADA,
    at: datetime | None = None,
    milliseconds: float = 100.0,
    call_id: str | None = None,
    number: int = 1,
    kind: str = "chat",
    cancelled: bool = False,
) -> None:
    attempt = Attempt(
        name=name,
        provider="openai",
        model=f"vendor-{name}",
        error=error,
        message="It is slow." if error else None,
        status=429 if error else None,
        request_id="r1",
        milliseconds=milliseconds,
        usage=None if error else usage,
        cost_nano_usd=None if error else cost,
    )
    await ledger.record(
        attempt,
        call_id=call_id or new_id(),
        number=number,
        kind=kind,
        caller=caller,
        started_at=at or now(),
        cancelled=cancelled,
    )


async def test_a_call_comes_back_as_it_was_recorded(ledger: Ledger) -> None:
    usage = Usage(100, 50, cached_tokens=40, cache_write_tokens=7, reasoning_tokens=20)
    attempt = Attempt("small", "openai", "gpt", None, None, 200, "req-1", 12.5, usage, 123, "OPENAI_API_KEYS[2]")
    started = datetime(2026, 5, 4, 3, 2, 1, 456789, UTC)

    await ledger.record(attempt, call_id="c1", number=2, kind="stream", caller=ADA, started_at=started)

    (call,) = await ledger.calls()
    assert call.attempt == attempt
    assert (call.call_id, call.number, call.kind, call.status) == ("c1", 2, "stream", "ok")
    assert (call.user, call.origin, call.session_id, call.started_at) == ("ada", "notebook", "s1", started)


async def test_nobody_stays_out_of_the_ledger_by_a_name_that_no_database_can_hold(ledger: Ledger) -> None:
    await keep(ledger, caller=Caller(user="ada\0", origin="\ud800"))
    await ledger.record_tool(
        tool="find",
        status="ok",
        error=None,
        message=None,
        caller=Caller(user="ada\0"),
        call_id=None,
        argument_bytes=2,
        result_bytes=2,
        milliseconds=1.0,
        started_at=now(),
    )
    (call,) = await ledger.calls(limit=10**30)
    assert (call.user, call.origin) == ("ada�", "�")
    assert (ledger.dropped, (await ledger.tool_calls(limit=10**30))[0].user) == (0, "ada�")


async def test_every_count_that_a_price_rests_on_is_kept(ledger: Ledger) -> None:
    usage = Usage(*range(90, 0, -10))
    assert all(getattr(usage, field.name) for field in fields(Usage))

    await keep(ledger, usage=usage)

    (call,) = await ledger.calls()
    assert call.attempt.usage == usage


async def test_an_embedding_is_kept_with_what_it_used_and_cost(ledger: Ledger) -> None:
    await keep(ledger, kind="embed", usage=Usage(12), cost=240)

    (call,) = await ledger.calls()
    assert (call.kind, call.attempt.usage, call.attempt.cost_nano_usd) == ("embed", Usage(12), 240)
    assert (await ledger.stats()).input_tokens == 12


async def test_the_key_that_failed_is_known_by_its_place_in_the_pool(ledger: Ledger) -> None:
    for place, error in ((1, None), (2, "AuthenticationFailed")):
        attempt = Attempt("small", "openai", "gpt", error, key=f"OPENAI_API_KEYS[{place}]")
        await ledger.record(attempt, call_id="c1", number=place, kind="chat", caller=ADA, started_at=now())

    assert [call.attempt.key for call in await ledger.calls() if not call.attempt.ok] == ["OPENAI_API_KEYS[2]"]


async def test_what_nobody_counted_is_marked_as_such(ledger: Ledger) -> None:
    for number, uncounted in ((1, True), (2, False)):
        attempt = Attempt("small", "openai", "gpt", "Cancelled", uncounted=uncounted)
        await ledger.record(
            attempt, call_id="c1", number=number, kind="stream", caller=ADA, started_at=now(), cancelled=True
        )

    assert [call.attempt.uncounted for call in await ledger.calls()] == [False, True]


async def test_what_the_vendor_did_not_say_stays_unknown(ledger: Ledger) -> None:
    await keep(ledger, usage=None, cost=None)

    (call,) = await ledger.calls()
    assert call.attempt.usage is None
    assert call.attempt.cost_nano_usd is None


async def test_a_failed_and_a_cancelled_attempt_say_so(ledger: Ledger) -> None:
    await keep(ledger, error="RateLimited", call_id="c1")
    await keep(ledger, error="Cancelled", cancelled=True, call_id="c1", number=2)

    cancelled, failed = await ledger.calls()
    assert (failed.status, failed.attempt.error, failed.attempt.message) == ("error", "RateLimited", "It is slow.")
    assert (cancelled.status, cancelled.attempt.ok) == ("cancelled", False)


async def test_calls_come_newest_first_and_no_more_than_asked_for(ledger: Ledger) -> None:
    for number in (1, 2, 3):
        await keep(ledger, call_id="c1", number=number)

    assert [call.number for call in await ledger.calls()] == [3, 2, 1]
    assert [call.number for call in await ledger.calls(limit=2)] == [3, 2]


async def test_calls_can_be_those_of_one_user_conversation_or_question(ledger: Ledger) -> None:
    await keep(ledger, "a", caller=Caller(user="ada", session_id="s1"), call_id="c1")
    await keep(ledger, "b", caller=Caller(user="bob", session_id="s2"), call_id="c2")
    await keep(ledger, "c", caller=Caller(), call_id="c3")

    assert [call.attempt.name for call in await ledger.calls(user="ada")] == ["a"]
    assert [call.attempt.name for call in await ledger.calls(session_id="s2")] == ["b"]
    assert [call.attempt.name for call in await ledger.calls(call_id="c3")] == ["c"]
    assert await ledger.calls(user="eve") == []


async def test_stats_add_up_what_was_used(ledger: Ledger) -> None:
    await keep(ledger, "small", usage=Usage(10, 5), cost=2_000_000)
    await keep(ledger, "large", usage=Usage(100, 50), cost=3_000_000_000)
    await keep(ledger, "large", error="RateLimited")
    await keep(ledger, "large", error="Cancelled", cancelled=True)

    stats = await ledger.stats()

    assert (stats.calls, stats.failures, stats.input_tokens, stats.output_tokens) == (4, 1, 110, 55)
    assert (stats.cost_usd, stats.priced_calls) == (3.002, 2)
    assert [(row.key, row.calls, row.failures) for row in stats.by_model] == [("large", 3, 1), ("small", 1, 0)]


async def test_an_unknown_price_is_null_and_never_zero(ledger: Ledger) -> None:
    await keep(ledger, "local", cost=None)
    await keep(ledger, "local", error="RateLimited")
    await keep(ledger, "down", error="ProviderUnavailable")

    stats = await ledger.stats()

    assert stats.cost_usd is None
    assert stats.priced_calls == 0
    costs = {row.key: (row.cost_usd, row.unpriced_calls) for row in stats.by_model}
    assert costs == {"local": (None, 1), "down": (0.0, 0)}


async def test_a_sum_over_known_and_unknown_prices_says_how_many_it_lacks(ledger: Ledger) -> None:
    await keep(ledger, cost=5_000_000_000)
    await keep(ledger, cost=None)

    (row,) = await ledger.by("provider")
    assert (row.key, row.cost_usd, row.unpriced_calls) == ("openai", 5.0, 1)
    assert (await ledger.stats()).priced_calls == 1


async def test_an_empty_ledger_cost_nothing(ledger: Ledger) -> None:
    stats = await ledger.stats()

    assert (stats.calls, stats.cost_usd, stats.by_model) == (0, 0.0, ())


async def test_usage_is_grouped_by_who_asked_and_dearest_first(ledger: Ledger) -> None:
    await keep(ledger, caller=Caller(user="ada", origin="notebook"), cost=1)
    await keep(ledger, caller=Caller(user="bob", origin="server"), cost=5, milliseconds=300.0)
    await keep(ledger, caller=Caller(user="bob", origin="server"), cost=5, milliseconds=100.0)
    await keep(ledger, caller=Caller(), cost=None)

    by_user = await ledger.by("user")
    assert [(row.key, row.calls) for row in by_user] == [("bob", 2), ("ada", 1), ("", 1)]
    assert by_user[0].milliseconds_mean == pytest.approx(200.0)
    assert [row.key for row in await ledger.by("origin", user="bob")] == ["server"]


async def test_usage_by_day_runs_from_the_oldest_on_and_keeps_to_the_days_asked_for(ledger: Ledger) -> None:
    today = now()
    for days in (0, 1, 2):
        await keep(ledger, at=today - timedelta(days=days), cost=days + 1)

    days_of = [row.key for row in await ledger.by("day", days=2)]

    assert days_of == [(today - timedelta(days=days)).date().isoformat() for days in (1, 0)]
    assert (await ledger.stats(days=1)).calls == 1


async def test_a_call_belongs_to_its_day_in_utc(ledger: Ledger) -> None:
    tokyo = datetime.fromisoformat(f"{now().date().isoformat()}T01:00:00+09:00")
    await keep(ledger, at=tokyo)

    (row,) = await ledger.by("day")
    assert row.key == (now().date() - timedelta(days=1)).isoformat()


async def test_usage_by_something_else_is_refused_in_words(ledger: Ledger) -> None:
    with pytest.raises(ConfigError, match="choose model, user, origin, day, provider or session"):
        await ledger.by("colour")  # type: ignore[arg-type]  # what a face may pass on
    with pytest.raises(ConfigError, match="between 1 and"):
        await ledger.stats(days=0)


async def test_latencies_are_those_of_the_models_last_answers_newest_first(ledger: Ledger) -> None:
    newest = now()
    for age in (3, 1, 2):
        await keep(ledger, milliseconds=float(age), at=newest - timedelta(minutes=age))

    assert await ledger.latencies("small") == [1.0, 2.0, 3.0]
    assert await ledger.latencies("small", limit=2) == [1.0, 2.0]
    assert await ledger.latencies("small", limit=0) == []
    assert await ledger.latencies("unheard-of") == []


async def test_latencies_are_of_answers_in_a_chat_and_of_nothing_else(ledger: Ledger) -> None:
    await keep(ledger, milliseconds=1.0)
    await keep(ledger, milliseconds=2.0, kind="stream", at=now() - timedelta(minutes=1))
    await keep(ledger, milliseconds=3.0, kind="embed")
    await keep(ledger, milliseconds=4.0, error="RateLimited")
    await keep(ledger, milliseconds=5.0, cancelled=True)
    await keep(ledger, "large", milliseconds=6.0)

    assert await ledger.latencies("small") == [1.0, 2.0]


async def test_latencies_are_read_from_an_index_however_much_was_asked(ledger: Ledger, db: Database) -> None:
    await keep(ledger)
    await db.write(
        Statement(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000)
            INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, status, milliseconds, started_at, day)
            SELECT CAST(n AS TEXT), call_id, 1, kind, 'other', provider, model, status, milliseconds, started_at, day
              FROM calls, numbers
            """
        ),
        Statement("ANALYZE"),
    )
    explain = "EXPLAIN" if db.dialect == "postgres" else "EXPLAIN QUERY PLAN"

    plan = await db.fetch_all(f"{explain} {LATENCIES}", name="other", limit=200)

    steps = " ".join(str(value) for row in plan for value in dict(row).values())
    assert "calls_by_name" in steps
    assert "Sort" not in steps
    assert "B-TREE" not in steps
    assert len(await ledger.latencies("other")) == 200


class Broken:
    """A database whose writes fail, or wait."""

    def __init__(self, waits: asyncio.Event | None = None) -> None:
        self._waits = waits
        self.mended = False

    async def write(self, *_: Any, **__: Any) -> list[Any]:
        if self._waits:
            await self._waits.wait()
        if self.mended:
            return []
        raise DatabaseFull("No space is left; key sk-1234567890abcdef.")


async def test_a_ledger_that_cannot_write_never_raises_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger(Broken())  # type: ignore[arg-type]  # only `write` is called
    await keep(ledger)
    await keep(ledger)

    assert ledger.failures == 2
    assert ledger.last_failure == "No space is left; key ***."
    assert "could not be written" in caplog.text


async def test_a_ledger_that_can_write_again_says_so_and_keeps_the_count() -> None:
    broken = Broken()
    ledger = Ledger(broken)  # type: ignore[arg-type]  # only `write` is called
    await keep(ledger)
    broken.mended = True
    await keep(ledger)

    assert (ledger.failures, ledger.last_failure) == (1, None)


async def test_an_answer_does_not_wait_long_for_a_slow_ledger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.usage.ledger._PATIENCE", 0.0)
    gate = asyncio.Event()
    ledger = Ledger(Broken(gate))  # type: ignore[arg-type]  # only `write` is called

    await keep(ledger)
    waited_for = ledger.failures
    gate.set()
    await ledger.flush()

    assert (waited_for, ledger.failures) == (0, 1)


async def test_a_caller_cancelled_while_the_row_is_written_leaves_it_written() -> None:
    db = open_database(Settings("sqlite://"))
    ledger = Ledger(db)
    recording = asyncio.create_task(keep(ledger))
    await asyncio.sleep(0)
    recording.cancel()
    with pytest.raises(asyncio.CancelledError):
        await recording

    await ledger.flush()
    assert len(await ledger.calls()) == 1
    await db.close()

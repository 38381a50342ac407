"""What the ledger says of answers from the cache, of conversations, and of tools."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from tests.usage.rows import ADA, keep, keep_tool
from toolkit.db import Database, Statement
from toolkit.messages import Caller
from toolkit.stamps import now
from toolkit.usage.gathering import MOST, SECONDS, Gathering
from toolkit.usage.ledger import Ledger


@pytest.fixture
def ledger(db: Database) -> Ledger:
    return Ledger(db)


async def bodies(db: Database) -> list[str]:
    return [str(row["body"]) for row in await db.fetch_all("SELECT body FROM events WHERE kind LIKE 'generation.%'")]


async def test_an_answer_from_the_cache_is_a_hit_and_no_call(ledger: Ledger) -> None:
    await keep(ledger, cost=2_000_000)
    for _ in range(3):
        await keep(ledger, cached=True)
    await keep(ledger, error="RateLimited")
    await keep(ledger, kind="embed")

    stats = await ledger.stats()
    assert (stats.calls, stats.failures, stats.cached, stats.answers) == (3, 1, 3, 2)
    assert (stats.input_tokens, stats.cost_usd, stats.priced_calls) == (20, 0.003, 2)
    assert stats.hit_rate == 0.75  # of the answers in chats
    (row,) = stats.by_model
    assert (row.cached, row.answers, row.hit_rate, row.milliseconds_mean) == (3, 2, 0.75, 100.0)


async def test_an_answer_from_the_cache_costs_nothing_and_says_what_it_is(ledger: Ledger, db: Database) -> None:
    await keep(ledger, cached=True, cost=2_000_000)

    (call,) = await ledger.calls()
    assert (call.status, call.attempt.cost_nano_usd, call.attempt.ok) == ("cached", 0, True)
    assert await ledger.latencies("small") == []
    (body,) = await bodies(db)
    assert '"cached":true' in body.replace(" ", "")
    stats = await ledger.stats()
    assert (stats.calls, stats.cost_usd, stats.hit_rate, stats.by_model[0].milliseconds_mean) == (0, 0.0, 1.0, 0.0)


async def test_without_an_answer_there_is_no_hit_rate(ledger: Ledger) -> None:
    await keep(ledger, error="RateLimited")
    assert (await ledger.stats()).hit_rate is None


async def test_usage_is_known_by_conversation_and_of_one(ledger: Ledger) -> None:
    await keep(ledger, cost=5)
    await keep(ledger, "large", cost=7)
    await keep(ledger, caller=Caller("bob", None, "s2"), cost=100)
    await keep(ledger, caller=Caller("bob"), cost=1)
    await ledger.roll_up(2)

    assert [(row.key, row.calls) for row in await ledger.by("session")] == [("s2", 1), ("s1", 2), ("", 1)]
    assert [row.key for row in await ledger.by("session", user="bob")] == ["s2", ""]
    assert [row.key for row in await ledger.by("session", limit=1)] == ["s2"]
    stats = await ledger.stats(session_id="s1")
    assert (stats.calls, stats.cost_usd) == (2, 12e-9)
    assert [row.key for row in stats.by_model] == ["large", "small"]
    assert (await ledger.stats(session_id="s1", user="bob")).calls == 0
    assert (await ledger.stats(session_id="s3")).calls == 0


async def test_the_calls_of_a_tool_come_back_as_they_were_recorded(ledger: Ledger) -> None:
    started = now()
    await keep_tool(
        ledger,
        "github__get_issue",
        "error",
        call_id="q1",
        message="Key sk-1234567890abcdef is\0 wrong.",
        started_at=started,
    )

    (row,) = await ledger.tool_calls()
    assert (row.tool, row.status, row.error, row.call_id) == ("github__get_issue", "error", "ToolError", "q1")
    assert row.message == "Key *** is� wrong."
    assert (row.user, row.origin, row.session_id) == (ADA.user, ADA.origin, ADA.session_id)
    assert (row.argument_bytes, row.result_bytes, row.milliseconds, row.started_at) == (20, None, 50.0, started)


async def test_calls_of_tools_come_newest_first_of_all_or_of_one_question_or_conversation(ledger: Ledger) -> None:
    await keep_tool(ledger, "a", call_id="q1", started_at=now() - timedelta(days=1))
    await keep_tool(ledger, "b", call_id="q2", caller=Caller(session_id="s2"))

    assert [row.tool for row in await ledger.tool_calls()] == ["b", "a"]
    assert [row.tool for row in await ledger.tool_calls(limit=1)] == ["b"]
    assert [row.tool for row in await ledger.tool_calls(call_id="q1")] == ["a"]
    assert [row.tool for row in await ledger.tool_calls(session_id="s2")] == ["b"]
    assert await ledger.tool_calls(call_id="q1", session_id="s2") == []


async def test_tools_are_reported_with_their_failures_the_busiest_first(ledger: Ledger) -> None:
    for status in ("ok", "error", "timeout", "refused", "cancelled"):
        await keep_tool(ledger, "search", status, milliseconds=10.0)
    await keep_tool(ledger, "ingest", milliseconds=30.0, caller=Caller("bob"))
    await keep_tool(ledger, "ingest", started_at=now() - timedelta(days=40))

    search, ingest = await ledger.tools()
    assert (search.tool, search.calls, search.failures, search.milliseconds_mean) == ("search", 5, 2, 10.0)
    assert (ingest.tool, ingest.calls, ingest.milliseconds_mean) == ("ingest", 1, 30.0)
    assert [row.tool for row in await ledger.tools(user="bob")] == ["ingest"]
    assert {row.tool: row.calls for row in await ledger.tools(days=60)} == {"search": 5, "ingest": 2}


async def test_the_newest_calls_are_read_from_an_index_however_many_a_day_has(ledger: Ledger, db: Database) -> None:
    await keep(ledger)
    await db.write(
        Statement(
            """
            WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 3000)
            INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, status, milliseconds, started_at, day)
            SELECT CAST(n AS TEXT), call_id, 1, kind, name, provider, model, status, milliseconds, started_at,
                   CAST(2000 + n AS TEXT)
              FROM calls, numbers
            """
        ),
        Statement("ANALYZE"),
    )
    explain = "EXPLAIN" if db.dialect == "postgres" else "EXPLAIN QUERY PLAN"
    asked_for: list[str] = []

    class Listening:
        async def fetch_all(self, sql: str, **_: object) -> list[object]:
            asked_for.append(sql)
            return []

    await Ledger(Listening()).calls(limit=50)  # type: ignore[arg-type]  # only `fetch_all` is called
    plan = await db.fetch_all(f"{explain} {asked_for[0]}", limit=50)
    assert "calls_by_day" in " ".join(str(value) for row in plan for value in dict(row).values())


async def test_a_tool_of_a_question_with_a_strange_id_is_kept_all_the_same(ledger: Ledger) -> None:
    await keep_tool(ledger, "a", call_id="half \ud800")

    (row,) = await ledger.tool_calls()
    assert (row.call_id, ledger.failures) == ("half �", 0)


async def test_calls_of_tools_do_not_wait_for_their_rows_which_are_written_together(
    ledger: Ledger, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists: list[int] = []
    write = db.write

    async def counted(*statements: Statement, **options: Any) -> list[Any]:
        lists.append(len(statements))
        return await write(*statements, **options)

    monkeypatch.setattr(db, "write", counted)
    for number in range(5):
        await keep_tool(ledger, f"tool{number}")
    assert lists == []

    assert len(await ledger.tool_calls()) == 5  # whoever asks sees them
    assert lists == [5]


async def test_rows_of_tools_are_written_soon_though_nobody_asks(ledger: Ledger, db: Database) -> None:
    await keep_tool(ledger, "a")

    async with asyncio.timeout(20):
        while not await db.fetch_all("SELECT id FROM tool_calls"):  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.01)


async def test_many_rows_of_tools_are_written_before_their_time(ledger: Ledger) -> None:
    for _ in range(MOST):
        await keep_tool(ledger, "a")

    assert len(ledger._writing) == 1


async def test_what_was_gathered_is_in_the_database_when_the_ledger_is_flushed(ledger: Ledger, db: Database) -> None:
    await keep_tool(ledger, "a")
    await ledger.flush()

    assert len(await db.fetch_all("SELECT id FROM tool_calls")) == 1


def test_rows_of_a_loop_that_has_ended_are_written_by_the_next() -> None:
    written: list[int] = []
    gathering = Gathering(lambda rows: written.append(len(rows)))

    async def call(seconds: float) -> None:
        gathering.add([Statement("SELECT 1")])
        await asyncio.sleep(seconds)

    asyncio.run(call(0))
    asyncio.run(call(4 * SECONDS))

    assert written == [2]

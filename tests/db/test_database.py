"""What every database promises, proven on each."""

import asyncio
from datetime import UTC, datetime, timedelta, timezone

import pytest

from tests.db.rows import change, message, model, names, session
from toolkit import stamps
from toolkit.db import Database, Sql, Statement, as_json, as_time, as_time_or_none
from toolkit.errors import Conflict, DatabaseError, DatabaseUnavailable, NotFound

NAMES = "SELECT name FROM models ORDER BY name"


async def test_a_value_of_every_type_comes_back_as_it_was_given(db: Database) -> None:
    config = {"list": [1, 2.5, None, True], "text": "ü 🙂 \" ' \\ : \\u0000 ::x", "nested": {"a": {}}}
    await db.write(
        model("Größe: 'one' :two ::three", priority=-(2**63), enabled=False, is_default=True, config=config, auth={})
    )

    row = await db.fetch_one("SELECT * FROM models")

    assert row is not None
    assert row["name"] == "Größe: 'one' :two ::three"
    assert row["priority"] == -(2**63)
    assert (bool(row["enabled"]), bool(row["is_default"])) == (False, True)
    assert as_json(row["config"]) == config
    assert as_json(row["auth"]) == {}


async def test_times_come_back_as_the_same_moment_in_utc_and_sort_as_text_does(db: Database) -> None:
    moments = [
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(2026, 1, 1, 2, 0, 0, 2, tzinfo=timezone(timedelta(hours=2))),
    ]
    for moment in reversed(moments):
        await db.write(model(str(moment), now=moment))

    rows = await db.fetch_all("SELECT created_at FROM models ORDER BY created_at")
    later = await db.fetch_all("SELECT 1 FROM models WHERE created_at > :moment", moment=moments[1])

    assert [as_time(row["created_at"]) for row in rows] == moments
    assert [as_time(row["created_at"]).utcoffset() for row in rows] == [timedelta(0)] * 3
    assert len(later) == 1
    assert as_time_or_none(None) is None


async def test_a_number_with_a_fraction_comes_back_exactly(db: Database) -> None:
    row = await db.execute(
        """
        INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, status, milliseconds, started_at, day)
        VALUES ('1', '1', 1, 'chat', 'n', 'p', 'm', 'ok', :ms, :now, '2026-01-01')
        RETURNING milliseconds, cost_nano_usd
        """,
        ms=0.1 + 0.2,
        now=stamps.now(),
    )
    assert row == [{"milliseconds": 0.1 + 0.2, "cost_nano_usd": None}]


async def test_a_json_column_may_be_null_an_object_or_a_list(db: Database) -> None:
    await db.write(change("a"), change("b", after={"x": 1}), change("c", before=[], after=[1, "two"]))

    rows = await db.fetch_all("SELECT before, after FROM model_changes ORDER BY name")

    assert [(as_json(row["before"]), as_json(row["after"])) for row in rows] == [
        (None, None),
        (None, {"x": 1}),
        ([], [1, "two"]),
    ]


async def test_an_optional_filter_takes_none_and_a_value(db: Database) -> None:
    await db.write(model("a"), model("b"))
    sql = "SELECT name FROM models WHERE (CAST(:name AS TEXT) IS NULL OR name = :name) ORDER BY name LIMIT :limit"

    assert await db.fetch_all(sql, name=None, limit=9) == [{"name": "a"}, {"name": "b"}]
    assert await db.fetch_all(sql, name="b", limit=9) == [{"name": "b"}]
    assert await db.fetch_all(sql, name=None, limit=1) == [{"name": "a"}]


async def test_colons_in_text_and_comments_are_not_values(db: Database) -> None:
    sql = """
        SELECT ':name' AS a, 'it''s :name' AS b, CAST(:name AS TEXT) AS c -- :nothing
        /* nor :here */
        """
    assert await db.fetch_one(sql, name="x") == {"a": ":name", "b": "it's :name", "c": "x"}


async def test_a_pair_of_statements_runs_the_one_of_the_dialect(db: Database) -> None:
    pair = Sql(sqlite="SELECT 'sqlite' AS dialect", postgres="SELECT 'postgres' AS dialect")
    assert await db.fetch_one(pair) == {"dialect": db.dialect}


async def test_the_first_row_is_given_or_none(db: Database) -> None:
    assert await db.fetch_one(NAMES) is None
    await db.write(model("b"), model("a"))
    assert await db.fetch_one(NAMES) == {"name": "a"}


async def test_a_write_gives_the_returned_rows_of_each_statement_in_order(db: Database) -> None:
    update = "UPDATE models SET priority = priority + :by WHERE name <> :name RETURNING name, priority"

    results = await db.write(
        model("a", id="1"),
        Statement("UPDATE models SET priority = 1"),
        model("b", id="2"),
        Statement(update, {"by": 5, "name": "b"}),
        Statement(update, {"by": 5, "name": "a"}),
    )

    assert results[:3] == [[{"id": "1"}], [], [{"id": "2"}]]
    assert results[3:] == [[{"name": "a", "priority": 6}], [{"name": "b", "priority": 105}]]
    assert await db.write() == []


async def test_a_statement_that_matches_nothing_undoes_the_whole_list(db: Database) -> None:
    missing = Statement("UPDATE models SET priority = 1 WHERE name = 'x' RETURNING id", unmatched=NotFound("no x"))

    with pytest.raises(NotFound, match="no x"):
        await db.write(model("a"), missing, model("b"))
    with pytest.raises(NotFound, match="no x"):
        await db.write(missing)

    assert await names(db) == []


async def test_the_error_of_an_unmatched_statement_is_given_as_it_is_whatever_its_kind(db: Database) -> None:
    for error in (OSError("mine"), ValueError("mine"), ConnectionError("mine")):
        with pytest.raises(type(error), match=r"^mine$"):
            await db.write(Statement("DELETE FROM models RETURNING id", unmatched=error))


async def test_a_statement_that_fails_undoes_the_whole_list(db: Database) -> None:
    with pytest.raises(DatabaseError, match="no_such_column"):
        await db.write(model("a"), Statement("UPDATE models SET no_such_column = 1"), model("b"))
    assert await names(db) == []


async def test_a_second_row_with_the_same_value_is_a_conflict_that_names_the_column(db: Database) -> None:
    await db.write(model("a"), session("s"), message("s", 1))

    with pytest.raises(Conflict, match=r"^A row with the same value is there already \(models\.name\)\.$"):
        await db.write(model("a"))
    with pytest.raises(Conflict, match=r"\(messages\.session_id, messages\.position\)"):
        await db.write(message("s", 1))


async def test_a_row_that_refers_to_a_missing_one_is_a_conflict(db: Database) -> None:
    with pytest.raises(Conflict, match="refers to another one that is not there"):
        await db.write(message("nowhere", 1))


async def test_rows_go_with_the_one_they_belong_to(db: Database) -> None:
    await db.write(session("s"), message("s", 1), message("s", 2))
    await db.execute("DELETE FROM sessions")
    assert await db.fetch_all("SELECT 1 FROM messages") == []


async def test_concurrent_writes_are_all_kept_and_each_gets_its_own_result(db: Database) -> None:
    async def add(n: int) -> tuple[int, str]:
        (rows,) = await db.write(model(f"{n:03}", id=str(n)))
        return n, rows[0]["id"]

    results = await asyncio.gather(*(add(n) for n in range(200)))

    assert results == [(n, str(n)) for n in range(200)]
    assert await names(db) == [f"{n:03}" for n in range(200)]


async def test_concurrent_increments_are_not_lost(db: Database) -> None:
    await db.write(model("a", priority=0))
    add = "UPDATE models SET priority = priority + 1 RETURNING priority"

    seen = await asyncio.gather(*(db.execute(add) for _ in range(100)))

    assert sorted(rows[0]["priority"] for rows in seen) == list(range(1, 101))


async def test_of_many_that_write_the_same_value_at_once_exactly_one_succeeds(db: Database) -> None:
    results = await asyncio.gather(*(db.write(model("a")) for _ in range(20)), return_exceptions=True)

    assert sum(isinstance(result, Conflict) for result in results) == 19
    assert await names(db) == ["a"]


async def test_a_read_sees_every_write_that_was_acknowledged_before_it(db: Database) -> None:
    async def add_and_look(n: int) -> bool:
        await db.write(model(f"{n}"))
        return await db.fetch_one("SELECT 1 FROM models WHERE name = :name", name=f"{n}") is not None

    assert all(await asyncio.gather(*(add_and_look(n) for n in range(100))))


async def test_a_cancelled_caller_leaves_the_database_working(db: Database) -> None:
    tasks = [asyncio.create_task(db.write(model(f"{n}"))) for n in range(50)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    kept = await names(db)
    assert set(kept) >= {f"{n}" for n in range(1, 50, 2)}
    assert not [r for r in results if isinstance(r, Exception)]
    await db.write(model("after"))
    assert "after" in await names(db)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("a\0b", "^The value 'name' contains the character NUL, which a database cannot keep; remove it.$"),
        ("half \ud83d", r"^The value 'name' contains half of a character \(a lone surrogate\); remove it.$"),
        (datetime(2026, 1, 1), "^The time 'name' has no time zone; make it with toolkit.stamps.now"),  # noqa: DTZ001 - the point
        (["a\0b"], "^The value 'name' contains the character NUL"),
        ({"a": "\ud83d"}, "^The value 'name' contains half of a character"),
        ({"a": object()}, "^The value 'name' cannot be kept as JSON: "),
        ({"a": float("nan")}, "^The value 'name' cannot be kept as JSON: "),
        (object(), "^A value cannot be kept in the database |^The statement failed in the database "),
    ],
)
async def test_a_value_that_cannot_be_kept_is_refused_in_a_sentence(db: Database, value: object, sentence: str) -> None:
    with pytest.raises(DatabaseError, match=sentence):
        await db.write(model("good"), model("x", name=value))
    assert await names(db) == []


async def test_a_number_that_is_too_large_is_refused(db: Database) -> None:
    with pytest.raises(DatabaseError, match="cannot be kept"):
        await db.write(model("a", priority=2**63))


async def test_a_value_that_was_not_given_is_named(db: Database) -> None:
    with pytest.raises(DatabaseError, match=":name"):
        await db.fetch_all("SELECT :name AS x", other=1)


async def test_a_statement_that_makes_no_sense_is_refused_in_one_line(db: Database) -> None:
    for act in (db.fetch_all, db.fetch_one, db.execute):
        with pytest.raises(DatabaseError, match=r"(?i)^The statement failed in the database .*SELEKT[^\n]*\.$"):
            await act("SELEKT 1")


async def test_a_query_of_nothing_but_reading_may_run_as_a_write(db: Database) -> None:
    assert await db.execute("SELECT 1 AS one") == [{"one": 1}]


async def test_opening_and_closing_twice_is_harmless_and_a_closed_one_says_so(any_url: str, db: Database) -> None:
    del any_url
    await db.open()
    await db.close()
    await db.close()

    with pytest.raises(DatabaseUnavailable, match="is closed; open it again"):
        await db.fetch_all(NAMES)
    with pytest.raises(DatabaseUnavailable, match="is closed; open it again"):
        await db.write(model("a"))

    await db.open()
    assert await db.fetch_all("SELECT 1 AS one") == [{"one": 1}]


async def test_what_was_begun_is_finished_before_closing(db: Database) -> None:
    writes = [asyncio.create_task(db.write(model(f"{n}"))) for n in range(30)]
    await asyncio.sleep(0)
    await db.close()
    results = await asyncio.gather(*writes, return_exceptions=True)
    # A write that had not begun may be refused, but only in plain words.
    assert all(isinstance(result, list | DatabaseUnavailable) for result in results)

    await db.open()
    if db.url != "sqlite://":
        assert len(await names(db)) == sum(isinstance(result, list) for result in results)


async def test_the_address_and_the_dialect_are_told_without_the_password(db: Database) -> None:
    assert db.url.startswith({"sqlite": "sqlite://", "postgres": "postgresql://postgres@"}[db.dialect])
    assert "opensesame" not in db.url


async def test_every_migration_is_listed_with_the_time_when_it_was_applied(db: Database) -> None:
    listed = await db.migrations()
    assert [entry.version for entry in listed] == list(range(1, len(listed) + 1))
    assert listed[0].name == "0001_models"
    assert all(entry.applied_at is not None and entry.applied_at.tzinfo for entry in listed)

"""Lists of statements on Postgres: they share commits, keep their order, and are kept once or not at all."""

import asyncio
import os
from collections.abc import Callable

import pytest

from tests.db.rows import add, change, count, message, model, names, session
from toolkit.db import Statement
from toolkit.db.postgres import batch
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.db.postgres.sql import Renderer
from toolkit.errors import Conflict, DatabaseError, DatabaseUnavailable

SOON = 30  # seconds in which everything here has ended
GONE = KeyError("gone")


@pytest.fixture
def db(own: PostgresDatabase) -> PostgresDatabase:
    return own


async def test_lists_of_different_subjects_share_commits_and_each_gets_its_own_rows(db: PostgresDatabase) -> None:
    results = await asyncio.gather(*(db.write(model(f"{n:03}", id=f"{n}"), subject=f"{n}") for n in range(300)))

    assert results == [[[{"id": f"{n}"}]] for n in range(300)]
    assert await names(db) == [f"{n:03}" for n in range(300)]
    stats = db.pool_stats()
    assert (stats.writes, stats.waiting) == (300, 0)
    assert stats.commits < 30


async def test_rows_find_their_statement_where_it_gives_none_or_several(db: PostgresDatabase) -> None:
    await db.write(*(model(f"{group}{n}", priority=group) for group in range(3) for n in range(group)))

    def take(group: int) -> Statement:
        return Statement("UPDATE models SET enabled = true WHERE priority = :n RETURNING name", {"n": group})

    lists = [[take(group), take(9), take(group)] for group in (2, 0, 1)]
    results = await asyncio.gather(*(db.write(*statements, subject=f"{n}") for n, statements in enumerate(lists)))

    found = [[sorted(row["name"] for row in rows) for rows in result] for result in results]
    assert found == [[["20", "21"], [], ["20", "21"]], [[], [], []], [["10"], [], ["10"]]]


async def test_lists_of_one_subject_keep_their_order_and_see_each_other(db: PostgresDatabase) -> None:
    await db.write(*(model(name, priority=0) for name in "abc"))
    calls = [(name, step) for step in range(30) for name in "abc"]

    def one(name: str, step: int) -> list[Statement]:
        other = [change(name)] if step % 3 else []  # lists of another shape must wait for their turn, too
        return [add(name), *other]

    results = await asyncio.gather(*(db.write(*one(name, step), subject=name) for name, step in calls))

    assert [rows[0] for rows in results] == [[{"name": name, "priority": step + 1}] for name, step in calls]


async def test_turns_of_different_lengths_are_of_one_shape(db: PostgresDatabase) -> None:
    await db.write(*(session(f"s{n}") for n in range(1, 9)))
    before = db.pool_stats().commits
    turns = {f"s{n}": [message(f"s{n}", position) for position in range(1, n + 1)] for n in range(1, 9)}

    await asyncio.gather(*(db.write(*turn, subject=name) for name, turn in turns.items()))

    assert db.pool_stats().commits == before + 1
    rows = await db.fetch_all("SELECT session_id, COUNT(*) AS n FROM messages GROUP BY 1 ORDER BY 1")
    assert rows == [{"session_id": f"s{n}", "n": n} for n in range(1, 9)]


FAILING: list[tuple[Callable[[str, str], list[Statement]], type[Exception]]] = [
    # What a list does for its own name, and for the name of the one that it is about.
    (lambda own, about: [model(f"new {about}", id=f"new {about}"), change(own)], Conflict),
    (lambda own, about: [change(own), message(about, 1)], Conflict),
    (lambda own, about: [change(own), model(f"x {own}", priority="many" if about == NOBODY else 0)], DatabaseError),
    (lambda own, about: [change(own), model(f"x {own}", priority=2**70 if about == NOBODY else 0)], DatabaseError),
    (lambda own, about: [add(about, unmatched=GONE), change(own)], KeyError),
    (lambda own, about: [change(own), add(about, unmatched=GONE)], KeyError),
    (lambda own, about: [add(own), add(about, unmatched=GONE), change(own)], KeyError),
]
NOBODY = "nobody"


@pytest.mark.parametrize(("make", "error"), FAILING)
async def test_a_list_that_fails_fails_alone(
    db: PostgresDatabase, make: Callable[[str, str], list[Statement]], error: type[Exception]
) -> None:
    everyone = [f"{n:02}" for n in range(20)]
    await db.write(
        *(model(name, priority=0) for name in [*everyone, "07b"]), model(f"new {NOBODY}"), *map(session, everyone)
    )
    lists = {name: make(name, name) for name in everyone} | {"07b": make("07b", NOBODY)}

    results = await asyncio.gather(
        *(db.write(*lists[name], subject=name) for name in sorted(lists)), return_exceptions=True
    )

    failed = [name for name, result in zip(sorted(lists), results, strict=True) if isinstance(result, BaseException)]
    assert failed == ["07b"]
    assert isinstance(results[sorted(lists).index("07b")], error)
    kept = await db.fetch_all("SELECT name FROM model_changes ORDER BY name")
    assert [row["name"] for row in kept] == everyone
    assert await count(db, "07b") == 0


async def test_a_list_that_meets_nothing_first_costs_the_others_nothing(db: PostgresDatabase) -> None:
    await db.write(*(model(f"{n}", priority=0) for n in range(10)))
    before = db.pool_stats().commits

    results = await asyncio.gather(
        *(db.write(add(f"{n}", unmatched=GONE), change(f"{n}"), subject=f"{n}") for n in range(12)),
        return_exceptions=True,
    )

    assert results[10:] == [GONE, GONE]
    assert db.pool_stats().commits == before + 1
    assert len(await db.fetch_all("SELECT 1 FROM model_changes")) == 10


async def test_repeatable_lists_need_no_row_of_their_own(db: PostgresDatabase) -> None:
    keep = "INSERT INTO sessions (id, context, ttl_seconds, created_at, used_at, expires_at) VALUES"
    keep += " (:id, :context, 60, :now, :now, :now) ON CONFLICT (id) DO NOTHING"

    def one(n: int) -> Statement:
        return Statement(keep, session(f"{n}").values, repeatable=True)

    before = await db.fetch_all("SELECT id FROM commits")
    await asyncio.gather(*(db.write(one(n), subject=f"{n}") for n in range(50)), db.write(one(1), one(2), one(50)))

    assert await db.fetch_all("SELECT id FROM commits") == before
    assert len(await db.fetch_all("SELECT id FROM sessions")) == 51


async def test_what_is_larger_than_a_pipeline_is_written_whole_and_in_order(db: PostgresDatabase) -> None:
    names_ = [f"{n:04}-{'é' * 3000}" for n in range(100)]
    results = await db.write(*(model(name, id=name[:4]) for name in names_), *(change(name) for name in names_))

    assert [rows[0]["id"] for rows in results[:100]] == [name[:4] for name in names_]
    assert await names(db) == names_
    assert len(await db.fetch_all("SELECT 1 FROM model_changes")) == 100


async def test_other_statements_than_changes_may_stand_in_a_list(db: PostgresDatabase) -> None:
    sums = Statement("WITH n AS (SELECT 1 AS one) SELECT one + 1 AS two FROM n")
    results = await asyncio.gather(*(db.write(sums, sums, model(f"{n}"), subject=f"{n}") for n in range(5)))

    assert [result[:2] for result in results] == [[[{"two": 2}], [{"two": 2}]]] * 5


async def test_a_stream_of_one_shape_does_not_starve_another(db: PostgresDatabase) -> None:
    done: list[str] = []

    async def write(name: str, *statements: Statement) -> None:
        await db.write(*statements, subject=name)
        done.append(name)

    stream = [write(f"{n:04}", model(f"{n:04}")) for n in range(batch.MOST * 8)]
    await asyncio.gather(*stream, write("other", change("other")))

    assert done.index("other") < batch.MOST * 4


async def test_closing_finishes_lists_that_wait_and_refuses_new_ones(db: PostgresDatabase) -> None:
    tasks = [asyncio.create_task(db.write(model(f"{n}"), subject=f"{n % 50}")) for n in range(500)]
    tasks += [asyncio.create_task(db.write(model(f"alone {n}"))) for n in range(20)]
    await asyncio.sleep(0)
    await asyncio.gather(db.close(), db.close())

    assert all(task.done() for task in tasks)
    assert len([await task for task in tasks]) == 520
    with pytest.raises(DatabaseUnavailable, match="is closed; open it again"):
        await db.write(model("late"), subject="late")
    await db.open()
    assert len(await names(db)) == 520


def test_a_row_is_tagged_only_where_the_outermost_statement_returns_it() -> None:
    renderer = Renderer("s", frozenset({"models"}))

    def form(sql: str) -> tuple[bool, bool]:
        prepared = renderer.prepare(sql, {})[0]
        return prepared.silent, bool(prepared.tagged)

    assert form("UPDATE models SET a = 1") == (True, False)
    assert form("UPDATE models SET a = 'RETURNING' -- RETURNING") == (True, False)
    assert form("INSERT INTO models WITH x AS (DELETE FROM y RETURNING z) SELECT z FROM x") == (True, False)
    assert form("delete from models returning id -- all of them") == (False, True)
    assert form("WITH x AS (DELETE FROM models RETURNING id) SELECT id FROM x") == (False, False)
    assert form("SELECT 1") == (False, False)
    assert form("SET LOCAL lock_timeout = 1") == (False, False)


async def test_the_application_is_called_by_its_name_or_as_the_url_says(postgres_dsn: str, schema: str) -> None:
    assert "PGAPPNAME" not in os.environ
    for option, name in (("", "toolkit-mcp"), ("?application_name=notes", "notes")):
        db = PostgresDatabase(schema, url=postgres_dsn + option)
        assert await db.fetch_one("SELECT current_setting('application_name') AS name") == {"name": name}
        await db.close()

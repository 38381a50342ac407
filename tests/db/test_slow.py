"""Statements that take long: named, kept, counted and logged, on both databases."""

import logging
from datetime import datetime

import pytest

from toolkit import stamps
from toolkit.db import Sql, open_database
from toolkit.db.slow import KEPT, SlowQueries, name_of
from toolkit.settings import Settings

SLOW = Sql(
    # Counting to some hundred thousands takes SQLite tens of milliseconds.
    """
    WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 400000)
    SELECT COUNT(*) AS count FROM n
    """,
    postgres="SELECT COUNT(*) AS count FROM (SELECT pg_sleep(0.05)) AS slept",
)


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("SELECT *\n  FROM calls\n WHERE x", "SELECT calls"),
        ('SELECT * FROM "toolkit".calls', "SELECT calls"),
        ("INSERT INTO calls (id) SELECT id FROM others", "INSERT INTO calls"),
        ("update sessions SET x = (SELECT 1 FROM y)", "UPDATE sessions"),
        ("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions)", "DELETE FROM sessions"),
        ("begin immediate", "BEGIN"),
    ],
)
def test_a_statement_is_named_by_its_verb_and_its_first_table(sql: str, name: str) -> None:
    assert name_of(sql) == name


def test_the_last_hundred_are_kept_and_all_are_counted() -> None:
    slow = SlowQueries(10)
    for number in range(KEPT + 5):
        slow.note(f"SELECT {number} FROM t", 0.0101)
    slow.note("SELECT 'quick' FROM t", 0.0099)

    assert slow.count == KEPT + 5
    assert [query.sql for query in slow.newest_first()][::99] == [f"SELECT {KEPT + 4} FROM t", "SELECT 5 FROM t"]


def test_a_slow_statement_does_not_move_a_frozen_clock() -> None:
    def story(slow: SlowQueries) -> datetime:
        with stamps.freeze():
            slow.note("SELECT 1", 3600)
            return stamps.now()

    assert story(SlowQueries(10)) == story(SlowQueries(0))


def test_no_limit_means_that_nothing_is_slow() -> None:
    slow = SlowQueries(0)
    slow.note("SELECT 1", 3600)
    assert (slow.count, slow.newest_first()) == (0, [])


async def test_a_slow_read_is_told_by_its_name_and_without_its_values(
    any_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    db = open_database(Settings(any_url, slow_query_ms=10))
    await db.open()
    with caplog.at_level(logging.WARNING, "toolkit.db.slow"):
        await db.fetch_all(SLOW)
    assert db.slow_queries()[0].milliseconds >= 10
    assert "COUNT(*)" in db.slow_queries()[0].sql
    assert any(record.getMessage().startswith("Slow statement: SELECT ") for record in caplog.records)
    assert db.pool_stats().slow == len(db.slow_queries())
    await db.close()

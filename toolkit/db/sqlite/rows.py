"""Values as SQLite keeps them, and the rows that it gives back: the hot path."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from time import perf_counter
from typing import Any, TypeAlias

from toolkit.db.binding import Binder, Converter, numbered
from toolkit.db.database import Row, Sql
from toolkit.db.slow import SlowQueries
from toolkit.db.sqlite.driver import sqlite3
from toolkit.db.statements import Unmatched, json_text, utc

Ready: TypeAlias = tuple[str, Sequence[Any], Exception | None]  # text, values, what to raise without a row


class NothingDone(Exception):
    """The first statement of a list failed, so that there is nothing to undo; carries what it raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def ready(sql: str | Sql, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    """What SQLite runs, and its values: JSON and times are text, times in UTC and all of one width."""
    text, binder = _prepared(sql if isinstance(sql, str) else sql.sqlite)
    return text, binder.bind(values).values


@lru_cache(maxsize=1024)
def _prepared(sql: str) -> tuple[str, Binder]:
    # Numbered places: of named ones sqlite3 asks the name again each time, for each value.
    binder = Binder(sql, _CONVERTERS, structured=(dict, list))
    return numbered(sql, binder.names), binder


def run_list(raw: sqlite3.Connection, statements: Sequence[Ready], slow: SlowQueries) -> list[list[Row]]:
    """Run statements in order; gives the rows of each.

    Raises:
        NothingDone: the first one failed.
        Exception: a later one did; what was done before is for the caller to undo.
    """
    results: list[list[Row]] = []
    try:
        for sql, values, unmatched in statements:
            rows = run_one(raw, sql, values, slow)
            if unmatched is not None and not rows:
                raise Unmatched(unmatched)  # noqa: TRY301 - it is a failure like any other of this statement
            results.append(rows)
    except Exception as error:
        if results:
            raise
        raise NothingDone(error) from error
    return results


def run_one(
    raw: sqlite3.Connection, sql: str, values: Sequence[Any], slow: SlowQueries, *, most: int | None = None
) -> list[Row]:
    """Every row, or the first `most`; nothing stays open, or an old snapshot would keep the log from shrinking.

    It goes past sqlite-utils, whose `execute` asks before and after each statement whether it began a transaction:
    a tenth of the time of a small write. Transactions begin and end in `commit.py` alone.
    """
    began = perf_counter()
    cursor = raw.execute(sql, values)
    found: list[Row] = []
    if cursor.description is not None:
        names = [column[0] for column in cursor.description]
        rows = cursor.fetchall() if most is None else cursor.fetchmany(most)
        cursor.close()
        found = [dict(zip(names, row)) for row in rows]  # noqa: B905 - SQLite gives as many values as names
    slow.note(sql, perf_counter() - began)
    return found


def _moment(name: str, value: datetime) -> str:
    return utc(name, value).isoformat(timespec="microseconds")


_CONVERTERS: dict[type, Converter] = {dict: json_text, list: json_text, datetime: _moment}

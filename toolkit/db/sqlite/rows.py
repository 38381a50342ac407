"""Values as SQLite keeps them, and the rows that it gives back: the hot path."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain
from time import perf_counter
from typing import Any, TypeAlias

from toolkit.db.binding import Binder, Converter, columns_of, numbered
from toolkit.db.database import Row, Rows, Sql, Statement
from toolkit.db.slow import SlowQueries
from toolkit.db.sqlite.driver import sqlite3
from toolkit.db.statements import Unmatched, json_text, utc

_MOST_VALUES = 16_384  # of one statement: half of what SQLite takes


class Inserted:
    """The statements that insert rows into a table; see `Rows`."""

    def __init__(self, table: str, columns: Sequence[str], conflict: str) -> None:
        self._begin = f"INSERT INTO {table} ({', '.join(columns)}) VALUES "  # noqa: S608 - names from the code
        self._row = f"({', '.join('?' for _ in columns)})"
        self._end = f" {conflict}"
        self._statements: dict[int, str] = {}
        self.most = 1 << ((_MOST_VALUES // len(columns)).bit_length() - 1)

    def statement(self, rows: int) -> str:
        """The one that inserts so many rows, at most `most`."""
        if rows not in self._statements:
            self._statements[rows] = self._begin + ", ".join([self._row] * rows) + self._end
        return self._statements[rows]


Ready: TypeAlias = tuple[str | Inserted, Sequence[Any], Exception | None]
"""What to run, the values, of many rows those of each, and what to raise without a row."""


class NothingDone(Exception):
    """The first statement of a list failed, so that there is nothing to undo; carries what it raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def prepared(statement: Statement | Rows) -> Ready:
    """One step of a list as `run_list` takes it."""
    if isinstance(statement, Rows):
        return _inserted(statement.table, tuple(statement.columns), statement.conflict), _values(statement), None
    return (*ready(statement.sql, statement.values), statement.unmatched)


def ready(sql: str | Sql, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
    """What SQLite runs, and its values: JSON and times are text, times in UTC and all of one width."""
    text, binder = _prepared(sql if isinstance(sql, str) else sql.sqlite)
    return text, binder.bind(values).values


_inserted = lru_cache(maxsize=256)(Inserted)


def _values(rows: Rows) -> Sequence[Any]:
    if not rows.values:
        return ()
    columns, _ = columns_of(rows, _BY_DECLARATION)
    converted = not _BY_DECLARATION.keys().isdisjoint(rows.columns.values())
    return list(zip(*columns, strict=True)) if converted else rows.values


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
    many = False
    try:
        for sql, values, unmatched in statements:
            many = isinstance(sql, Inserted)
            rows: list[Row] = []
            if isinstance(sql, Inserted):
                _run_many(raw, sql, values, slow)
            else:
                rows = run_one(raw, sql, values, slow)
            if unmatched is not None and not rows:
                raise Unmatched(unmatched)  # noqa: TRY301 - it is a failure like any other of this statement
            results.append(rows)
    except Exception as error:
        if results or many:  # of many rows some may be there already
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


def _run_many(raw: sqlite3.Connection, rows: Inserted, values: Sequence[Sequence[Any]], slow: SlowQueries) -> None:
    """Insert rows, many by each statement.

    `executemany` gives Python's lock away at each row, and while another thread computes has to wait up to 5 ms for it
    each time: measured, 3.4 ms a row instead of 6 µs, and 18 µs with a thousand rows to a statement.
    """
    began = perf_counter()
    start = 0
    while left := len(values) - start:
        # Sizes that are powers of two are few, so that SQLite has each statement ready the next time.
        size = min(rows.most, 1 << (left.bit_length() - 1))
        raw.execute(rows.statement(size), list(chain.from_iterable(values[start : start + size]))).close()
        start += size
    slow.note(rows.statement(1), perf_counter() - began)


def _moment(name: str, value: datetime) -> str:
    return utc(name, value).isoformat(timespec="microseconds")


_CONVERTERS: dict[type, Converter] = {dict: json_text, list: json_text, datetime: _moment}
_BY_DECLARATION: dict[str, Converter] = {"JSONB": json_text, "TIMESTAMPTZ": _moment}

"""Values as SQLite keeps them, and the rows that it gives back: the hot path."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from time import perf_counter
from types import NoneType
from typing import Any, TypeAlias

from toolkit.db.database import Row, Sql
from toolkit.db.slow import SlowQueries
from toolkit.db.sqlite.driver import sqlite3
from toolkit.db.statements import Unmatched, checked_text, json_text, utc

Bound: TypeAlias = tuple[str, dict[str, Any], Exception | None]  # text, values, what to raise without a row
Converter: TypeAlias = Callable[[str, Any], Any] | None


class NothingDone(Exception):
    """The first statement of a list failed, so that there is nothing to undo; carries what it raised."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def text_of(sql: str | Sql) -> str:
    """What SQLite runs."""
    return sql if isinstance(sql, str) else sql.sqlite


def bind(values: Mapping[str, Any]) -> dict[str, Any]:
    """`values` as SQLite keeps them: JSON and times are text, times in UTC and all of one width."""
    bound = {}
    for name, value in values.items():
        kind = type(value)
        if kind is str and value.isascii() and "\0" not in value:  # most values: no call
            bound[name] = value
            continue
        convert = _CONVERTERS[kind] if kind in _CONVERTERS else _of_another_type(value)
        bound[name] = value if convert is None else convert(name, value)
    return bound


def run_list(raw: sqlite3.Connection, statements: Sequence[Bound], slow: SlowQueries) -> list[list[Row]]:
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
    raw: sqlite3.Connection, sql: str, values: dict[str, Any], slow: SlowQueries, *, most: int | None = None
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


_CONVERTERS: dict[type, Converter] = {
    **dict.fromkeys((int, float, bool, bytes, NoneType)),
    str: checked_text,
    dict: json_text,
    list: json_text,
    datetime: _moment,
}


def _of_another_type(value: object) -> Converter:
    """The converter of the first type that `value` is one of, e.g. text for a member of a StrEnum."""
    return next((convert for kind, convert in _CONVERTERS.items() if isinstance(value, kind)), None)

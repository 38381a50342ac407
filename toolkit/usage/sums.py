"""The daily sums of the ledger: how they are made of rows, kept up, and taken back.

A row of `calls` is in `usage_daily` exactly if it is `rolled`, because both change in one transaction. What is asked of
both in one statement is therefore exact at any moment.

On Postgres several processes may do this at once: rows of `calls` are locked first, those that another one has are left
to it, and then the sums are locked in the order of their keys. So nobody waits for somebody who waits for him.
"""

from collections.abc import Mapping
from typing import Final

from toolkit.db import Sql

KEY: Final = ("day", "name", "provider", "user_id", "origin")
"""What there is one sum for."""

EACH: Final[Mapping[str, str]] = {
    "calls": "CASE WHEN status <> 'cached' THEN 1 ELSE 0 END",
    "failures": "CASE WHEN status = 'error' THEN 1 ELSE 0 END",
    "cached": "CASE WHEN status = 'cached' THEN 1 ELSE 0 END",
    "cacheable": "CASE WHEN status = 'ok' AND kind IN ('chat', 'stream') THEN 1 ELSE 0 END",
    "input_tokens": "CASE WHEN status <> 'cached' THEN COALESCE(input_tokens, 0) ELSE 0 END",
    "output_tokens": "CASE WHEN status <> 'cached' THEN COALESCE(output_tokens, 0) ELSE 0 END",
    "cost_nano_usd": "CASE WHEN status <> 'cached' THEN COALESCE(cost_nano_usd, 0) ELSE 0 END",
    "costs": "CASE WHEN status <> 'cached' AND cost_nano_usd IS NOT NULL THEN 1 ELSE 0 END",
    "priced_calls": "CASE WHEN status = 'ok' AND cost_nano_usd IS NOT NULL THEN 1 ELSE 0 END",
    "unpriced_calls": "CASE WHEN status = 'ok' AND cost_nano_usd IS NULL THEN 1 ELSE 0 END",
    "milliseconds": "CASE WHEN status <> 'cached' THEN milliseconds ELSE 0.0 END",
}
"""What one row of `calls` adds to each column."""

SUMMED: Final = ", ".join(f"SUM({expression}) AS {column}" for column, expression in EACH.items())
"""What many rows of `calls` are together."""

TOTALS: Final = ", ".join(
    f"SUM({column}) AS {column}" if column == "milliseconds" else f"CAST(SUM({column}) AS BIGINT) AS {column}"
    for column in EACH
)
"""What many sums are together."""

KEYED: Final = "day, name, provider, COALESCE(user_id, '') AS user_id, COALESCE(origin, '') AS origin"
GROUPED: Final = "GROUP BY day, name, provider, COALESCE(user_id, ''), COALESCE(origin, '')"
"""What rows of `calls` are summed by, after SELECT and after FROM."""

UPDATED: Final = "usage.updated"
"""The event that tells that the sums of a day have grown, and by how much."""

_COLUMNS: Final = ", ".join((*KEY, *EACH))
_KEYS: Final = ", ".join(KEY)
_ADDED: Final = ", ".join(f"{column} = kept.{column} + excluded.{column}" for column in EACH)
_TOLD: Final = ("calls", "failures", "cached", "input_tokens", "output_tokens")

# ruff: noqa: S608 - statements of our own words only


def add(source: str, sign: str = "") -> str:
    """Adds the sums in `source`, or takes them away."""
    # A sum of integers is a wider type on Postgres.
    values = ", ".join(
        f"{sign}{column}" if column == "milliseconds" else f"CAST({sign}{column} AS BIGINT)" for column in EACH
    )
    return (
        f"INSERT INTO usage_daily AS kept ({_COLUMNS}) SELECT {_KEYS}, {values} FROM {source} WHERE TRUE "
        f"ORDER BY {_KEYS} ON CONFLICT ({_KEYS}) DO UPDATE SET {_ADDED}"
    )


def _told(function: str, source: str) -> str:
    """Tells of each day in `source` by how much it has grown."""
    pairs = ", ".join(f"'{column}', CAST(SUM({column}) AS BIGINT)" for column in _TOLD)
    cost = "'cost_usd', CASE WHEN SUM(costs) > 0 OR SUM(unpriced_calls) = 0 THEN SUM(cost_nano_usd) / 1000000000.0 END"
    return (
        "INSERT INTO events (kind, subject, body, created_at) "
        f"SELECT '{UPDATED}', day, {function}({pairs}, {cost}), CAST(:now AS {{moment}}) FROM {source} GROUP BY day"
    )


_NEXT = "SELECT rowid FROM calls WHERE NOT rolled AND day <= :until ORDER BY day, rowid LIMIT :limit"
_NEXT_SUMS = f"(SELECT {KEYED}, {SUMMED} FROM calls WHERE rowid IN ({_NEXT}) {GROUPED})"
ROLL_UP: Final = (
    add(_NEXT_SUMS),
    _told("json_object", _NEXT_SUMS).format(moment="TEXT"),
    f"UPDATE calls SET rolled = TRUE WHERE rowid IN ({_NEXT}) RETURNING 1 AS one",
)
"""On SQLite: adds the next rows to the sums, tells of it, and marks them; the last one gives a row for each."""

ROLL_UP_AT_ONCE: Final = f"""
WITH next_rows AS (
    SELECT id FROM calls WHERE NOT rolled AND day <= CAST(:until AS TEXT) ORDER BY day LIMIT :limit
       FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE calls SET rolled = TRUE WHERE id IN (SELECT id FROM next_rows) AND NOT rolled RETURNING *
), parts AS (
    SELECT {KEYED}, {SUMMED} FROM taken {GROUPED}
), added AS (
    {add("parts")}
), told AS (
    {_told("jsonb_build_object", "parts").format(moment="TIMESTAMPTZ")}
)
SELECT COUNT(*) AS n FROM taken
"""
"""The same on Postgres, in one statement; gives how many rows it were."""

_OLDEST = "calls WHERE day <= :day AND started_at <= :before {which} ORDER BY day, started_at"
_OLDEST_ROWS = f"SELECT rowid FROM {_OLDEST.format(which='')}, rowid LIMIT :limit"
FORGET: Final = (
    add(f"(SELECT {KEYED}, {SUMMED} FROM calls WHERE rowid IN ({_OLDEST_ROWS}) AND rolled {GROUPED})", "-"),
    f"DELETE FROM calls WHERE rowid IN ({_OLDEST_ROWS}) RETURNING 1 AS one",
)
"""On SQLite: takes the oldest rows from the sums and deletes them; the last one gives a row for each."""

FORGET_AT_ONCE: Final = f"""
WITH oldest AS (
    SELECT id FROM {_OLDEST.format(which="")} LIMIT :limit FOR UPDATE
), gone AS (
    DELETE FROM calls WHERE id IN (SELECT id FROM oldest) RETURNING *
), parts AS (
    SELECT {KEYED}, {SUMMED} FROM gone WHERE rolled {GROUPED}
), taken AS (
    {add("parts", "-")}
)
SELECT COUNT(*) AS n FROM gone
"""
"""The same on Postgres, in one statement; gives how many rows it were."""

FORGET_ROWS: Final = Sql(
    f"DELETE FROM calls WHERE rowid IN (SELECT rowid FROM {_OLDEST.format(which='AND rolled')} LIMIT :limit) "
    "RETURNING 1 AS one",
    # An array is made once; `IN` may run the query anew for each row, and then the limit is none.
    f"DELETE FROM calls WHERE id = ANY (ARRAY (SELECT id FROM {_OLDEST.format(which='AND rolled')} LIMIT :limit "
    "FOR UPDATE)) RETURNING 1 AS one",
)
"""Deletes the oldest rows that are in the sums, and leaves the sums as they are; gives a row for each."""

FORGET_DAY: Final = """
DELETE FROM usage_daily
 WHERE day = (SELECT MIN(day) FROM usage_daily WHERE day < :day)
   AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.day = usage_daily.day AND rolled)
RETURNING 1 AS one
"""
"""Deletes the sums of the oldest day before a day, if no row is left that they are made of; gives a row for each."""

FORGET_NOTHING: Final = "DELETE FROM usage_daily WHERE day = :day AND calls = 0 AND cached = 0"
"""Deletes the sums of a day that no row is left of."""

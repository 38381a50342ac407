"""The shared dialect in the form that asyncpg and somebody else's search path need."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from toolkit.db.binding import PARTS, Binder, Converter, columns_of
from toolkit.db.database import Rows, Sql
from toolkit.db.statements import json_text, utc

TAG = "toolkit tag"  # the column that says to which of many executions a row belongs

_CONVERTERS: dict[type, Converter] = {dict: json_text, list: json_text, datetime: utc}
_BY_DECLARATION: dict[str, Converter] = {"JSONB": json_text, "TIMESTAMPTZ": utc}
_OVERHEAD = 50  # bytes around a value, and around a statement, at most

_TOKEN = re.compile(rf"(?xsi){PARTS} | \b(?P<verb>(?:FROM|JOIN|INTO|UPDATE)\s+)(?P<table>[a-z_]\w*)\b")
_IN_PARENTHESES = re.compile(r"\([^()]*\)")
_CHANGE = re.compile(r"\s*(?:INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_RETURNING = re.compile(r"\bRETURNING\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A statement's text as asyncpg runs it; the same text is the same object.

    Attributes:
        sql: the text.
        silent: it gives no rows, whatever it finds.
        tagged: the text with one value more, a number that comes back with each row in the column `TAG`, so that rows
            of many executions can be told apart; empty where there is no place for it.
    """

    sql: str
    silent: bool
    tagged: str


class Renderer:
    """Writes `:named` values as `$1` and our tables with their schema.

    A table is recognised after FROM, JOIN, INTO and UPDATE only: a second table after a comma, or a WITH query that
    is named like a table, is not for this dialect.

    Args:
        schema: where our tables are.
        tables: their names.
    """

    def __init__(self, schema: str, tables: frozenset[str]) -> None:
        self._schema = schema
        self._tables = tables
        self._binder = lru_cache(maxsize=1024)(_binder)
        self._form = lru_cache(maxsize=1024)(self._write)
        self._insert = lru_cache(maxsize=256)(self._write_insert)

    def render(self, sql: str | Sql, values: Mapping[str, Any]) -> tuple[str, Sequence[Any]]:
        """The statement as asyncpg runs it, and its values in order."""
        form, bound, _ = self.prepare(sql, values)
        return form.sql, bound

    def prepare(self, sql: str | Sql, values: Mapping[str, Any]) -> tuple[Form, Sequence[Any], int]:
        """The statement with all that is known of it, its values in order, and how many bytes they are at most."""
        text = sql if isinstance(sql, str) else sql.postgres
        bound, structured, size = self._binder(text).bind(values)
        return self._form(text, structured), bound, size + _OVERHEAD * (len(bound) + 1)

    def prepare_rows(self, rows: Rows) -> tuple[Form, Sequence[Any], int]:
        """The same for many new rows: one statement whose values are the columns, each as an array."""
        form = self._insert(rows.table, tuple(rows.columns.items()), rows.conflict)
        if not rows.values:
            return form, [[] for _ in rows.columns], _OVERHEAD
        columns, size = columns_of(rows, _BY_DECLARATION)
        return form, columns, size + _OVERHEAD * (len(columns) + 1) + 8 * len(columns) * len(rows.values)

    def _write_insert(self, table: str, columns: Sequence[tuple[str, str]], conflict: str) -> Form:
        names = ", ".join(name for name, _ in columns)
        # JSON goes by way of text, as in `_write`.
        arrays = ", ".join(
            f"CAST(${place} AS {'TEXT' if kind == 'JSONB' else kind}[])" for place, (_, kind) in enumerate(columns, 1)
        )
        given = ", ".join(f"CAST({name} AS JSONB)" if kind == "JSONB" else name for name, kind in columns)
        text = (
            f'INSERT INTO "{self._schema}".{table} ({names}) '  # noqa: S608 - names from the code
            f"SELECT {given} FROM unnest({arrays}) AS given ({names}) {conflict}"
        )
        return Form(text, silent=True, tagged="")

    def _write(self, sql: str, structured: tuple[str, ...]) -> Form:
        names = self._binder(sql).names

        def write(match: re.Match[str]) -> str:
            if name := match["value"]:
                place = f"${names.index(name) + 1}"
                # By way of text, JSON arrives whatever codec the pool's owner has registered.
                return f"CAST(CAST({place} AS TEXT) AS JSONB)" if name in structured else place
            if match["table"] and match["table"].lower() in self._tables:
                return f'{match["verb"]}"{self._schema}".{match["table"]}'
            return match[0]

        text = _TOKEN.sub(write, sql)
        outline = _outline(sql)
        changes = bool(_CHANGE.match(outline))
        returns = bool(_RETURNING.search(outline))
        tag = f'\n, CAST(${len(names) + 1} AS BIGINT) AS "{TAG}"'
        return Form(text, silent=changes and not returns, tagged=text + tag if changes and returns else "")


def _binder(sql: str) -> Binder:
    return Binder(sql, _CONVERTERS, structured=(dict, list))


def _outline(sql: str) -> str:
    """A statement without its texts, comments, values, and all that stands in parentheses."""
    text = _TOKEN.sub(lambda match: match["verb"] or " ", sql)
    while (shorter := _IN_PARENTHESES.sub(" ", text)) != text:
        text = shorter
    return text

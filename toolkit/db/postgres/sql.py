"""The shared dialect in the form that asyncpg and somebody else's search path need."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from toolkit.db.database import Sql
from toolkit.db.statements import checked_text, json_text, utc
from toolkit.errors import DatabaseError

TAG = "toolkit tag"  # the column that says to which of many executions a row belongs

_OVERHEAD = 50  # bytes around a value, and around a statement, at most
_PLAIN = frozenset({int, float, bool, type(None)})

_TOKEN = re.compile(
    r"""(?xsi)
    (?: \b e'(?:[^'\\]|\\.|'')*'            # text with escapes
      | '(?:[^']|'')*'                      # text
      | "(?:[^"]|"")*"                      # a quoted name
      | (?P<dollar>\$\w*\$).*?(?P=dollar)   # text between dollars
      | --[^\n]*                            # comments
      | /\*.*?\*/
      | ::                                  # a cast
      | \bDISTINCT\s+FROM\b                 # a comparison, followed by a value
    )
    | :(?P<value>[a-z_]\w*)
    | \b(?P<verb>(?:FROM|JOIN|INTO|UPDATE)\s+)(?P<table>[a-z_]\w*)\b
    """
)
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
        self._names = lru_cache(maxsize=1024)(_names)
        self._form = lru_cache(maxsize=1024)(self._write)

    def render(self, sql: str | Sql, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The statement as asyncpg runs it, and its values in order."""
        form, bound, _ = self.prepare(sql, values)
        return form.sql, bound

    def prepare(self, sql: str | Sql, values: Mapping[str, Any]) -> tuple[Form, list[Any], int]:
        """The statement with all that is known of it, its values in order, and how many bytes they are at most."""
        text = sql if isinstance(sql, str) else sql.postgres
        names = self._names(text)
        try:
            bound = [values[name] for name in names]
        except KeyError as error:
            raise DatabaseError(f"The statement has no value for :{error.args[0]}; pass it.") from error
        size = _OVERHEAD * (len(bound) + 1)
        structured: tuple[str, ...] = ()
        for place, value in enumerate(bound):
            # The common kinds first: this is done for each value of each chat.
            kind = type(value)
            if kind is str and value.isascii() and "\0" not in value:
                size += len(value)
            elif kind in _PLAIN or (kind is datetime and value.tzinfo is UTC):
                pass
            elif isinstance(value, dict | list):
                bound[place] = json = json_text(names[place], value)
                structured += (names[place],)
                size += len(json) if json.isascii() else 4 * len(json)
            elif isinstance(value, str):
                bound[place] = checked_text(names[place], value)
                size += 4 * len(value)
            elif isinstance(value, datetime):
                bound[place] = utc(names[place], value)
            else:
                size += len(value) if isinstance(value, bytes) else 0
        return self._form(text, structured), bound, size

    def _write(self, sql: str, structured: tuple[str, ...]) -> Form:
        names = self._names(sql)

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


def _names(sql: str) -> tuple[str, ...]:
    """The values of a statement in the order in which they are first named."""
    return tuple(dict.fromkeys(match["value"] for match in _TOKEN.finditer(sql) if match["value"]))


def _outline(sql: str) -> str:
    """A statement without its texts, comments, values, and all that stands in parentheses."""
    text = _TOKEN.sub(lambda match: match["verb"] or " ", sql)
    while (shorter := _IN_PARENTHESES.sub(" ", text)) != text:
        text = shorter
    return text

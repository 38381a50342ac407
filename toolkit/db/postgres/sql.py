"""The shared dialect in the form that asyncpg and somebody else's search path need."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from toolkit.db.database import Sql
from toolkit.db.statements import checked_text, json_text, utc
from toolkit.errors import DatabaseError

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
        self._text = lru_cache(maxsize=1024)(self._write_text)

    def render(self, sql: str | Sql, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The statement as asyncpg runs it, and its values in order."""
        structured = frozenset(name for name, value in values.items() if isinstance(value, dict | list))
        text, names = self._text(sql if isinstance(sql, str) else sql.postgres, structured)
        try:
            return text, [_bound(name, values[name]) for name in names]
        except KeyError as error:
            raise DatabaseError(f"The statement has no value for :{error.args[0]}; pass it.") from error

    def _write_text(self, sql: str, structured: frozenset[str]) -> tuple[str, tuple[str, ...]]:
        names: list[str] = []

        def write(match: re.Match[str]) -> str:
            if name := match["value"]:
                if name not in names:
                    names.append(name)
                place = f"${names.index(name) + 1}"
                # By way of text, JSON arrives whatever codec the pool's owner has registered.
                return f"CAST(CAST({place} AS TEXT) AS JSONB)" if name in structured else place
            if match["table"] and match["table"].lower() in self._tables:
                return f'{match["verb"]}"{self._schema}".{match["table"]}'
            return match[0]

        return _TOKEN.sub(write, sql), tuple(names)


def _bound(name: str, value: Any) -> Any:
    match value:
        case str():
            return checked_text(name, value)
        case dict() | list():
            return json_text(name, value)
        case datetime():
            return utc(name, value)
        case _:
            return value

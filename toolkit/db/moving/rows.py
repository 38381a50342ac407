"""Rows of one table, page by page; what they are on any database, and a checksum of all of them."""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from decimal import Decimal
from typing import Any, TypeAlias

from toolkit.db.database import Database, Row, as_time
from toolkit.db.moving.shape import Table, values_of

Key: TypeAlias = tuple[Any, ...]

FIRST_ROWS = 64  # of the first page, whose rows may be long
FIRST_BLOBS = 4  # the same of a table that holds bytes
MOST_ROWS = 500  # in a page; also in a transaction
MOST_BYTES = 4_000_000  # that a page should have, so that long rows do not fill the memory

_WIDTH = 1 << 256
_EXACT = 1e16  # from here on a whole float is written with an exponent, and Postgres writes its digits


@dataclass(frozen=True, slots=True)
class Digest:
    """What all rows of a table come to, in whatever order they were read.

    Attributes:
        rows: how many.
        checksum: the sum of the SHA-256 of each, as 64 hexadecimal digits.
    """

    rows: int
    checksum: str


async def pages(db: Database, table: Table, after: Key | None = None) -> AsyncIterator[list[Row]]:
    """The rows of `table` in the order of its key in `db`, some hundreds at a time, from behind the key `after`."""
    most = FIRST_BLOBS if "BYTEA" in table.columns.values() else FIRST_ROWS
    while True:
        where = values_of(after) if after else {}
        page = await db.fetch_all(table.page(first=not after), limit=most, **where)
        if not page:
            return
        yield page
        if len(page) < most:
            return
        after = key_of(table, page[-1])
        most = max(1, min(MOST_ROWS, most * 2, len(page) * MOST_BYTES // size_of(page)))


def key_of(table: Table, row: Row) -> Key:
    """What tells `row` apart."""
    return tuple(row[name] for name in table.key)


def size_of(page: Sequence[Row]) -> int:
    """About how many bytes are in `page`, at least 1."""
    return sum(len(value) for row in page for value in row.values() if isinstance(value, str | bytes)) or 1


def portable(table: Table, row: Row) -> dict[str, Any]:
    """The values of `row` as either database takes them; JSON as its text."""
    return {name: _PORTABLE.get(kind, _as_it_is)(row[name]) for name, kind in table.columns.items()}


def canonical(table: Table) -> Callable[[Row], str]:
    """Writes a row of `table` in the same words whichever database it came from."""
    columns = [(name, _CANONICAL.get(kind)) for name, kind in table.columns.items()]

    def write(row: Row) -> str:
        return repr(
            [value if value is None or say is None else say(value) for n, say in columns for value in (row[n],)]
        )

    return write


async def digest(db: Database, table: Table, told: Callable[[int], None]) -> Digest:
    """Read every row of `table` once more; `told` hears how many came."""
    write = canonical(table)
    rows = total = 0
    async for page in pages(db, table):
        for row in page:
            total += int.from_bytes(hashlib.sha256(write(row).encode()).digest())
        rows += len(page)
        told(len(page))
    return Digest(rows, f"{total % _WIDTH:064x}")


def _as_it_is(value: Any) -> Any:
    return value


def _json_as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _json_in_order(value: Any) -> str:
    return _in_order(_read(value if isinstance(value, str) else json.dumps(value)))


def _number(text: str) -> float | int:
    """A number of JSON that is not written as a whole one: Postgres has no exponents and no negative zero."""
    value = float(text)
    return int(Decimal(text)) if value.is_integer() and abs(value) >= _EXACT else value or 0.0


_read = json.JSONDecoder(parse_float=_number).decode
_in_order = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode

_PORTABLE: dict[str, Callable[[Any], Any]] = {
    "BOOLEAN": lambda value: None if value is None else bool(value),
    "TIMESTAMPTZ": lambda value: None if value is None else as_time(value),
    "JSONB": _json_as_text,
}
_CANONICAL: dict[str, Callable[[Any], Any]] = {
    "DOUBLE PRECISION": float,
    "BOOLEAN": bool,
    "TIMESTAMPTZ": lambda value: as_time(value).astimezone(UTC).isoformat(timespec="microseconds"),
    "JSONB": _json_in_order,
}

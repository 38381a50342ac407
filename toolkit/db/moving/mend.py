"""Makes a copy equal again where its source was changed while it was copied."""

from collections.abc import Callable, Mapping, Sequence

from toolkit.db.database import Database, Row, Statement
from toolkit.db.moving.rows import Key, canonical, key_of, pages, portable
from toolkit.db.moving.shape import Table, values_of
from toolkit.errors import Conflict


async def mend(source: Database, target: Database, differ: Sequence[Table]) -> int:
    """Make each table of `differ` in `target` what it is in `source`; gives the number of rows that were not.

    Args:
        source: is only read.
        target: everything in it belongs to the copy.
        differ: in the order of their references.
    """
    mended = 0
    for table in reversed(differ):
        async for page in pages(target, table):
            there = await _same_keys(source, table, page)
            gone = [key for row in page if (key := key_of(table, row)) not in there]
            if gone:
                await target.write(*_deletes(table, gone))
            mended += len(gone)
    for table in differ:
        write = canonical(table)
        async for page in pages(source, table):
            there = await _same_keys(target, table, page)
            stale = [row for row in page if not _equal(write, row, there.get(key_of(table, row)))]
            if stale:
                await _write(target, table, stale)
            mended += len(stale)
    return mended


async def _write(target: Database, table: Table, stale: Sequence[Row]) -> None:
    insert = table.insert(overwrite=True)
    inserts = [Statement(insert, portable(table, row), repeatable=True) for row in stale]
    # Deleted first where nothing refers to them, or a value that went from one row to another would be there twice.
    deletes = [] if table.referred else _deletes(table, [key_of(table, row) for row in stale])
    try:
        await target.write(*deletes, *inserts)
    except Conflict:
        return  # what it refers to is newer than the page that was read; the next comparison tells


def _deletes(table: Table, keys: Sequence[Key]) -> list[Statement]:
    delete = table.delete()
    return [Statement(delete, values_of(key), repeatable=True) for key in keys]


async def _same_keys(db: Database, table: Table, page: Sequence[Row]) -> Mapping[Key, Row]:
    """The rows of `db` that have the keys of `page`."""
    keys = [key_of(table, row) for row in page]
    values = {f"k{n}_{m}": value for n, key in enumerate(keys) for m, value in enumerate(key)}
    return {key_of(table, row): row for row in await db.fetch_all(table.some(len(page)), **values)}


def _equal(write: Callable[[Row], str], row: Row, other: Row | None) -> bool:
    return other is not None and write(row) == write(other)

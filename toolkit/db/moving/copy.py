"""Everything that one database keeps, written into another, and both compared row by row."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TypeAlias

from toolkit.db.database import Database, Row, Statement
from toolkit.db.moving import bookmark
from toolkit.db.moving.bookmark import Bookmark, Finished
from toolkit.db.moving.mend import mend
from toolkit.db.moving.places import claim, counts, open_both
from toolkit.db.moving.rows import Digest, digest, key_of, pages, portable
from toolkit.db.moving.shape import Table, tables
from toolkit.errors import ConfigError, Conflict

Advance: TypeAlias = Callable[[int, int | None, str], None]
"""Told how many of how many rows are done, and of which table."""

Progress: TypeAlias = Callable[[str], AbstractContextManager[Advance]]
"""Given what is being done, shows it while the context is open."""

_ROUNDS = 3  # comparisons; what differs after the first was changed while it was copied


@dataclass(frozen=True, slots=True)
class Copied:
    """A table of which both databases have the same rows.

    Attributes:
        table: its name.
        rows: how many.
        checksum: of all of them, 64 hexadecimal digits; the same rows give the same one on either kind of database.
    """

    table: str
    rows: int
    checksum: str


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What became of a copy.

    Attributes:
        tables: all that were copied, in order.
        written: rows that this run wrote; fewer than there are if it went on with an earlier one.
        mended: rows that were written again or deleted, because the source was changed while it was copied.
    """

    tables: tuple[Copied, ...]
    written: int
    mended: int


async def copy(source: Database, target: Database, progress: Progress) -> CopyReport:
    """Copy every table of `source` to `target`, and compare both sides afterwards by reading them again.

    The rows go in pages, each with the place that was reached in one transaction: a copy that was interrupted at any
    moment goes on with the same call, and no row comes twice. The outbox `events` is not copied.

    A source that is written to meanwhile is copied as it is when each page is read; what the comparison then finds to
    differ is copied again, up to twice. Until the end the target belongs to the copy: rows that the source does not
    have are deleted from it then.

    Args:
        source: is only read.
        target: is brought up to date; it has to be empty, or to hold an unfinished copy of the same source.
        progress: shows how far it is.

    Raises:
        ConfigError: there is nothing to copy, the target holds other data, or both are the same database.
        MigrationError: one of them has other tables than this version of the toolkit.
        Conflict: somebody else wrote to one of them all the time.
    """
    every = await tables()
    await open_both(source, target)
    held = await counts(target, every)
    mark = await claim(source, target, held)
    if mark is None:
        return await _already_equal(source, target, every, progress)
    try:
        written = await _Copy(source, target, every, mark).run(sum(held.values()) if mark.table else 0, progress)
        return await _make_equal(source, target, every, written, progress)
    except Finished:
        return await _already_equal(source, target, every, progress)


async def _make_equal(
    source: Database, target: Database, every: Sequence[Table], written: int, progress: Progress
) -> CopyReport:
    """Compare both sides, and mend what differs, until they are equal.

    Raises:
        Conflict: they never are.
        Finished: somebody else has found them equal.
    """
    mended = 0
    for last in (False,) * (_ROUNDS - 1) + (True,):
        mine, theirs = await _digests(source, target, every, progress)
        differ = [table for table in every if mine[table.name] != theirs[table.name]]
        if not differ:
            await bookmark.remove(target)
            return CopyReport(_copied(mine), written, mended)
        if await bookmark.find(target) is None:
            raise Finished
        if not last:
            mended += await mend(source, target, differ)
    names = ", ".join(table.name for table in differ)
    raise Conflict(
        f"Rows of {names} differ, because other programs write to {source.url} or {target.url}; "
        "stop them and run the same command again: only what differs is copied."
    )


class _Copy:
    """The writing of one run."""

    def __init__(self, source: Database, target: Database, every: Sequence[Table], mark: Bookmark) -> None:
        self._source = source
        self._target = target
        self._every = every
        self._mark = mark

    async def run(self, done: int, progress: Progress) -> int:
        """Write what is missing behind the bookmark, and give the number of rows."""
        written = 0
        total = sum((await counts(self._source, self._every)).values())
        names = [table.name for table in self._every]
        begun = names.index(self._mark.table) if self._mark.table in names else 0
        with progress("Copying") as advance:
            for table in self._every[begun:]:
                after = self._mark.after if table.name == self._mark.table else None
                async for page in pages(self._source, table, after):
                    await self._write(table, page)
                    written += len(page)
                    advance(done + written, max(total, done + written), table.name)
        return written

    async def _write(self, table: Table, page: Sequence[Row]) -> None:
        moved = self._mark.at(table.name, key_of(table, page[-1]))
        try:
            await self._target.write(*_inserts(table, page), moved)
        except Conflict:
            # A row came to the source after the table that it refers to was read: that one comes along.
            parents, children = await self._with_parents(table, page)
            try:
                await self._target.write(*parents, *_inserts(table, children), moved)
            except Conflict as error:
                raise Conflict(
                    f"{error} It is in {table.name} of {self._target.url}, where another program writes; stop it, "
                    "and run the same command again."
                ) from error

    async def _with_parents(self, table: Table, page: Sequence[Row]) -> tuple[list[Statement], list[Row]]:
        """Statements for what the rows of `page` refer to, and the rows of which it is still there."""
        statements: list[Statement] = []
        for column, name in table.parents.items():
            parent = next(t for t in self._every if t.name == name)
            found = {
                key: await self._source.fetch_one(parent.one(), k0=key)
                for key in dict.fromkeys(row[column] for row in page)
                if key is not None
            }
            statements += _inserts(parent, [row for row in found.values() if row])
            page = [row for row in page if row[column] is None or found[row[column]]]
        return statements, list(page)


def _inserts(table: Table, page: Sequence[Row]) -> list[Statement]:
    insert = table.insert(overwrite=False)
    return [Statement(insert, portable(table, row), repeatable=True) for row in page]


async def _already_equal(source: Database, target: Database, every: Sequence[Table], progress: Progress) -> CopyReport:
    """The report on a target that is a copy already.

    Raises:
        ConfigError: it holds other data.
    """
    held = await counts(target, every)
    if held == await counts(source, every):
        mine, theirs = await _digests(source, target, every, progress)
        if mine == theirs:
            return CopyReport(_copied(mine), 0, 0)
    told = ", ".join(f"{rows:,} in {table}" for table, rows in held.items() if rows)
    raise ConfigError(f"The database {target.url} holds other rows already ({told}); name an empty one.")


async def _digests(
    source: Database, target: Database, every: Sequence[Table], progress: Progress
) -> tuple[dict[str, Digest], dict[str, Digest]]:
    """What each table comes to on both sides; all of it is read again."""
    mine: dict[str, Digest] = {}
    theirs: dict[str, Digest] = {}
    done = 0
    total = 2 * sum((await counts(source, every)).values())
    with progress("Comparing") as advance:
        for table in every:

            def told(rows: int, name: str = table.name) -> None:
                nonlocal done
                done += rows
                advance(done, max(total, done), name)

            mine[table.name], theirs[table.name] = await asyncio.gather(
                digest(source, table, told), digest(target, table, told)
            )
    return mine, theirs


def _copied(found: dict[str, Digest]) -> tuple[Copied, ...]:
    return tuple(Copied(name, each.rows, each.checksum) for name, each in found.items())

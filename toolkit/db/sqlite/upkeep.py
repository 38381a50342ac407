"""Backup, vacuum and check of a SQLite database. Each blocks, and is called on the thread of its connection."""

import os
import re
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from toolkit.db.database import Problem
from toolkit.db.sqlite.driver import Connection, sqlite3
from toolkit.db.sqlite.failures import Place, in_plain_words, is_damage
from toolkit.errors import ConfigError, DatabaseUnavailable

_ORPHANS = """
SELECT "table", parent, COUNT(*), MIN(rowid) FROM pragma_foreign_key_check GROUP BY "table", parent ORDER BY 1, 2
"""
# How integrity_check names what it speaks of, in the words of SQLite's several versions.
_INDEX = re.compile(r"index (\w+)")
_PAGE = re.compile(r"(?:[Tt]ree page|Tree) (\d+)")
_COLUMN = re.compile(r"(?: in |value in )(\w+)\.\w+")


def free_place(file: Path) -> Path:
    """The whole path of `file`, if a copy may be written there."""
    target = file.expanduser().absolute()
    if target.exists():
        raise ConfigError(f"The file {target} is there already; name a new one.")
    if not target.parent.is_dir():
        raise ConfigError(f"The folder {target.parent} is not there; make it, or name another.")
    return target


def back_up(connection: Connection, target: Path) -> None:
    """Copy the database to a new file, which appears under its name when it is whole and on the disk.

    All pages are copied in one step, in one read transaction: of one moment, and in bounded time. A copy in several
    steps begins again with each commit of somebody else, and never ends beside a busy writer.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    place = Place(part, f"the backup {target}")
    try:
        # Once it can be read nothing is in the way of the copy; `backup` would wait for a lock for ever.
        connection.execute("BEGIN")
        connection.execute("SELECT COUNT(*) FROM sqlite_master").fetchone()
        with in_plain_words(place), closing(sqlite3.connect(part, isolation_level=None)) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # it is brought to the disk once, below
            connection.conn.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE").fetchall()  # one file, without a log beside it
        _sync(part)
        _publish(part, target)
        _sync(target.parent)
    except OSError as error:
        raise DatabaseUnavailable(
            f"The backup {target} cannot be written ({error.strerror}); name another place."
        ) from error
    finally:
        if connection.conn.in_transaction:
            connection.execute("ROLLBACK")
        for suffix in ("", "-journal", "-wal", "-shm"):
            with suppress(OSError):
                part.with_name(part.name + suffix).unlink()


def vacuum(connection: Connection) -> None:
    """Rewrite the file without gaps, and count what the query planner wants to know."""
    connection.execute("VACUUM")
    connection.execute("PRAGMA optimize")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def check(connection: Connection) -> list[Problem]:
    """Read every page and every reference; an empty list is a sound database."""
    try:
        problems = list(_damage(connection))
        if not problems:  # what is damaged would only be said again, in other words
            problems = list(_orphans(connection))
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        return [unreadable(error)]
    return problems


def unreadable(error: BaseException | None) -> Problem:
    """What there is to say of a file that SQLite gives up on."""
    return Problem("", f"The file is damaged so badly that it cannot be read through ({error}).")


def _damage(connection: Connection) -> Iterator[Problem]:
    owners: dict[str, str] = {}
    for name, table, page in connection.execute("SELECT name, tbl_name, rootpage FROM sqlite_master").fetchall():
        owners[name] = owners[str(page)] = table
    for (text,) in connection.execute("PRAGMA integrity_check").fetchall():
        for line in text.splitlines():
            if line != "ok" and not line.startswith("***"):
                found = _INDEX.search(line) or _PAGE.search(line) or _COLUMN.search(line)
                yield Problem(owners.get(found[1], "") if found else "", f"{line}.")


def _orphans(connection: Connection) -> Iterator[Problem]:
    for table, parent, count, row in connection.execute(_ORPHANS).fetchall():
        yield Problem(
            table, f"{count} of its rows refer to rows of {parent} that are not there; the first is row {row}."
        )


def _sync(path: Path) -> None:
    """Bring a file or a folder to the disk. No connection has the file open, so that closing it drops no lock."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _publish(part: Path, target: Path) -> None:
    """Give `part` its name, unless somebody else has made a file of that name meanwhile."""
    try:
        target.hardlink_to(part)
    except FileExistsError as error:
        raise ConfigError(f"The file {target} is there already; name a new one.") from error
    except OSError:  # a file system without hard links
        part.rename(target)

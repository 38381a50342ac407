"""SQLite's errors in the toolkit's words."""

from collections.abc import Iterator
from contextlib import contextmanager

from toolkit.db.sqlite.driver import sqlite3
from toolkit.db.statements import Unmatched
from toolkit.errors import Conflict, DatabaseBusy, DatabaseError, DatabaseFull, DatabaseUnavailable

_UNIQUE = {1555, 2067, 2579}  # SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID
_FOREIGN_KEY = 787  # SQLITE_CONSTRAINT_FOREIGNKEY

_BUSY = (DatabaseBusy, "Another program holds {where} locked; try again, or end that program.")
_CLOSED = (DatabaseUnavailable, "Opening {where} is not possible; check its path and its permissions.")
_BY_CODE: dict[int, tuple[type[DatabaseError], str]] = {
    sqlite3.SQLITE_BUSY: _BUSY,
    sqlite3.SQLITE_LOCKED: _BUSY,
    sqlite3.SQLITE_FULL: (DatabaseFull, "There is no space left for {where}; free some on its disk and try again."),
    sqlite3.SQLITE_READONLY: (
        DatabaseUnavailable,
        "Writing to {where} is not allowed; change its permissions or name another.",
    ),
    sqlite3.SQLITE_CANTOPEN: _CLOSED,
    sqlite3.SQLITE_PERM: _CLOSED,
    sqlite3.SQLITE_AUTH: _CLOSED,
    sqlite3.SQLITE_NOTADB: (DatabaseUnavailable, "The file of {where} is not a SQLite database; name another file."),
    sqlite3.SQLITE_CORRUPT: (DatabaseUnavailable, "The file of {where} is damaged; restore a backup of it."),
    sqlite3.SQLITE_IOERR: (DatabaseUnavailable, "Reading or writing {where} failed ({error}); check its disk."),
}
_OTHER = (DatabaseError, "The statement failed in {where}: {error}.")


def translate(error: Exception, where: str) -> Exception:
    """What the caller is told.

    Args:
        error: what running a statement raised.
        where: the database as a person calls it, e.g. `the database /home/ada/toolkit.db`.
    """
    if isinstance(error, Unmatched):
        return error.error
    if not isinstance(error, sqlite3.Error):
        return DatabaseError(f"A value cannot be kept in {where}: {error}.")
    code: int = getattr(error, "sqlite_errorcode", 0)  # the driver's own complaints have none
    if code in _UNIQUE:
        columns = str(error).rpartition(": ")[2]
        return Conflict(f"A row with the same value is there already ({columns}).")
    if code == _FOREIGN_KEY:
        return Conflict("A row refers to another one that is not there.")
    kind, sentence = _BY_CODE.get(code & 0xFF, _OTHER)
    return kind(sentence.format(where=where, error=error))


@contextmanager
def in_plain_words(where: str) -> Iterator[None]:
    """Inside, an error of SQLite becomes one of the toolkit's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, where) from error

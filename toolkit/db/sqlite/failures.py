"""SQLite's errors in the toolkit's words."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from toolkit.db.sqlite.driver import sqlite3
from toolkit.db.sqlite.holders import Holder, who_writes
from toolkit.db.sqlite.rows import NothingDone
from toolkit.db.statements import Unmatched
from toolkit.errors import Conflict, DatabaseBusy, DatabaseError, DatabaseFull, DatabaseUnavailable

_UNIQUE = {1555, 2067, 2579}  # SQLITE_CONSTRAINT_PRIMARYKEY, _UNIQUE, _ROWID
_FOREIGN_KEY = 787  # SQLITE_CONSTRAINT_FOREIGNKEY
# PROTOCOL is what is left of SQLITE_BUSY where a reader lost the race for its place in the log again and again.
_BUSY = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}

_READ_ONLY = "Writing to {where} is not allowed; change the permissions of the file and of its folder, or name another."
_CLOSED = (DatabaseUnavailable, "Opening {where} is not possible; check its path and its permissions.")
_BY_CODE: dict[int, tuple[type[DatabaseError], str]] = {
    sqlite3.SQLITE_FULL: (DatabaseFull, "There is no space left for {where}; free some on its disk and try again."),
    sqlite3.SQLITE_READONLY: (DatabaseUnavailable, _READ_ONLY),
    sqlite3.SQLITE_CANTOPEN: _CLOSED,
    sqlite3.SQLITE_PERM: _CLOSED,
    sqlite3.SQLITE_AUTH: _CLOSED,
    sqlite3.SQLITE_NOTADB: (
        DatabaseUnavailable,
        "The file of {where} is not a SQLite database, or it is encrypted; name another file.",
    ),
    sqlite3.SQLITE_CORRUPT: (
        DatabaseUnavailable,
        (
            "The file of {where} is damaged; `toolkit db check` says how badly. Restore a backup, or save what can "
            "still be read with the command `.recover` of the program sqlite3."
        ),
    ),
    sqlite3.SQLITE_IOERR: (DatabaseUnavailable, "Reading or writing {where} failed ({error}); check its disk."),
}
_OTHER = (DatabaseError, "The statement failed in {where}: {error}.")


@dataclass(frozen=True, slots=True)
class Place:
    """A database: its file, None for memory, and what a person calls it, e.g. `the database /home/ada/toolkit.db`."""

    path: Path | None
    name: str

    @classmethod
    def of(cls, path: Path | None) -> "Place":
        """The place of a file, or memory."""
        return cls(path, f"the database {path}" if path else "the database in memory")


def translate(error: Exception, place: Place) -> Exception:
    """What the caller is told of what running a statement raised."""
    if isinstance(error, NothingDone):
        error = error.error
    if isinstance(error, Unmatched):
        return error.error
    if isinstance(error, DatabaseError):  # it is in plain words already
        return error
    if not isinstance(error, sqlite3.Error):
        return DatabaseError(f"A value cannot be kept in {place.name}: {error}.")
    if is_busy(error):
        return _busy(place)
    code = _code(error)
    if code in _UNIQUE:
        columns = str(error).rpartition(": ")[2]
        return Conflict(f"A row with the same value is there already ({columns}).")
    if code == _FOREIGN_KEY:
        return Conflict("A row refers to another one that is not there.")
    kind, sentence = _BY_CODE.get(code & 0xFF, _OTHER)
    return kind(sentence.format(where=place.name, error=error))


def not_writable(place: Place) -> DatabaseUnavailable:
    """What is said of a file that may only be read."""
    return DatabaseUnavailable(_READ_ONLY.format(where=place.name))


def is_busy(error: Exception) -> bool:
    """Whether somebody else's lock is the reason."""
    return _code(error) & 0xFF in _BUSY


def is_damage(error: BaseException | None) -> bool:
    """Whether the file's content is the reason."""
    return _code(error) & 0xFF == sqlite3.SQLITE_CORRUPT


@contextmanager
def in_plain_words(place: Place) -> Iterator[None]:
    """Inside, an error of SQLite becomes one of the toolkit's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(error, place) from error


def _code(error: BaseException | None) -> int:
    code: int = getattr(error, "sqlite_errorcode", 0)  # the driver's own complaints have none
    return code


def _busy(place: Place) -> DatabaseBusy:
    holder = who_writes(place.path) if place.path else None
    match holder:
        case None:
            return DatabaseBusy(f"Another program holds {place.name} locked; try again, or end that program.")
        case Holder(ours=True):
            return DatabaseBusy(
                f"This program (process {holder.pid}) holds {place.name} locked through another connection; "
                "end the transaction of that one and try again."
            )
        case _:
            return DatabaseBusy(
                f"The program {holder.program} (process {holder.pid}) holds {place.name} locked; "
                "try again, or end that program."
            )

"""Postgres's and asyncpg's errors in the toolkit's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from toolkit.errors import (
    ConfigError,
    Conflict,
    DatabaseBusy,
    DatabaseError,
    DatabaseFull,
    DatabaseUnavailable,
    ToolkitError,
)


class Doubtful(Exception):
    """The commit was sent and never answered, and patience is over: nobody here knows whether it was done."""


class Blocked(Exception):
    """Somebody else's lock was waited for until patience was over; the text says whose, as far as it is known."""


# The connection, or the server behind it, is gone.
LOST = (
    OSError,  # also TimeoutError
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.InternalClientError,  # the server died in the middle of its answer
    asyncpg.InterfaceError,  # the connection died between two statements, and asyncpg has taken it back
)
# Nothing was done because of others; the same may succeed a moment later.
UNDONE = (
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCachedStatementError,
    asyncpg.TooManyConnectionsError,
)
# What a server says that did not see this client prepare the statement that it wants to run.
_NOT_PREPARED = (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError)
# What would happen to each list alone as well.
_EVERYBODYS = (
    *UNDONE,
    *_NOT_PREPARED,
    asyncpg.InsufficientResourcesError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ReadOnlySQLTransactionError,
)
_GONE = re.compile("clos(?:ed|ing)|released|cannot perform operation")

_SENTENCES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[ToolkitError], str], ...] = (
    (Doubtful, DatabaseUnavailable, "The connection to {where} was lost while it wrote; look whether it is kept."),
    (Blocked, DatabaseBusy, "{said}."),
    (
        _NOT_PREPARED,
        DatabaseUnavailable,
        "Prepared statements get lost in {where}; behind pgbouncer add ?statement_cache_size=0 to its URL.",
    ),
    (asyncpg.UniqueViolationError, Conflict, "A row with the same value is there already ({columns})."),
    (asyncpg.ForeignKeyViolationError, Conflict, "A row refers to another one that is not there."),
    (
        asyncpg.DiskFullError,
        DatabaseFull,
        "There is no space left for {where}; free some on its disk and try again.",
    ),
    (
        asyncpg.TooManyConnectionsError,
        DatabaseUnavailable,
        "No connection is free in {where}; lower TOOLKIT_MAX_CONNECTIONS.",
    ),
    (
        (asyncpg.LockNotAvailableError, *UNDONE),
        DatabaseBusy,
        "Other programs hold locks in {where}; try again, or end those programs.",
    ),
    (
        (asyncpg.InsufficientPrivilegeError, asyncpg.ReadOnlySQLTransactionError),
        DatabaseUnavailable,
        "Writing to {where} is not allowed ({said}); grant it, or name another.",
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        DatabaseUnavailable,
        "The user or the password was refused by {where}; check its URL.",
    ),
    (
        asyncpg.InvalidCatalogNameError,
        DatabaseUnavailable,
        "There is no such database as {where}; make it with createdb, or check its URL.",
    ),
    (asyncpg.ClientConfigurationError, ConfigError, "The URL of {where} cannot be used ({said}); correct it."),
    (asyncpg.DataError, DatabaseError, "A value cannot be kept in {where}: {said}."),
    (LOST, DatabaseUnavailable, "No connection to {where} ({said}); check that it is up, and its URL."),
)
_OTHER = (DatabaseError, "The statement failed in {where}: {said}.")


def translate(error: Exception, where: str) -> ToolkitError:
    """What the caller is told.

    Args:
        error: what asyncpg raised.
        where: the database as a person calls it, without a password.
    """
    kind, sentence = next(((k, s) for cause, k, s in _SENTENCES if isinstance(error, cause)), _OTHER)
    return kind(sentence.format(where=where, said=_said(error), columns=_columns(error)))


def is_lost(error: BaseException) -> bool:
    """Whether the connection is gone, rather than used wrongly: asyncpg has one class for both."""
    if isinstance(error, asyncpg.InterfaceError):
        return not isinstance(error, ValueError) and bool(_GONE.search(str(error)))
    return isinstance(error, LOST)


def is_one_lists_fault(error: Exception) -> bool:
    """Whether of several lists that were run together one may have caused it, while the others can be kept."""
    if isinstance(error, _EVERYBODYS):
        return False
    return isinstance(error, asyncpg.PostgresError) and not is_lost(error)


@contextmanager
def in_plain_words(where: str) -> Iterator[None]:
    """Inside, an error of Postgres, of asyncpg or of the network becomes one of the toolkit's."""
    try:
        yield
    except (asyncpg.PostgresError, *LOST, Doubtful, Blocked) as error:
        raise translate(error, where) from error


def _said(error: Exception) -> str:
    """The first line of what it says, without the rows that Postgres quotes in the others."""
    said = str(error)
    if said.startswith("invalid input for query argument"):  # asyncpg quotes the value
        said = re.sub(r": .*(\(.*\))", r" \1", said, flags=re.DOTALL)
    return said.partition("\n")[0].rstrip(".") or type(error).__name__


def _columns(error: Exception) -> str:
    """The columns of a violated key, e.g. `models.name`."""
    if not isinstance(error, asyncpg.PostgresError):
        return ""
    key = re.match(r"Key \((.*?)\)=", (error.detail or "").replace('"', ""))
    return ", ".join(f"{error.table_name}.{name}" for name in (key[1].split(", ") if key else ()))

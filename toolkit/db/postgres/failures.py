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
    """The connection was lost after the commit was sent: nobody here knows whether it was done."""


# The connection, or the server behind it, is gone.
LOST = (
    OSError,  # also TimeoutError
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InternalClientError,  # the server died in the middle of its answer
    asyncpg.InterfaceError,  # the connection died between two statements, and asyncpg has taken it back
)
# The transaction was undone because of others; the same one may succeed a moment later.
UNDONE = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError)

_SENTENCES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], type[ToolkitError], str], ...] = (
    (Doubtful, DatabaseUnavailable, "The connection to {where} was lost while it wrote; look whether it is kept."),
    (asyncpg.UniqueViolationError, Conflict, "A row with the same value is there already ({columns})."),
    (asyncpg.ForeignKeyViolationError, Conflict, "A row refers to another one that is not there."),
    (
        asyncpg.DiskFullError,
        DatabaseFull,
        "There is no space left for {where}; free some on its disk and try again.",
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
    (
        asyncpg.TooManyConnectionsError,
        DatabaseUnavailable,
        "No connection is free in {where}; lower TOOLKIT_MAX_CONNECTIONS.",
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


@contextmanager
def in_plain_words(where: str) -> Iterator[None]:
    """Inside, an error of Postgres, of asyncpg or of the network becomes one of the toolkit's."""
    try:
        yield
    except (asyncpg.PostgresError, *LOST, Doubtful) as error:
        raise translate(error, where) from error


def _said(error: Exception) -> str:
    """The first line of what it says, without the rows that Postgres quotes in the others."""
    return str(error).partition("\n")[0].rstrip(".") or type(error).__name__


def _columns(error: Exception) -> str:
    """The columns of a violated key, e.g. `models.name`."""
    if not isinstance(error, asyncpg.PostgresError):
        return ""
    key = re.match(r"Key \((.*?)\)=", (error.detail or "").replace('"', ""))
    return ", ".join(f"{error.table_name}.{name}" for name in (key[1].split(", ") if key else ()))

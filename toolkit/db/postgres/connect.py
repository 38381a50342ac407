"""Connections of our own: what the URL says, and what we ask of a server."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import asyncpg

from toolkit.db.postgres.schema import Connection
from toolkit.errors import ConfigError, DatabaseUnavailable

OLDEST = 14  # of Postgres's major versions
CONNECT_TIMEOUT = 10.0  # seconds
NAME = "toolkit-mcp"  # how our connections are called in pg_stat_activity

_USER = re.compile(r"[\w.%-]*")
_CACHE = re.compile(r"(?<=[?&])statement_cache_size=([^&#]*)(?:&|$)")


class Address:
    """Where a database is, and how to connect to it.

    Attributes:
        pooled: a pooler lends the server's sessions by the transaction (`?statement_cache_size=0`): nothing that
            lasts longer, such as LISTEN, can be had there.

    Raises:
        ConfigError: an option of ours that cannot be read.
    """

    def __init__(self, url: str) -> None:
        self.shown = _without_password(url)
        dsn = url.replace("postgresql+asyncpg:", "postgresql:", 1)
        self._options: dict[str, Any] = {"timeout": CONNECT_TIMEOUT}
        if size := _CACHE.search(dsn):
            if not size[1].isdecimal():
                raise ConfigError(f"The option statement_cache_size of {self.shown} must be a number, e.g. 0.")
            self._options["statement_cache_size"] = int(size[1])
            dsn = _CACHE.sub("", dsn).rstrip("?&")
        if "application_name=" not in dsn:
            # Nothing else is set here: pgbouncer refuses what it does not know.
            self._options["server_settings"] = {"application_name": NAME}
        self.pooled = self._options.get("statement_cache_size") == 0
        self._dsn = dsn

    async def connect(self) -> "asyncpg.Connection[Any]":
        """One connection outside of any pool.

        Raises:
            ConfigError: the URL cannot be read.
        """
        with self._readable():
            connection: asyncpg.Connection[Any] = await asyncpg.connect(self._dsn, **self._options)
            return connection

    async def pool(self, least: int, most: int) -> "asyncpg.Pool[Any]":
        """A new pool.

        Raises:
            ConfigError: the URL cannot be read.
        """
        logging.getLogger("asyncpg.pool").addFilter(_one_line)
        with self._readable():
            return await asyncpg.create_pool(
                self._dsn, min_size=least, max_size=most, reset=_leave_as_it_is, **self._options
            )

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except asyncpg.ClientConfigurationError:
            raise
        except ValueError as error:  # what it says may quote a part of the password
            raise ConfigError(
                f"The URL of the database {self.shown} cannot be read; write it as "
                "postgresql://user:password@host:port/name, with %40, %2F and the like for special characters."
            ) from error


def check_server(connection: Connection, where: str) -> None:
    """Refuse a server that is too old, or a database that cannot keep every character."""
    version = connection.get_server_version()
    if version.major < OLDEST:
        raise DatabaseUnavailable(
            f"The server of {where} is Postgres {version.major}; upgrade it to {OLDEST} or newer."
        )
    encoding: str = getattr(connection.get_settings(), "server_encoding", "UTF8")  # a pooler may not tell
    if encoding != "UTF8":
        raise DatabaseUnavailable(f"The encoding of {where} is {encoding}; make one with createdb --encoding=UTF8.")


def _one_line(record: logging.LogRecord) -> bool:
    """Take the stack trace off what asyncpg logs every few seconds while a server is away; keep its reason."""
    if record.exc_info:
        reason = str(record.exc_info[1]).partition("\n")[0]
        record.msg, record.exc_info = f"{record.msg}: {reason}", None
    return True


async def _leave_as_it_is(_: "asyncpg.Connection[Any]") -> None:
    """Save the round trip that resets a connection of our own pool: nobody sets anything there."""


def _without_password(url: str) -> str:
    """Never more than user, host and name, however wrong the URL is: a password may hold any of its separators."""
    credentials, at, rest = url.partition("://")[2].rpartition("@")
    user = credentials.partition(":")[0]
    place = re.split("[?#]", rest, maxsplit=1)[0]
    return f"postgresql://{user if _USER.fullmatch(user) else ''}{at}{place}"

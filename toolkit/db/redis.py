"""A Redis that several processes share, for what is asked often and may be lost: limits and cached answers."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from toolkit.errors import ConfigError, DatabaseBusy, DatabaseError, DatabaseFull, DatabaseUnavailable
from toolkit.redaction import redact

Argument: TypeAlias = str | bytes | int | float

_SCHEMES = ("redis", "rediss", "unix")
_USER = re.compile(r"[\w.%-]*")


class Redis:
    """Runs commands and scripts; opens itself on first use.

    A command is sent once: one whose answer is lost may have been done, and its error says that nothing is known.

    Args:
        url: `redis://user:password@host:6379/0`, `rediss://…` with TLS, or `unix:///path/to/socket`.
        prefix: begins every key; installations that share one Redis need different ones, or different databases.
        connections: how many are open at most; further commands wait for one.
        timeout: seconds that connecting, an answer, or a free connection may take.

    Attributes:
        url: where it is, without a password; fit for a log.

    Raises:
        ConfigError: a URL of another kind, or the package redis is not installed.
    """

    def __init__(self, url: str, *, prefix: str = "toolkit", connections: int = 32, timeout: float = 5.0) -> None:
        self.url = _without_password(url)
        if urlsplit(url).scheme.lower() not in _SCHEMES:
            raise ConfigError(
                f"The URL of Redis {redact(url)!r} must begin with redis://, rediss:// or unix://, "
                "e.g. redis://127.0.0.1:6379/0."
            )
        self._driver = _driver()
        self._prefix = prefix
        try:
            self._pool = self._driver.asyncio.BlockingConnectionPool.from_url(
                url,
                max_connections=connections,
                timeout=timeout,
                socket_timeout=timeout,
                socket_connect_timeout=timeout,
                protocol=2,  # one trip less to connect, and servers before Redis 6
                client_name="toolkit-mcp",
            )
        except (ValueError, TypeError) as error:  # what it says may quote a part of the password
            raise ConfigError(
                f"The URL of Redis {self.url} cannot be read; write it as redis://user:password@host:6379/0, "
                "with %40, %2F and the like for special characters."
            ) from error
        self._client: Any = self._driver.asyncio.Redis(connection_pool=self._pool)
        self._scripts: dict[str, Any] = {}

    def key(self, *parts: str) -> str:
        """The name under which something is kept: the prefix and `parts`, with colons between."""
        return ":".join((self._prefix, *parts))

    async def command(self, *parts: Argument) -> Any:
        """Run one command, e.g. `command("SET", key, value, "EX", 60)`; text is answered as bytes.

        Raises:
            DatabaseUnavailable: it cannot be reached, or refused us.
            DatabaseBusy: it is still loading what it kept.
            DatabaseFull: its memory is full.
            DatabaseError: it did not understand, or failed otherwise.
        """
        with self._in_words():
            return await self._client.execute_command(*parts)

    async def commands(self, *commands: Sequence[Argument]) -> list[Any]:
        """Run several commands as one transaction, in one trip; the first that fails is raised, as by `command`."""
        with self._in_words():
            async with self._client.pipeline(transaction=True) as pipeline:
                for parts in commands:
                    pipeline.execute_command(*parts)
                return list(await pipeline.execute())

    async def script(self, lua: str, keys: Sequence[str] = (), arguments: Sequence[Argument] = ()) -> Any:
        """Run a Lua script, which nobody else's command can interrupt; its text is sent when Redis has not seen it.

        Raises:
            DatabaseError: as by `command`.
        """
        script = self._scripts.get(lua)
        if script is None:
            script = self._scripts[lua] = self._client.register_script(lua)
        with self._in_words():
            return await script(keys=keys, args=arguments)

    async def close(self) -> None:
        """Let go of every connection; harmless when it is closed. The next command opens one again."""
        await self._client.aclose()
        await self._pool.aclose()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Raise what the driver says as an error of ours."""
        errors = self._driver.exceptions
        try:
            yield
        except (errors.AuthenticationError, errors.NoPermissionError, errors.AuthenticationWrongNumberOfArgsError) as e:
            raise DatabaseUnavailable(
                f"The user or the password was refused by {self.url}; check TOOLKIT_REDIS_URL."
            ) from e
        except errors.BusyLoadingError as error:
            raise DatabaseBusy(f"{self.url} is still loading what it kept; try again in a moment.") from error
        except errors.OutOfMemoryError as error:
            raise DatabaseFull(f"The memory of {self.url} is full; raise its maxmemory.") from error
        except errors.ReadOnlyError as error:
            raise DatabaseUnavailable(f"{self.url} is a replica that may not be written; name its primary.") from error
        except (errors.ConnectionError, errors.TimeoutError, OSError, asyncio.IncompleteReadError) as error:
            said = redact(str(error).rstrip(".")) or type(error).__name__
            raise DatabaseUnavailable(
                f"No connection to {self.url} ({said}); check that it is up, and TOOLKIT_REDIS_URL."
            ) from error
        except errors.RedisError as error:
            raise DatabaseError(f"{self.url} refused a command ({redact(str(error).rstrip('.'))}).") from error


def _driver() -> Any:
    """The package `redis` with the names that are used here."""
    try:
        import redis.asyncio  # noqa: PLC0415 - a driver is imported when it is used, and this one is an extra
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "redis":
            raise
        raise ConfigError("Redis needs the package redis; install it with: pip install 'toolkit-mcp[redis]'") from error
    return redis


def _without_password(url: str) -> str:
    """Never more than scheme, user, host and database, however wrong the URL is: a password may hold any separator."""
    scheme, _, address = url.partition("://")
    credentials, at, rest = address.rpartition("@")
    user = credentials.partition(":")[0]
    place = re.split("[?#]", rest, maxsplit=1)[0]
    return f"{scheme if scheme in _SCHEMES else 'redis'}://{user if _USER.fullmatch(user) else ''}{at}{place}"

"""Connections to the vendors: made when a model is first asked, and kept."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from toolkit.errors import ConfigError, ToolkitError
from toolkit.models import prices
from toolkit.models.checks import check_config
from toolkit.models.keys import resolve_auth
from toolkit.models.model import Model
from toolkit.providers.base import Provider

Connect: TypeAlias = Callable[[str, Mapping[str, str], Mapping[str, Any]], Provider]
"""Connects to a vendor by its name: `toolkit.providers.connect`, or what a test puts in its place."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Connection:
    """One vendor's connection, and what it was made from.

    Attributes:
        stamp: changes with the row and with its keys.
        provider: the provider, still being connected at first.
        users: how many attempts hold it.
        retired: its row has changed; the last user closes it.
    """

    stamp: tuple[datetime, tuple[tuple[str, str], ...]]
    provider: asyncio.Task[Provider]
    users: int = 0
    retired: bool = False


class Connections:
    """One connection per row of the catalog, made anew when the row or its keys change.

    Args:
        connect: makes one; it is called in a thread, because it imports the vendor's SDK.
        environ: names to values, for the variables that rows refer to.
    """

    def __init__(self, connect: Connect, environ: Mapping[str, str]) -> None:
        self._connect = connect
        self._environ = environ
        self._current: dict[str, _Connection] = {}  # by the row's id
        self._all: set[_Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def use(self, model: Model, *, within: float) -> AsyncIterator[Provider]:
        """The provider of `model`, for one attempt; those who come at once wait for one connection.

        Args:
            model: whose.
            within: seconds that connecting may take; it goes on for the next attempt where that is too short.

        Raises:
            AuthenticationFailed: its key is missing.
            ConfigError: its row cannot be used.
            TimeoutError: `within` is over.
        """
        check_config(model.config)
        connection = self._of(model)
        connection.users += 1
        try:
            async with asyncio.timeout(within):
                provider = await asyncio.shield(connection.provider)
            yield provider
        finally:
            connection.users -= 1
            self._close_if_unused(connection)

    async def close(self) -> None:
        """Let go of every connection."""
        for connection in list(self._all):
            connection.retired, connection.users = True, 0
            self._close_if_unused(connection)
        self._current.clear()
        while self._closing:
            await asyncio.wait(set(self._closing))

    def _of(self, model: Model) -> _Connection:
        auth = resolve_auth(model, self._environ)
        stamp = (model.updated_at, tuple(sorted(auth.items())))
        current = self._current.get(model.id)
        if current and current.stamp == stamp and not _failed(current.provider):
            return current
        made = _Connection(stamp, asyncio.create_task(self._make(model, auth)))
        # A failure is raised to whoever waits for it; if nobody does any more, nobody need hear of it.
        made.provider.add_done_callback(_failed)
        self._current[model.id] = made
        self._all.add(made)
        if current:
            current.retired = True
            self._close_if_unused(current)
        return made

    async def _make(self, model: Model, auth: Mapping[str, str]) -> Provider:
        def make() -> Provider:
            provider = self._connect(model.provider, auth, model.config)
            prices.listed(model.provider, model.model)  # loads the price list here rather than in the event loop
            return provider

        try:
            return await asyncio.to_thread(make)
        except ToolkitError:
            raise
        except Exception as error:
            raise ConfigError(
                f"The provider {model.provider!r} of {model.name!r} cannot be set up ({type(error).__name__}: {error})."
            ) from error

    def _close_if_unused(self, connection: _Connection) -> None:
        if connection.retired and not connection.users and connection in self._all:
            self._all.discard(connection)
            closing = asyncio.create_task(_close(connection))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)


def _failed(connecting: asyncio.Task[Provider]) -> bool:
    return connecting.done() and (connecting.cancelled() or connecting.exception() is not None)


async def _close(connection: _Connection) -> None:
    try:
        provider = await connection.provider
    except Exception:  # noqa: BLE001 - what never came to be needs no closing
        return
    try:
        await provider.close()
    except Exception as error:  # noqa: BLE001 - a vendor's farewell is nobody's concern any more
        _log.warning("A connection did not close cleanly: %s", type(error).__name__)

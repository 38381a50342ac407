"""Connections to the vendors: made when a model is first asked, shared by all that are reached alike, and kept."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from toolkit.errors import ConfigError, ToolkitError
from toolkit.models.checks import check_config
from toolkit.models.keys import Key
from toolkit.models.model import Model
from toolkit.models.pricelist import listed
from toolkit.models.structured import shaped
from toolkit.providers.base import Provider, Structured

Connect: TypeAlias = Callable[[str, Mapping[str, str], Mapping[str, Any]], Provider]
"""Connects to a vendor by its name: `toolkit.providers.connect`, or what a test puts in its place."""

_Way: TypeAlias = tuple[str, tuple[tuple[str, str], ...], str]
"""How a vendor is reached: its name, the secrets, the row's settings."""

_log = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class _Connection:
    """One vendor's connection.

    Attributes:
        provider: the provider, still being connected at first.
        users: how many attempts hold it.
        shaped: the provider, by how its model is made to answer in a schema.
        rows: the ids of the rows that are reached by it, with the label of the key.
        retired: no row is reached by it any more; the last user closes it.
    """

    provider: asyncio.Task[Provider]
    users: int = 0
    shaped: dict[Structured, Provider] = field(default_factory=dict)
    rows: set[tuple[str, str | None]] = field(default_factory=set)
    retired: bool = False


class Connections:
    """One connection for each way to a vendor; made anew when a row or a key changes.

    Args:
        connect: makes one; it is called in a thread, because it imports the vendor's SDK.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._current: dict[_Way, _Connection] = {}
        self._ways: dict[tuple[str, str | None], _Way] = {}  # by row and key: what it was last reached by
        self._all: set[_Connection] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def use(self, model: Model, key: Key, *, within: float) -> AsyncIterator[Provider]:
        """The provider of `model`, for one attempt; those who come at once wait for one connection.

        Args:
            model: whose.
            key: what to connect with.
            within: seconds that connecting may take; it goes on for the next attempt where that is too short.

        Raises:
            AuthenticationFailed: its key is missing.
            ConfigError: its row cannot be used.
            TimeoutError: `within` is over.
        """
        check_config(model.config)
        connection = self._of(model, key)
        connection.users += 1
        try:
            if not connection.provider.done():
                async with asyncio.timeout(within):
                    await asyncio.shield(connection.provider)
            how = model.structured
            if how not in connection.shaped:
                connection.shaped[how] = shaped(connection.provider.result(), how)
            yield connection.shaped[how]
        finally:
            connection.users -= 1
            self._close_if_unused(connection)

    async def close(self) -> None:
        """Let go of every connection."""
        for connection in list(self._all):
            connection.retired, connection.users = True, 0
            self._close_if_unused(connection)
        self._current.clear()
        self._ways.clear()
        while self._closing:
            await asyncio.wait(set(self._closing))

    def _of(self, model: Model, key: Key) -> _Connection:
        way: _Way = (model.provider, tuple(sorted(key.auth.items())), json.dumps(dict(model.config), sort_keys=True))
        if model.is_listed and self._ways.get((model.id, key.label)) != way:
            self._leave((model.id, key.label))
            self._ways[model.id, key.label] = way
        current = self._current.get(way)
        if current is None or _failed(current.provider):
            self._all -= {current}
            current = self._current[way] = _Connection(asyncio.create_task(self._make(model, key)))
            # A failure is raised to whoever waits for it; if nobody does any more, nobody need hear of it.
            current.provider.add_done_callback(_failed)
            self._all.add(current)
        if model.is_listed:
            current.rows.add((model.id, key.label))
        return current

    def _leave(self, row: tuple[str, str | None]) -> None:
        """Forget how a row was reached before it changed, and that connection if no other row is reached by it."""
        way = self._ways.pop(row, None)
        connection = self._current.get(way) if way else None
        if way is None or connection is None:
            return
        connection.rows.discard(row)
        if not connection.rows:
            del self._current[way]
            connection.retired = True
            self._close_if_unused(connection)

    async def _make(self, model: Model, key: Key) -> Provider:
        def make() -> Provider:
            provider = self._connect(model.provider, key.auth, model.config)
            listed(model.provider, model.model)  # loads the price list here rather than in the event loop
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

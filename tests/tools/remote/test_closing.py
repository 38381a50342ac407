"""A connection that is closed at an awkward moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

from toolkit.tools.remote.connection import Connection


class Silent:
    """A stream on which nothing comes, and everything is lost."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    def __aiter__(self) -> "Silent":
        return self

    async def __anext__(self) -> Any:
        await asyncio.Event().wait()

    async def send(self, _message: object) -> None:
        return None

    async def aclose(self) -> None:
        return None


async def test_a_server_that_is_being_started_is_not_left_halfway() -> None:
    starting, may_start = asyncio.Event(), asyncio.Event()
    started: list[bool] = []

    @asynccontextmanager
    async def transport(_ended: asyncio.Event) -> AsyncIterator[tuple[Any, Any]]:
        starting.set()
        try:
            await may_start.wait()
        except asyncio.CancelledError:
            started.append(False)
            raise
        started.append(True)
        silent: Any = Silent()
        yield silent, silent

    connection = Connection("a", transport, on_connected=lambda: None, on_changed=lambda: None)
    waiting = asyncio.create_task(connection.client())
    await starting.wait()
    closing = asyncio.create_task(connection.close())
    await asyncio.sleep(0)
    may_start.set()
    await closing
    await asyncio.wait([waiting])
    assert started == [True]
    assert waiting.exception()

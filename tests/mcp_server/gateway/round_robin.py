"""A balancer before several replicas: each new connection goes to the next of them that listens."""

import asyncio
import itertools
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

_MOST: Final = 1 << 16  # bytes at once


class RoundRobin:
    """Listens on a free port of 127.0.0.1 while its block lasts.

    A replica that refuses a connection is passed over; what breaks within one breaks for the client, too.

    Args:
        ports: of the replicas, on 127.0.0.1.

    Attributes:
        url: where it listens.
    """

    def __init__(self, ports: Sequence[int]) -> None:
        self.url = ""
        self._count = len(ports)
        self._turns = itertools.cycle(ports)
        self._conversations: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        conversation = asyncio.create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, there = await self._next()
        except OSError:
            writer.close()
            return
        try:
            await asyncio.gather(_pass(reader, there), _pass(answers, writer))
        finally:
            writer.close()
            there.close()

    async def _next(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for port in itertools.islice(self._turns, self._count):
            with suppress(OSError):
                return await asyncio.open_connection("127.0.0.1", port)
        raise ConnectionRefusedError("No replica listens.")


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, and at last that nothing more does."""
    with suppress(ConnectionError):
        while data := await reader.read(_MOST):
            writer.write(data)
            await writer.drain()
    writer.close()

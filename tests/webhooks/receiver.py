"""A server that takes webhooks, or does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request: the path, the headers by lower-case name, and the body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came, and how the next requests are answered: a status each, then 204; 0 hangs up without an answer."""

    port: int = 0
    statuses: list[int] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    came: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    async def wait(self, number: int) -> list[Delivery]:
        """The deliveries, once there are that many."""
        async with asyncio.timeout(20), self.came:
            await self.came.wait_for(lambda: len(self.deliveries) >= number)
        return self.deliveries

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
                body = await reader.readexactly(int(headers["content-length"]))
                status = self.statuses.pop(0) if self.statuses else 204
                async with self.came:
                    self.deliveries.append(Delivery(head[0].split()[1], headers, body))
                    self.came.notify_all()
                if not status:
                    break
                place = "location: /elsewhere\r\n" if status == 302 else ""
                writer.write(f"HTTP/1.1 {status} X\r\ncontent-length: 0\r\n{place}\r\n".encode())
                await writer.drain()
        writer.close()


@asynccontextmanager
async def receiving(*statuses: int, port: int = 0) -> AsyncIterator[Receiver]:
    receiver = Receiver(statuses=list(statuses))
    server = await asyncio.start_server(receiver.answer, "127.0.0.1", port)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()

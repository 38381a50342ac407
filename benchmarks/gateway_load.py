"""Load on a gateway: as many requests at once as wanted, over connections that stay, at little cost of their own."""

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks.mcp_calls import processor_seconds

_SAID = [{"role": "user", "content": "How do I open a file and read it line by line?"}]


@dataclass(frozen=True, slots=True)
class Taken:
    """What some requests took.

    Attributes:
        seconds: by the clock, of all together.
        cpu: seconds of processor time of the server's process.
        milliseconds: of each request, until its answer was whole.
    """

    seconds: float
    cpu: float
    milliseconds: Sequence[float]


def body(*, stream: bool, model: str = "bench") -> bytes:
    """What is asked."""
    asked: dict[str, object] = {"model": model, "messages": _SAID, "temperature": 0.2, "max_tokens": 400}
    if stream:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return json.dumps(asked).encode()


class Load:
    """A client of one gateway.

    Args:
        url: of the gateway.
        pid: of its process.
        key: sent as a bearer token.
    """

    def __init__(self, url: str, pid: int, key: str) -> None:
        self.url = url
        self.pid = pid
        self._address = urlsplit(url)
        self._key = key

    async def send(self, asked: bytes, requests: int, at_once: int) -> Taken:
        """Send `requests` times the same, `at_once` at any time.

        Raises:
            RuntimeError: an answer is none.
        """
        head = (
            f"POST /v1/chat/completions HTTP/1.1\r\nhost: {self._address.netloc}\r\ncontent-type: application/json\r\n"
            f"authorization: Bearer {self._key}\r\ncontent-length: {len(asked)}\r\n\r\n"
        ).encode()
        rest = iter(range(requests))
        took: list[float] = []

        async def one() -> None:
            reader, writer = await asyncio.open_connection(self._address.hostname, self._address.port)
            for _ in rest:
                begun = time.perf_counter()
                writer.write(head + asked)
                await _answer(reader)
                took.append((time.perf_counter() - begun) * 1e3)
            writer.close()
            await writer.wait_closed()

        cpu, begun = processor_seconds(self.pid), time.perf_counter()
        await asyncio.gather(*(one() for _ in range(at_once)))
        return Taken(time.perf_counter() - begun, processor_seconds(self.pid) - cpu, took)


async def _answer(reader: asyncio.StreamReader) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b" 200 " not in head.partition(b"\r\n")[0]:
        raise RuntimeError(f"A gateway answered: {head.decode()}{(await reader.read(2000)).decode()}")
    if b"transfer-encoding: chunked" in head:
        last = b""
        while size := int(await reader.readline(), 16):
            last = (last + await reader.readexactly(size + 2))[-40:]
        await reader.readline()
        if b"[DONE]" not in last:
            raise RuntimeError(f"A stream ended with {last!r}.")
        return
    length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0])
    await reader.readexactly(length)

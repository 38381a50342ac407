"""A server that answers every chat at once with the same words, at next to no cost: what `benchmarks.chat` measures by.

    python -m benchmarks.fast_vendor

It prints its port. `/openai/…` is answered on OpenAI's wire and `/anthropic/…` on Anthropic's. What is streamed is sent
one event at a time with a pause after each, as models do: a client that got many in one packet would be measured at
half of its work.
"""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence

from benchmarks.hot_path import ANSWER
from toolkit.messages import Completion, Message
from toolkit.testing import anthropic_wire, openai_wire
from toolkit.testing.wire import Wire

PAUSE = 0.002
"""Seconds between two events of a stream."""
PIECES = 240
"""Words of a streamed answer, an event each."""

_WIRES: dict[bytes, Wire] = {b"openai": openai_wire, b"anthropic": anthropic_wire}
_MODEL = {"model": "bench", "stream_options": {"include_usage": True}, "messages": [], "system": "", "max_tokens": 1}
_LONG = " ".join(ANSWER.split()[n % 16] for n in range(PIECES))


class Wired:
    """What is sent on one wire, ready to be written."""

    def __init__(self, wire: Wire) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in wire.headers("req_1").items())
        body = json.dumps(wire.whole(_answer(ANSWER), _MODEL, "req_1")).encode()
        self.whole = _head("application/json", f"{head}content-length: {len(body)}\r\n") + body
        script = wire.script(_answer(_LONG), _MODEL, "req_1")
        events = [b"".join(script.opening), *script.pieces, b"".join(script.ending)]
        chunks = [b"%x\r\n%s\r\n" % (len(event), event) for event in events]
        self.head = _head("text/event-stream; charset=utf-8", f"{head}transfer-encoding: chunked\r\n")
        self.stream: Sequence[bytes] = [*chunks[:-1], chunks[-1] + b"0\r\n\r\n"]


class Answering(asyncio.Protocol):
    """One client's connection."""

    def __init__(self, wired: dict[bytes, Wired]) -> None:
        self._wired = wired
        self._got = b""
        self._wanted = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has come."""
        self._transport: asyncio.WriteTransport = transport  # type: ignore[assignment]  # a TCP transport is one

    def data_received(self, data: bytes) -> None:
        """Some of a request; it is answered when it is whole."""
        self._got += data
        head, end, body = self._got.partition(b"\r\n\r\n")
        if not end:
            return
        if not self._wanted:
            self._wanted = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) < self._wanted:
            return
        self._got, self._wanted = b"", 0
        wired = self._wired[head.partition(b"/")[2].partition(b"/")[0]]
        if b'"stream":true' in body.replace(b" ", b""):
            self._transport.write(wired.head)
            self._next(iter(wired.stream))
        else:
            self._transport.write(wired.whole)

    def _next(self, rest: Iterator[bytes]) -> None:
        chunk = next(rest, None)
        if chunk is not None and not self._transport.is_closing():
            self._transport.write(chunk)
            asyncio.get_running_loop().call_later(PAUSE, self._next, rest)


def _answer(text: str) -> Completion:
    return Completion(Message("assistant", text), "stop")


def _head(kind: str, rest: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n{rest}\r\n".encode()


async def serve() -> None:
    """Answer until the standard input ends."""
    wired = {name: Wired(wire) for name, wire in _WIRES.items()}
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Answering(wired), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())

"""A connection to an MCP server that is made again whenever it ends.

One task makes it, holds it and lets go of it: the SDK's cancel scopes must be left by the task that entered them.
"""

import asyncio
import logging
import os
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx2

from toolkit.errors import ToolError
from toolkit.redaction import redact

if TYPE_CHECKING:
    from mcp.client import Client

START = 60.0
"""Seconds that a server may take to start: some are downloaded first. Whoever waits for its tools waits less long."""

_STEADY = 10.0  # seconds: a connection that lived longer did not fail because it was made
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0  # seconds between attempts; each pause is twice the one before
_SDK_LOGS = ("mcp.client.stdio", "mcp.client.streamable_http")
_LAST_WORDS = 0.2  # seconds
_SPAWN = 5.0  # seconds that starting a program is waited for
_SAID = 300  # characters of what a server said of its own failure

_log = logging.getLogger(__name__)


class Unreachable(ToolError):
    """There is no connection, and another attempt to make one failed."""


@dataclass(slots=True)
class Sent:
    """Whether a request may have reached its server."""

    maybe: bool = True


sent: ContextVar[Sent | None] = ContextVar("sent", default=None)
"""Of the request that is being made; the SDK sends it in the context of whoever makes it."""

Streams = AbstractAsyncContextManager[tuple[Any, Any]]

_ours: ContextVar[bool] = ContextVar("ours", default=False)
"""Whether a connection is one of ours, in all tasks that the SDK starts for it."""


class Connection:
    """The client of one server, for any number of callers.

    Args:
        name: of the server, for messages.
        transport: makes a new one; the argument is set when the server has gone.
        on_connected: called on the loop each time that a connection stands.
        on_changed: called on the loop when the server says that its tools have changed.
        why: what the server itself said last of a failure; empty if nothing.
    """

    def __init__(
        self,
        name: str,
        transport: Callable[[asyncio.Event], Streams],
        *,
        on_connected: Callable[[], None],
        on_changed: Callable[[], None],
        why: Callable[[], str] = str,
    ) -> None:
        self._name = name
        self._transport = transport
        self._on_connected = on_connected
        self._on_changed = on_changed
        self._why = why
        self._task: asyncio.Task[None] | None = None
        self._client: Client | None = None
        self._ended = asyncio.Event()
        self._resting = ""  # between two attempts: why the connection ended
        self._failed = 0  # attempts in which there was none at all
        self._moved = asyncio.Event()
        self._wake = asyncio.Event()
        self._garbled = False  # whether this connection brought what is no message
        self._entered = asyncio.Event()  # clear while the server is being started
        self._entered.set()

    async def client(self) -> "Client":
        """The client, once it is connected; where it is not, another attempt is made now.

        Raises:
            Unreachable: the attempt failed; the message says why.
        """
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._hold(), name=f"mcp:{self._name}")
        before = self._failed
        while True:
            if self._client is not None and not self._ended.is_set():
                return self._client
            if self._resting and self._failed > before:
                raise Unreachable(self._resting)
            self._wake.set()
            await self._moved.wait()

    def drop(self, client: "Client") -> None:
        """Let go of the connection of `client`, which is of no use any more; the next one is made at once."""
        if self._client is client:
            self._ended.set()

    async def close(self) -> None:
        """End the connection, and the server if it was started for it."""
        task, self._task = self._task, None
        if task:
            # A start that is cancelled halfway loses a pipe to the child: asyncio closes those only that it has set up.
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(_SPAWN):
                        await self._entered.wait()
            finally:
                task.cancel()
            await asyncio.wait([task])  # a caller who is cancelled leaves it to end by itself

    async def _hold(self) -> None:
        _ours.set(True)
        for name in _SDK_LOGS:
            logging.getLogger(name).addFilter(_heard_here)  # a second time does nothing
        clock = asyncio.get_running_loop().time
        failures = 0
        try:
            while True:
                self._ended = asyncio.Event()
                self._move()
                began = clock()
                why = await self._once()
                failures = failures + 1 if clock() - began < _STEADY else 0
                self._wake.clear()
                self._move(resting=why)
                if failures:
                    await self._pause(min(_FIRST_PAUSE * 2 ** (failures - 1), _LONGEST_PAUSE))
        finally:
            self._failed += 1  # whoever still waits for an attempt waits in vain
            self._move(resting=f"The MCP server {self._name} was closed.")

    @asynccontextmanager
    async def _started(self, ended: asyncio.Event) -> AsyncIterator[Any]:
        """The transport, once the server runs."""
        self._entered.clear()
        try:
            async with self._transport(ended) as streams:
                self._entered.set()
                yield streams
        finally:
            self._entered.set()

    async def _pause(self, seconds: float) -> None:
        """Until the time is over, or somebody wants the server."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _once(self) -> str:
        """Connect and stay until the connection ends; gives why it did, in a sentence."""
        from mcp.client import Client  # noqa: PLC0415 - the SDK costs half a second, and most have no servers

        ended = self._ended
        connected = self._garbled = False
        listening: asyncio.Task[None] | None = None
        try:
            async with _within(START, Client(self._started(ended), cache=None, message_handler=self._hear)) as client:
                connected = True
                self._move(client)
                self._on_connected()
                listening = asyncio.create_task(self._listen(client))
                await ended.wait()
        except Exception as error:  # noqa: BLE001 - whatever breaks a connection, the next one is made
            _log.debug("The connection to %s ended.", self._name, exc_info=True)
            return self._sentence(_first(error))
        finally:
            self._client = None
            self._failed += not connected
            if listening:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
        return self._sentence(None)

    def _sentence(self, error: BaseException | None) -> str:
        match error:
            case TimeoutError():
                what = f"did not answer within {START:g} s"
            case OSError():
                what = f"cannot be started ({error.strerror or error})"
            case httpx2.ConnectError() | httpx2.ConnectTimeout():
                what = "cannot be reached"
            case httpx2.HTTPStatusError():
                what = f"answered {error.response.status_code}"
            case None:
                what = "ended"
            case _:
                said_first = next(iter(str(error).splitlines()), "")
                what = f"cannot be used ({type(error).__name__}: {said_first[:_SAID]})"
        said = self._why()
        return redact(f"The MCP server {self._name} {what}{f'; it said: {said}' if said else ''}.")

    def _move(self, client: "Client | None" = None, *, resting: str = "") -> None:
        self._client, self._resting = client, resting
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def _hear(self, message: Any) -> None:
        if isinstance(message, Exception) and not self._garbled:
            self._garbled = True
            _log.warning("The MCP server %s sent what is no message of the protocol; that is passed over.", self._name)
        if getattr(message, "method", "") == "notifications/tools/list_changed":
            self._on_changed()

    async def _listen(self, client: "Client") -> None:
        """Hear of changes from a server that tells them only to who asks, as those from 2026-07-28 on."""
        from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost  # noqa: PLC0415 - as above
        from mcp.shared.exceptions import MCPError  # noqa: PLC0415 - as above

        capability = client.server_capabilities.tools
        if not (capability and capability.list_changed):
            return
        with suppress(ListenNotSupportedError, SubscriptionLost, MCPError):
            async with client.listen(tools_list_changed=True) as events:
                async for _ in events:
                    self._on_changed()


class StandardError:
    """What a child says beside the protocol: it goes to our log, never to our own streams."""

    def __init__(self, name: str, secrets: tuple[str, ...]) -> None:
        self._name = name
        self._secrets = secrets
        self._lines: deque[str] = deque(maxlen=1)
        self._read_all = threading.Event()
        self._read_all.set()

    def open(self) -> Any:
        """A file for the child; the caller closes it once the child has ended."""
        reading, writing = os.pipe()
        self._read_all.clear()
        threading.Thread(target=self._read, args=(reading,), name=f"stderr of {self._name}", daemon=True).start()
        return os.fdopen(writing, "w")

    def last(self) -> str:
        """The last line, of a child that has ended."""
        # Its last words are read by a thread, mostly at once; a grandchild may keep the pipe open.
        self._read_all.wait(_LAST_WORDS)
        return self._lines[-1] if self._lines else ""

    def _read(self, reading: int) -> None:
        self._lines.clear()
        with os.fdopen(reading, encoding="utf-8", errors="replace") as lines:
            while line := lines.readline(10 * _SAID):
                said = redact(line.strip(), *self._secrets)
                if said:
                    self._lines.append(said[:_SAID].rstrip("."))
                    _log.info("%s: %s", self._name, said)
        self._read_all.set()


class NotingClient(httpx2.AsyncClient):
    """Notes of a request that could not even be sent."""

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        """As httpx2's own."""
        try:
            return await super().send(request, **options)
        except (httpx2.ConnectError, httpx2.ConnectTimeout):
            if note := sent.get():
                note.maybe = False
            raise


class WatchedStream:
    """The stream that messages arrive on, which tells when it ends.

    Args:
        stream: the SDK's.
        ended: set then.
    """

    def __init__(self, stream: Any, ended: asyncio.Event) -> None:
        self._stream = stream
        self._ended = ended

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __aiter__(self) -> "WatchedStream":
        return self

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except StopAsyncIteration:
            self._ended.set()
            raise

    async def __aenter__(self) -> Self:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> bool | None:
        return await self._stream.__aexit__(*error)  # type: ignore[no-any-return] # the SDK's


@asynccontextmanager
async def _within(seconds: float, context: AbstractAsyncContextManager["Client"]) -> AsyncIterator["Client"]:
    """`context`, entered within `seconds`, by the task that leaves it too."""
    async with asyncio.timeout(seconds) as limit:
        async with context as client:
            limit.reschedule(None)
            yield client


def _heard_here(record: logging.LogRecord) -> bool:
    """Whether the SDK may log it: not each line of ours that is no message, with a traceback; `_hear` tells of them."""
    return not (_ours.get() and record.exc_info and isinstance(record.exc_info[1], ValueError))


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error

"""The orderly end of the server: what is under way is finished, what is new goes elsewhere."""

import asyncio
import signal
import socket
from types import FrameType
from typing import Final

import uvicorn
from starlette.types import Scope

CLOSING_SECONDS: Final = 3
"""What connections and requests may still take to close once they have been cut short."""

_STREAMS = frozenset({"/mcp", "/api/v1/events"})
_LISTENING = b"subscriptions/listen"


class UnderWay:
    """The requests under way.

    Attributes:
        ending: the server was told to end: nothing new is begun.
    """

    def __init__(self) -> None:
        self.ending = False
        self._requests: dict[asyncio.Task[object], Scope] = {}
        self._cut: set[asyncio.Task[object]] = set()
        self._none_left = asyncio.Event()

    def enter(self, scope: Scope) -> "asyncio.Task[object]":
        """The present task begins to serve a request; gives the task."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - this is asyncio
        if not self.ending:
            self._requests[task] = scope
        return task

    def leave(self, task: "asyncio.Task[object]") -> None:
        """It has served it."""
        self._requests.pop(task, None)
        self._cut.discard(task)
        if self.ending and not self._requests:
            self._none_left.set()

    def was_cut(self, task: "asyncio.Task[object]") -> bool:
        """Whether it was this that cancelled the task."""
        return task in self._cut

    async def end(self, grace: float) -> None:
        """Take nothing new, and wait at most `grace` seconds for what is under way; then cut it short.

        What only listens never ends by itself, and its client listens elsewhere: it is not waited for.
        """
        self.ending = True
        self.cut_short(only_listening=True)
        for seconds in (grace, CLOSING_SECONDS):
            if self._requests:
                try:
                    async with asyncio.timeout(seconds):
                        await self._none_left.wait()
                except TimeoutError:
                    self.cut_short()

    def cut_short(self, *, only_listening: bool = False) -> None:
        """Cancel the requests under way; harmless where it was done."""
        for task, scope in self._requests.items():
            if task not in self._cut and (not only_listening or _only_listens(scope)):
                self._cut.add(task)
                task.cancel()


class OrderlyServer(uvicorn.Server):
    """Uvicorn that ends when told to, and leaves it at that: its own way is to raise the signal again at the end.

    While requests are under way it goes on listening, so that probes hear that it is not ready.

    Args:
        config: of uvicorn.
        under_way: knows the requests.
        grace: seconds that they may still take.

    Attributes:
        told: the last signal.
    """

    def __init__(self, config: uvicorn.Config, under_way: UnderWay, grace: float) -> None:
        super().__init__(config)
        self.told: signal.Signals | None = None
        self._under_way = under_way
        self._grace = grace

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the signature is uvicorn's
        """Note that the process was told to end; told twice it does so without the grace, but still in order."""
        if self.should_exit:
            asyncio.get_running_loop().call_soon_threadsafe(self._under_way.cut_short)
        self._under_way.ending = self.should_exit = True
        self.told = signal.Signals(sig)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let what is under way finish, then close every connection and the application."""
        await self._under_way.end(self._grace)
        await super().shutdown(sockets)


def _only_listens(scope: Scope) -> bool:
    """A stream on which a client hears what changes."""
    if scope["method"] == "GET":
        return scope["path"] in _STREAMS
    return scope["path"] == "/mcp" and (b"mcp-method", _LISTENING) in scope["headers"]

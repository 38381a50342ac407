"""Server-sent events, and clients that leave before the answer is there."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Self

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

QUIET_SECONDS: Final = 15.0
"""After so long without an event a comment is sent, for proxies that cut silent connections."""

_WAITING: Final = b": waiting\n\n"
_GONE: Final = 499  # nobody reads it


class Attended:
    """While the client waits: when it leaves, what is done inside is cancelled, and the block ends.

    It is cancelled once, as by whoever else cancels a task: what is undone on the way out may take its time.

    Args:
        receive: of the request, whose body has been read.

    Attributes:
        left: the client has gone.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.left = False

    async def __aenter__(self) -> Self:
        self._task: asyncio.Task[Any] = asyncio.current_task()  # type: ignore[assignment]  # a request has one
        self._cancelled_before = self._task.cancelling()
        self._departure = asyncio.create_task(self._depart())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self._departure.cancel()
        if not self.left:
            return False
        return self._task.uncancel() <= self._cancelled_before and kind is asyncio.CancelledError

    async def _depart(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.left = True
        self._task.cancel()


def nobody() -> Response:
    """What is answered to a client that has gone."""
    return Response(status_code=_GONE)


class EventStream(Response):
    """A response of server-sent events; status and headers go with the first of them.

    What fails before it is raised, and so has a status of its own. What fails after it the events must say themselves.
    All events are made in the task of the request, so that what makes them may hold locks and time limits meanwhile.

    Args:
        events: each with its blank line; closed when the client leaves.
        more: headers; read when the first event is there, so that whoever makes the events may still add to them.
        quiet: seconds without an event until a comment is sent.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        more: MutableMapping[str, str] | None = None,
        *,
        quiet: float | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self._events = events
        self._more = {} if more is None else more
        self._quiet = QUIET_SECONDS if quiet is None else quiet

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        """Send the events."""
        begun = whole = False
        async with Attended(receive), aclosing(self._events) as events:
            with _Comments(send, self._quiet) as comments:
                async for event in events:
                    if not begun:
                        begun = True
                        self.init_headers({"cache-control": "no-cache", "x-accel-buffering": "no", **self._more})
                        await send(
                            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                        )
                        comments.begin()
                    comments.sent = True
                    await send({"type": "http.response.body", "body": event, "more_body": True})
            whole = True
        if whole:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


class _Comments:
    """Sends a comment whenever nothing else was sent for a while.

    Attributes:
        sent: something else was sent lately.
    """

    def __init__(self, send: Send, seconds: float) -> None:
        self._send = send
        self._seconds = seconds
        self._task: asyncio.Task[None] | None = None
        self.sent = False

    def begin(self) -> None:
        """From now on."""
        self._task = asyncio.create_task(self._run())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()

    async def _run(self) -> None:
        while True:
            self.sent = False
            await asyncio.sleep(self._seconds)
            if not self.sent:
                await self._send({"type": "http.response.body", "body": _WAITING, "more_body": True})

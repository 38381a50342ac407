"""How far a call is, told to a client that asked to hear it.

Hosts give up on a call that is silent for a minute or five, so one that has nothing new to say says how long it has
been at work.
"""

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from anyio import BrokenResourceError, ClosedResourceError

from mcp_server.sampling import Context

if TYPE_CHECKING:
    from mcp.server.session import ServerSession

EVERY: float = 4.0
"""Seconds without news after which a call says that it still goes on."""


class Telling:
    """The progress of one call, for as many requests as it takes.

    The protocol wants numbers that grow with each message, while tools say the same number twice, or say nothing:
    between two numbers of the tool's own stand fractions. It is a `Progress`.

    Args:
        what: what is being done, as long as nobody says it better.
    """

    def __init__(self, what: str) -> None:
        self._words = what
        self._began = time.monotonic()
        self._base = 0.0  # the last number of the tool's own
        self._steps = 0  # messages since then
        self._total: float | None = None
        self._sent = -1.0
        self._session: ServerSession | None = None  # of the request that waits at present
        self._silent = True  # whether nobody asked to hear that the call still goes on
        self._timer: asyncio.TimerHandle | None = None
        self._sending: set[asyncio.Task[None]] = set()

    @contextmanager
    def to(self, ctx: Context) -> Iterator[None]:
        """Inside, tell the client of this request, if it asked; nothing is told after its end."""
        self._session, self._silent = ctx.session, not (ctx.meta and ctx.meta.get("progress_token") is not None)
        self._wait()
        try:
            yield
        finally:
            self._session = None
            if self._timer:
                self._timer.cancel()
            for task in self._sending:
                task.cancel()

    async def __call__(self, done: float, total: float | None = None, message: str = "") -> None:
        """`done` of `total`, and what is being done."""
        self._words = message or self._words
        self._total = total
        await self._tell(self._number(done), message)

    def say(self, words: str) -> None:
        """What is being done now; it is told at once, and nobody waits for that."""
        self._words = words
        self._send(words)

    def _send(self, words: str) -> None:
        if self._session is None:
            return
        task = asyncio.get_running_loop().create_task(self._tell(self._number(), words))
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    async def _tell(self, number: float, words: str) -> None:
        if self._session is None:
            return
        self._wait()
        total = self._total if self._total is not None and number <= self._total else None
        with suppress(ClosedResourceError, BrokenResourceError):  # who hung up is not told; the call hears of it
            await self._session.report_progress(number, total, words or None)

    def _number(self, done: float = -1.0) -> float:
        """`done`, or what comes next where that would not be more than was sent."""
        if done > self._sent:
            self._base, self._steps = done, 0
        else:
            self._steps += 1
        number = self._between()
        if number <= self._sent:  # the tool has another total now
            self._base, self._steps = self._sent, 1
            number = self._between()
        self._sent = number
        return number

    def _between(self) -> float:
        room = 1.0 if self._total is None or self._total <= self._base else min(1.0, self._total - self._base)
        return self._base + room * (1 - 1 / (self._steps + 1))

    def _wait(self) -> None:
        if self._silent:
            return
        if self._timer:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(EVERY, self._go_on)

    def _go_on(self) -> None:
        self._send(f"{self._words} ({time.monotonic() - self._began:.0f} s)")
        self._wait()

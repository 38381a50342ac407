"""One call of a tool: bounded in time, and told of when it is over, however it ended."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

import anyio

from toolkit.errors import ToolArgumentsError, ToolError
from toolkit.redaction import redact
from toolkit.stamps import now
from toolkit.tools.tool import Tool, ToolContext, ToolResult

SECONDS = 60.0
"""What a call may take where neither its tool nor its caller says so."""

_TELLING = 5.0  # seconds that a listener may take: whoever waits for the answer waits for it too
_log = logging.getLogger(__name__)

Status: TypeAlias = Literal["ok", "error", "refused", "timeout", "cancelled"]
"""How a call ended; refused means that the tool was not run at all."""


@dataclass(frozen=True, slots=True)
class ToolCalled:
    """A call that is over; it holds sizes, nothing of what was said.

    Attributes:
        tool: the name.
        status: how it ended.
        error: the class of the error, None if it answered.
        message: the error in one sentence, without secrets.
        context: on whose behalf.
        argument_bytes: of the arguments as JSON.
        result_bytes: of the answer's text; None without one.
        milliseconds: from the call to its end.
        started_at: when it was called.
    """

    tool: str
    status: Status
    error: str | None
    message: str | None
    context: ToolContext
    argument_bytes: int
    result_bytes: int | None
    milliseconds: float
    started_at: datetime


OnCall: TypeAlias = Callable[[ToolCalled], Awaitable[None]]


class Call:
    """A tool and what it is called with, about to be run once.

    Args:
        tool: what is called.
        arguments: as the model or the wire gave them.
        context: on whose behalf; the call gets a `cancelled` of its own.
        on_call: told when it is over; whatever it raises is logged and costs the call nothing.
    """

    def __init__(self, tool: Tool, arguments: Any, context: ToolContext | None, on_call: OnCall | None) -> None:
        self._tool = tool
        self._arguments = arguments
        self._context = replace(context or ToolContext(), cancelled=threading.Event())
        self._on_call = on_call
        self._started_at = now()
        self._clock = time.perf_counter()

    async def run(self, timeout: float | None = None) -> ToolResult:
        """What the tool answers.

        Args:
            timeout: seconds; None is the tool's own limit, else a minute.

        Raises:
            ToolArgumentsError: the arguments do not fit.
            ToolError: the tool failed, or took too long.
        """
        try:
            result = await self._bounded(next(s for s in (timeout, self._tool.timeout, SECONDS) if s is not None))
        except asyncio.CancelledError:
            await self._tell("cancelled", "Cancelled", "The caller went away.")
            raise
        except _TookTooLong as error:
            await self._tell("timeout", "Timeout", str(error))
            raise ToolError(str(error)) from error
        except Exception as error:
            refused = isinstance(error, ToolArgumentsError)
            await self._tell("refused" if refused else "error", type(error).__name__, str(error))
            raise
        await self._tell("ok", result=result)
        return result

    async def refuse(self, why: str) -> None:
        """Tell that the call was not allowed; `why` is one sentence."""
        await self._tell("refused", "Refused", why)

    async def _bounded(self, seconds: float) -> ToolResult:
        if not isinstance(self._arguments, Mapping):
            raise ToolArgumentsError(f"{self._tool.name}: the arguments must be a JSON object.")
        limit = asyncio.timeout(None if seconds == float("inf") else seconds)
        try:
            async with limit:
                return await self._tool.run(dict(self._arguments), self._context)
        except BaseException as error:
            self._context.cancelled.set()
            if limit.expired() and isinstance(error, Exception):
                raise _TookTooLong(self._tool, seconds) from error
            raise

    async def _tell(
        self, status: Status, error: str | None = None, message: str | None = None, result: ToolResult | None = None
    ) -> None:
        if self._on_call is None:
            return
        called = ToolCalled(
            tool=self._tool.name,
            status=status,
            error=error,
            message=redact(message) if message else None,
            context=self._context,
            argument_bytes=len(_bytes(json.dumps(self._arguments, ensure_ascii=False, default=repr))),
            result_bytes=len(_bytes(result.text)) if result else None,
            milliseconds=(time.perf_counter() - self._clock) * 1000,
            started_at=self._started_at,
        )
        with anyio.move_on_after(_TELLING, shield=True):  # also of a call whose caller is gone
            try:
                await self._on_call(called)
            except Exception:  # noqa: BLE001 - whatever a listener raises, the call has its answer
                _log.exception("The call of the tool %s could not be noted.", self._tool.name)


class _TookTooLong(Exception):
    """The time of a call was over before it answered."""

    def __init__(self, tool: Tool, seconds: float) -> None:
        doubt = "" if tool.read_only else " What it was to change may be changed all the same."
        super().__init__(
            f"{tool.name} took longer than {seconds:g} s; ask it for less at once, or go on without it.{doubt}"
        )


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

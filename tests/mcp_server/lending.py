"""Hosts that lend their model, as the SDK's client plays them."""

import asyncio
from typing import Any, TypeAlias

from mcp.client.session import ClientRequestContext
from mcp.types import (
    CreateMessageRequestParams,
    CreateMessageResult,
    CreateMessageResultWithTools,
    ErrorData,
    TextContent,
    ToolUseContent,
)

from toolkit.messages import ToolCall

Answer: TypeAlias = CreateMessageResult | CreateMessageResultWithTools | ErrorData
DECLINED = ErrorData(code=-1, message="User rejected sampling request")
LENT = "the-hosts-own"


class Lender:
    """Says one line after the other, then the last one for ever, and remembers what it was asked.

    A line is a text, a wish for a tool, an error that the host gives, one that it has, or None: it never answers.
    """

    def __init__(self, *lines: str | ToolCall | ErrorData | Exception | None) -> None:
        self.asked: list[CreateMessageRequestParams] = []
        self.abandoned = asyncio.Event()
        self._lines = list(lines)

    async def __call__(self, context: ClientRequestContext, params: CreateMessageRequestParams) -> Answer:  # noqa: ARG002 - the SDK's
        self.asked.append(params)
        match self._lines.pop(0) if len(self._lines) > 1 else self._lines[0]:
            case ErrorData() as error:
                return error
            case Exception() as error:
                raise error
            case str() as text:
                return said(text)
            case ToolCall() as call:
                wish = ToolUseContent(id=call.id, name=call.name, input=call.arguments, _meta={"thought": "signed"})
                return CreateMessageResultWithTools(role="assistant", content=[wish], model=LENT, stop_reason="toolUse")
        try:
            await asyncio.Event().wait()
        finally:
            self.abandoned.set()
        raise AssertionError


def said(text: str, **more: Any) -> CreateMessageResult:
    """An answer of the host's model."""
    return CreateMessageResult(role="assistant", content=TextContent(type="text", text=text), model=LENT, **more)

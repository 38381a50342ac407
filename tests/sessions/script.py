"""A model that says what a test wrote, behind the real router."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from toolkit.errors import BadAnswer
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings, Message, ToolCall, ToolCallFragment, Usage

Line: TypeAlias = str | Message | Exception | Callable[[ChatRequest], Awaitable[str | Message]]


def wants(*calls: tuple[str, dict[str, Any]], text: str = "") -> Message:
    """An answer that asks for tools."""
    made = tuple(ToolCall(f"call-{number}", name, arguments) for number, (name, arguments) in enumerate(calls))
    return Message("assistant", text, tool_calls=made)


class Script:
    """Says its lines in order, and keeps what it was asked."""

    def __init__(self, *lines: Line) -> None:
        self._lines = list(lines)
        self.asked: list[ChatRequest] = []

    def say(self, *lines: Line) -> None:
        self._lines += lines

    async def complete(self, request: ChatRequest, /, _model: str, *, timeout: float) -> Completion:  # noqa: ARG002 - a script is never late
        self.asked.append(request)
        if not self._lines:
            raise BadAnswer("the script is at its end", provider="scripted")
        line = self._lines.pop(0)
        if isinstance(line, Exception):
            raise line
        if callable(line):
            line = await line(request)
        message = Message("assistant", line) if isinstance(line, str) else line
        reason = "tool_calls" if message.tool_calls else "stop"
        return Completion(message, reason, Usage(10, 5))  # type: ignore[arg-type] # one of the two literals

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncIterator[Delta]:
        completion = await self.complete(request, model, timeout=timeout)
        for word in re.findall(r"\S+\s*", completion.message.text):
            yield Delta(text=word)
            await asyncio.sleep(0)
        for index, call in enumerate(completion.message.tool_calls):
            yield Delta(tool_calls=(ToolCallFragment(index, call.id, call.name, json.dumps(call.arguments)),))
        yield Delta(completion=completion)

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        raise NotImplementedError

    async def close(self) -> None:
        """Nothing is held."""

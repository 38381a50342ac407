"""Anthropic's messages, as Anthropic itself and the clouds that host its models speak them."""

import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from itertools import groupby
from operator import itemgetter

from toolkit.errors import ContextTooLong, InvalidRequest, ModelNotFound
from toolkit.messages import (
    ChatRequest,
    Completion,
    Delta,
    Embeddings,
    FinishReason,
    Image,
    Json,
    Message,
    ToolSpec,
    Usage,
)
from toolkit.providers.wire.assembly import Assembly
from toolkit.providers.wire.connection import Connection

_MESSAGES = "/v1/messages"
_MAX_TOKENS = 4096  # Anthropic insists on a limit; this is the largest that every model takes

_TAKES_TEMPERATURE = re.compile(r"claude-(?:instant|[23]|(?:opus|sonnet|haiku)-4(?:-[0-6])?(?!\d|-\d(?!\d)))")
"""The names of models that take a temperature; those since Claude Opus 4.7 answer it with an error."""

_DATA_URL = re.compile(r"data:(?P<type>image/[\w.+-]+);base64,(?P<data>.+)", re.DOTALL)

_FINISH: Mapping[str, FinishReason] = {
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
"""Every other reason means that the model had said all, except that its window was full."""


class Messages:
    """One key at one address that speaks Anthropic's messages.

    Args:
        connection: the SDK's client.
        provider: the vendor's name in the toolkit.
    """

    def __init__(self, connection: Connection, provider: str) -> None:
        self._connection = connection
        self._provider = provider

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask `model` once and wait, at most `timeout` seconds, for the whole answer."""
        reader = _Reader(self._provider)
        body = self._body(request, model)
        _, request_id = await self._connection.fetch(_MESSAGES, body, reader.feed_whole, timeout=timeout)
        return reader.completion(request_id)

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """Ask `model` once; pieces as they come, the last one with the whole `completion`."""
        body = self._body(request, model) | {"stream": True}
        async with aclosing(
            self._connection.follow(_MESSAGES, body, _Reader(self._provider), timeout=timeout)
        ) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:  # noqa: ARG002 - the protocol's
        """Anthropic makes no vectors. Raises ModelNotFound."""
        raise ModelNotFound(
            f"{self._provider} has no models for embeddings ({model!r}); use one of another provider.",
            provider=self._provider,
        )

    async def close(self) -> None:
        """Let go of the connection."""
        await self._connection.close()

    def _body(self, request: ChatRequest, model: str) -> Json:
        takes_temperature = request.temperature is not None and _TAKES_TEMPERATURE.search(model)
        system = "\n\n".join(message.text for message in request.messages if message.role == "system" and message.text)
        options = {
            "system": system or None,
            # Anthropic's scale ends at 1.
            "temperature": min(request.temperature or 0.0, 1.0) if takes_temperature else None,
            "stop_sequences": list(request.stop) or None,
            **_tools(request),
        }
        return {
            "model": model,
            "max_tokens": request.max_tokens or _MAX_TOKENS,
            "messages": _turns(request.messages, self._provider),
            **{name: value for name, value in options.items() if value is not None},
            **request.extra,
        }


class _Reader:
    """Reads one answer: the events of a stream, or one whole body."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._answer = Assembly(provider)
        self._usage: Json = {}
        self._window_is_full = False

    @property
    def whole(self) -> bool:
        return self._answer.finish_reason is not None

    def feed(self, data: Json, /) -> Delta | None:
        match data:
            case {"type": "message_start", "message": message}:
                self._count(message.get("usage"))
            case {"type": "content_block_start", "index": index, "content_block": block}:
                return self._begin(index, block)
            case {"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}}:
                self._answer.add_text(text)
                return Delta(text)
            case {
                "type": "content_block_delta",
                "index": index,
                "delta": {"type": "input_json_delta", "partial_json": arguments},
            } if arguments:
                return Delta(tool_calls=(self._answer.add_call(index, "", "", arguments),))
            case {"type": "message_delta", "delta": delta}:
                self._count(data.get("usage"))
                self._stop(delta.get("stop_reason"), delta.get("stop_details"))
        return None

    def feed_whole(self, data: Json, /) -> None:
        for index, block in enumerate(data["content"]):
            self._begin(index, block)
        self._count(data.get("usage"))
        self._stop(data.get("stop_reason"), data.get("stop_details"))

    def completion(self, request_id: str | None, /) -> Completion:
        if self._window_is_full:
            raise ContextTooLong(
                f"The model's window at {self._provider} was full before the answer was whole; shorten the messages.",
                provider=self._provider,
                status=200,
                request_id=request_id,
            )
        return self._answer.completion(request_id)

    def _begin(self, index: int, block: Json) -> Delta | None:
        match block:
            case {"type": "text", "text": text} if text:
                self._answer.add_text(text)
                return Delta(text)
            case {"type": "tool_use", "id": wire_id, "name": name}:
                arguments = json.dumps(block["input"]) if block.get("input") else ""
                return Delta(tool_calls=(self._answer.add_call(index, wire_id, name, arguments),))
        return None

    def _count(self, usage: Json | None) -> None:
        """Add what the stream says of the usage: the counts are sums so far, and the last of each holds."""
        self._usage |= {name: count for name, count in (usage or {}).items() if count is not None}
        if self._usage:
            self._answer.usage = _usage(self._usage)

    def _stop(self, reason: str | None, details: Json | None) -> None:
        if reason == "refusal":
            self._answer.refusal = (details or {}).get("explanation") or ""
        self._window_is_full = reason == "model_context_window_exceeded"
        if reason:
            self._answer.finish_reason = _FINISH.get(reason, "stop")


def _tools(request: ChatRequest) -> Json:
    if request.tools:
        return {"tools": [_tool(tool) for tool in request.tools]}
    used = sorted({call.name for message in request.messages for call in message.tool_calls})
    # Anthropic refuses a conversation in which tools were used unless they are declared, even if no more may be.
    declared = [_tool(ToolSpec(name, "Used earlier in this conversation.", {"type": "object"})) for name in used]
    return {"tools": declared, "tool_choice": {"type": "none"}} if declared else {}


def _tool(tool: ToolSpec) -> Json:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}


def _turns(messages: Iterable[Message], provider: str) -> list[Json]:
    """The messages as turns of user and assistant; what one of them says in sequence is one turn."""
    spoken = [
        ("assistant" if m.role == "assistant" else "user", _blocks(m, provider)) for m in messages if m.role != "system"
    ]
    said = groupby((turn for turn in spoken if turn[1]), key=itemgetter(0))
    turns = [{"role": role, "content": [block for _, blocks in turn for block in blocks]} for role, turn in said]
    if turns and turns[-1]["role"] == "assistant" and turns[-1]["content"][-1]["type"] == "text":
        # An answer that the model is to go on with must not end with white space.
        turns[-1]["content"][-1]["text"] = turns[-1]["content"][-1]["text"].rstrip()
    return turns


def _blocks(message: Message, provider: str) -> list[Json]:
    # A text without anything to read is refused.
    said: list[Json] = [{"type": "text", "text": message.text}] if message.text.strip() else []
    said += [_image(image, provider) for image in message.images]
    if message.role == "tool":
        return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": said}]
    calls = ({"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in message.tool_calls)
    return [*said, *calls]


def _image(image: Image, provider: str) -> Json:
    if not image.url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    found = _DATA_URL.fullmatch(image.url)
    if not found:
        raise InvalidRequest(
            "An image's data: URL cannot be read; it must look like data:image/png;base64,….", provider=provider
        )
    return {"type": "image", "source": {"type": "base64", "media_type": found["type"], "data": found["data"]}}


def _usage(usage: Json) -> Usage:
    cached = usage.get("cache_read_input_tokens", 0)
    written = usage.get("cache_creation_input_tokens", 0)
    return Usage(
        # Anthropic counts what was cached apart.
        input_tokens=usage.get("input_tokens", 0) + cached + written,
        output_tokens=usage.get("output_tokens", 0),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=usage.get("output_tokens_details", {}).get("thinking_tokens", 0),
    )

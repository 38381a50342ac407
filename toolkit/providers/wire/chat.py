"""OpenAI's chat completions and embeddings, which many vendors, gateways and local servers speak, too."""

import json
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing

from toolkit.messages import (
    ChatRequest,
    Completion,
    Delta,
    Embeddings,
    FinishReason,
    Json,
    Message,
    ToolCall,
    ToolCallFragment,
    ToolSpec,
    Usage,
)
from toolkit.providers.wire.assembly import Assembly
from toolkit.providers.wire.connection import Connection

_CHAT = "/chat/completions"
_TEXTS_AT_ONCE = 2048  # OpenAI's limit for one request for embeddings

_NEW = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9])")
"""The names of OpenAI's models that refuse `max_tokens`. Those that think before they speak (all but the ones named
`-chat`) refuse a temperature as well."""

_FINISH: Mapping[str, FinishReason] = {
    "length": "length",
    "model_length": "length",
    "content_filter": "content_filter",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
}
"""Every other reason that a server may give means that the model had said all."""


class ChatCompletions:
    """One key at one address that speaks OpenAI's chat completions.

    Args:
        connection: the SDK's client.
        provider: the vendor's name in the toolkit.
        at_home: the address is OpenAI's own.
    """

    def __init__(self, connection: Connection, provider: str, *, at_home: bool = False) -> None:
        self._connection = connection
        self._provider = provider
        self._at_home = at_home

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask `model` once and wait, at most `timeout` seconds, for the whole answer."""
        reader = _Reader(self._provider)
        _, request_id = await self._connection.fetch(_CHAT, self._body(request, model), reader.feed, timeout=timeout)
        return reader.completion(request_id)

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """Ask `model` once; pieces as they come, the last one with the whole `completion`."""
        body = self._body(request, model) | {"stream": True, "stream_options": {"include_usage": True}}
        async with aclosing(self._connection.follow(_CHAT, body, _Reader(self._provider), timeout=timeout)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        """One vector per text, in order."""
        vectors: list[list[float]] = []
        usage: Usage | None = None
        request_id: str | None = None
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            some = list(texts[start : start + _TEXTS_AT_ONCE])
            body = {"model": model, "input": some, "encoding_format": "float"}
            found, request_id = await self._connection.fetch("/embeddings", body, _embeddings, timeout=timeout)
            vectors += found.vectors
            usage = found.usage if usage is None or found.usage is None else usage + found.usage
        return Embeddings(vectors, usage, request_id)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._connection.close()

    def _body(self, request: ChatRequest, model: str) -> Json:
        is_new = bool(_NEW.search(model))
        thinks = is_new and "-chat" not in model
        # Local servers know only the old name, and would silently set no limit under the new one; OpenAI's new models
        # know only the new one, wherever they are served.
        limit = "max_completion_tokens" if self._at_home or is_new else "max_tokens"
        options = {
            "temperature": None if thinks else request.temperature,
            limit: request.max_tokens,
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "tools": [_tool(tool) for tool in request.tools] or None,
        }
        return {
            "model": model,
            "messages": [_message(message) for message in request.messages],
            **{name: value for name, value in options.items() if value is not None},
            **request.extra,
        }


class _Reader:
    """Reads one answer: the chunks of a stream, or one whole body, which is a chunk with a `message` for a `delta`."""

    def __init__(self, provider: str) -> None:
        self._answer = Assembly(provider)

    @property
    def whole(self) -> bool:
        return self._answer.finish_reason is not None

    def feed(self, data: Json, /) -> Delta | None:
        if usage := data.get("usage"):
            self._answer.usage = _usage(usage)
        if not data.get("choices"):
            return None
        choice = data["choices"][0]
        said = choice.get("delta") or choice.get("message") or {}
        if text := _text(said.get("content")):
            self._answer.add_text(text)
        if refusal := said.get("refusal"):
            self._answer.refusal = (self._answer.refusal or "") + refusal
        calls = tuple(self._call(number, call) for number, call in enumerate(said.get("tool_calls") or ()))
        # A whole body needs no end mark, and some local servers give it none.
        if reason := choice.get("finish_reason") or ("stop" if "message" in choice else None):
            self._answer.finish_reason = _FINISH.get(reason, "stop")
        return Delta(text, calls) if text or calls else None

    def completion(self, request_id: str | None, /) -> Completion:
        return self._answer.completion(request_id)

    def _call(self, number: int, call: Json) -> ToolCallFragment:
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        return self._answer.add_call(
            call.get("index", number),
            call.get("id") or "",
            function.get("name") or "",
            arguments if isinstance(arguments, str) else json.dumps(arguments),
        )


def _message(message: Message) -> Json:
    out: Json = {"role": message.role, "content": _content(message)}
    if message.tool_calls:
        out["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
    if message.tool_call_id:
        out["tool_call_id"] = message.tool_call_id
    return out


def _content(message: Message) -> str | list[Json] | None:
    if not message.images:
        return None if message.tool_calls and not message.text else message.text
    text = [{"type": "text", "text": message.text}] if message.text else []
    return [*text, *({"type": "image_url", "image_url": {"url": image.url}} for image in message.images)]


def _tool(tool: ToolSpec) -> Json:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _tool_call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
    return {"id": call.id, "type": "function", "function": function}


def _text(content: str | list[Json] | None) -> str:
    """The text in an answer's content, which some vendors give in parts, thoughts among them."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""


def _usage(usage: Json) -> Usage:
    into = usage.get("prompt_tokens_details") or {}
    out_of = usage.get("completion_tokens_details") or {}
    return Usage(
        input_tokens=usage.get("prompt_tokens") or 0,
        output_tokens=usage.get("completion_tokens") or 0,
        cached_tokens=into.get("cached_tokens") or 0,
        cache_write_tokens=into.get("cache_write_tokens") or 0,
        reasoning_tokens=out_of.get("reasoning_tokens") or 0,
    )


def _embeddings(data: Json) -> Embeddings:
    vectors = [item["embedding"] for item in sorted(data["data"], key=lambda item: item["index"])]
    return Embeddings(vectors, _usage(data["usage"]) if data.get("usage") else None)

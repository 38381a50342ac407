"""OpenAI's responses: the wire of those of its models that do not speak chat completions.

Nothing is left with the vendor: it is asked to store nothing, and what a model thought before it called a tool comes
back to it encrypted, word for word, with the results.
"""

import json
import re
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final

from toolkit.messages import (
    ChatRequest,
    Completion,
    Delta,
    Embeddings,
    FinishReason,
    Json,
    Message,
    OutputSchema,
    ToolSpec,
    Usage,
)
from toolkit.providers.wire.assembly import Assembly
from toolkit.providers.wire.chat import ChatCompletions
from toolkit.providers.wire.connection import Connection
from toolkit.providers.wire.extra import extra_for
from toolkit.providers.wire.strict import strict

OPAQUE: Final = "responses"
"""Under this name a message keeps what it was made of."""

_RESPONSES = "/responses"
_LEAST = 16  # tokens; a smaller limit is refused

_THINKS = re.compile(r"(?:^|/)(?:o\d|gpt-(?:[5-9]|daybreak|rosalind)|codex)")
"""The names of models that think before they speak, but for those named `-chat`. They refuse a temperature, and the
others refuse to be asked for their thoughts."""

_ENDS: Mapping[str, FinishReason] = {"response.completed": "stop", "response.incomplete": "length"}
_STATES: Mapping[str | None, FinishReason] = {"completed": "stop", "incomplete": "length", None: "stop"}
"""A whole body needs no end mark, and some servers give it none. Any other state is no answer."""

_AT_WORK = re.compile(r"response\.(?:reasoning|(?!function_)\w+_call[._])")
"""Events that add nothing to the answer, but show that the model is thinking or using a tool of the vendor's."""


class Responses:
    """One key at one address that speaks OpenAI's responses.

    It knows no texts at which an answer ends and no seed: what the request says of these is left out. A `detail` in the
    request's `extra` is how closely its pictures are to be looked at (`"low"`, `"high"`, …).

    Args:
        connection: the SDK's client.
        provider: the vendor's name in the toolkit.
        family: OpenAI's name of the model, where the vendor's name of it is the user's own.
    """

    def __init__(self, connection: Connection, provider: str, *, family: str | None = None) -> None:
        self._connection = connection
        self._provider = provider
        self._family = family

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask `model` once and wait, at most `timeout` seconds, for the whole answer."""
        reader = _Reader(self._provider, model)
        body = self._body(request, model)
        _, request_id = await self._connection.fetch(_RESPONSES, body, reader.feed_whole, timeout=timeout)
        return reader.completion(request_id)

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """Ask `model` once; pieces as they come, empty ones while it thinks, the last with the whole `completion`."""
        body = self._body(request, model) | {"stream": True}
        reader = _Reader(self._provider, model)
        async with aclosing(self._connection.follow(_RESPONSES, body, reader, timeout=timeout)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        """One vector per text, in order."""
        return await ChatCompletions(self._connection, self._provider).embed(texts, model, timeout=timeout)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._connection.close()

    def _body(self, request: ChatRequest, model: str) -> Json:
        family = self._family or model
        thinks = bool(_THINKS.search(family)) and "-chat" not in family
        told = extra_for(OPAQUE, request.extra, thinks=thinks)
        detail = told.pop("detail", "auto")
        first = next((i for i, message in enumerate(request.messages) if message.role != "system"), 0)
        instructions = "\n\n".join(message.text for message in request.messages[:first])
        options = {
            "instructions": instructions or None,
            "temperature": None if thinks else request.temperature,
            "max_output_tokens": request.max_tokens and max(request.max_tokens, _LEAST),
            "tools": [_tool(tool) for tool in request.tools] or None,
            "tool_choice": _tool_choice(request.tool_choice),
            "text": request.output and {"format": _format(request.output)},
            "include": ["reasoning.encrypted_content"] if thinks else None,
        }
        body = {
            "model": model,
            "input": [item for message in request.messages[first:] for item in self._items(message, model, detail)],
            "store": False,
            **{name: value for name, value in options.items() if value is not None},
        }
        extra = {name: _joined(body.get(name), value) for name, value in told.items()}
        return body | extra

    def _items(self, message: Message, model: str, detail: str) -> Iterable[Json]:
        """What the message is in OpenAI's words."""
        content = _content(message, detail)
        if message.role == "tool":
            return [{"type": "function_call_output", "call_id": message.tool_call_id, "output": content}]
        if message.role != "assistant":
            return [{"role": message.role, "content": content}]
        if items := self._as_made(message, model):
            return items
        said: list[Json] = [{"role": "assistant", "content": message.text}] if message.text else []
        calls = (
            {"type": "function_call", "call_id": c.id, "name": c.name, "arguments": _dump(c.arguments)}
            for c in message.tool_calls
        )
        return [*said, *calls]

    def _as_made(self, message: Message, model: str) -> list[Json]:
        """What the message was made of, if `model` made it: only the model that thought it can read its thoughts."""
        kept = message.opaque.get(OPAQUE, {})
        if (kept.get("provider"), kept.get("model")) != (self._provider, model):
            return []
        items: list[Json] = kept["items"]
        return items if _say(items) == _said(message) else []


class _Reader:
    """Reads one answer: the events of a stream, or one whole body."""

    def __init__(self, provider: str, model: str) -> None:
        self._answer = Assembly(provider)
        self._made_by = {"provider": provider, "model": model}
        self._items: list[Json] = []
        self._begun: set[int] = set()  # the items of which pieces have come

    @property
    def whole(self) -> bool:
        return self._answer.finish_reason is not None

    @property
    def usage(self) -> Usage | None:
        return self._answer.usage

    def feed(self, data: Json, /) -> Delta | None:
        match data:
            case {"type": "response.output_text.delta", "output_index": index, "delta": text}:
                self._begun.add(index)
                self._answer.add_text(text)
                return Delta(text)
            case {"type": "response.function_call_arguments.delta", "output_index": index, "delta": arguments}:
                self._begun.add(index)
                return Delta(tool_calls=(self._answer.add_call(index, "", "", arguments),))
            case {"type": "response.output_item.added", "output_index": index, "item": {"type": "function_call"}}:
                call = data["item"]
                return Delta(tool_calls=(self._answer.add_call(index, call["call_id"], call["name"], ""),))
            case {"type": "response.output_item.done", "output_index": index, "item": item}:
                return self._item(index, item)
            case {"type": "response.output_item.added", "item": {"type": str(kind)}} if kind != "message":
                return Delta()
            case {"type": "response.completed" | "response.incomplete" as end, "response": response}:
                self._end(_ENDS[end], response)
            case {"type": str(kind)} if _AT_WORK.match(kind):
                return Delta()
        return None

    def feed_whole(self, data: Json, /) -> None:
        for index, item in enumerate(data["output"]):
            self._item(index, item)
        self._end(_STATES.get(data.get("status")), data)

    def completion(self, request_id: str | None, /) -> Completion:
        if kept := _kept(self._items):
            self._answer.opaque = {OPAQUE: {**self._made_by, "items": kept}}
        return self._answer.completion(request_id)

    def _item(self, index: int, item: Json) -> Delta | None:
        """A whole item; what of it had come in pieces is not told again."""
        self._items.append({name: value for name, value in item.items() if value is not None})
        match item:
            case {"type": "message", "content": parts}:
                if refusals := [part["refusal"] for part in parts if part["type"] == "refusal"]:
                    self._answer.refusal = " ".join(refusals)
                text = _text(parts)
                if not text or index in self._begun:
                    return None
                self._answer.add_text(text)
                return Delta(text)
            case {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}:
                if index in self._begun:
                    return None
                return Delta(tool_calls=(self._answer.add_call(index, call_id, name, arguments),))
        return Delta()

    def _end(self, reason: FinishReason | None, response: Json) -> None:
        because = (response.get("incomplete_details") or {}).get("reason")
        self._answer.finish_reason = "content_filter" if because == "content_filter" else reason
        self._answer.tier = response.get("service_tier")
        if usage := response.get("usage"):
            self._answer.usage = _usage(usage)


def _kept(items: Sequence[Json]) -> list[Json]:
    """The items that are to come back with the message; none where its text and its calls say it all.

    Thoughts belong before the calls that they led to, and are not asked for later. Later models want to know which of
    their messages was a remark and which the answer.
    """
    has_calls = any(item["type"] == "function_call" for item in items)
    thoughts = [item for item in items if item["type"] == "reasoning" and "encrypted_content" in item and has_calls]
    if not thoughts and not any("phase" in item for item in items):
        return []
    return [item for item in items if item["type"] != "reasoning" or item in thoughts]


def _said(message: Message) -> tuple[str, list[Any]]:
    """What can be seen of a message."""
    return message.text, [(call.id, call.name, call.arguments) for call in message.tool_calls]


def _say(items: Sequence[Json]) -> tuple[str, list[Any]]:
    """The same of the items that it was made of; it differs where the message was changed since."""
    calls = [item for item in items if item["type"] == "function_call"]
    return (
        "".join(_text(item["content"]) for item in items if item["type"] == "message"),
        [(call["call_id"], call["name"], json.loads(call["arguments"] or "{}")) for call in calls],
    )


def _text(parts: Sequence[Json]) -> str:
    return "".join(part["text"] for part in parts if part["type"] == "output_text")


def _content(message: Message, detail: str) -> str | list[Json]:
    if not message.images:
        return message.text
    text = [{"type": "input_text", "text": message.text}] if message.text else []
    return [*text, *({"type": "input_image", "image_url": image.url, "detail": detail} for image in message.images)]


def _tool(tool: ToolSpec) -> Json:
    # Unasked, this wire makes every argument required.
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": False,
    }


def _tool_choice(choice: str | None) -> str | Json | None:
    return choice if choice in (None, "required", "none") else {"type": "function", "name": choice}


def _format(output: OutputSchema) -> Json:
    schema, is_strict = strict(output.schema)
    return {"type": "json_schema", "name": output.name, "schema": schema, "strict": is_strict}


def _joined(own: Any, extra: Any) -> Any:
    """What the body says and what `extra` says of the same name: a tool of the vendor's stands beside the request's."""
    if isinstance(own, dict) and isinstance(extra, Mapping):
        return {**own, **extra}
    if isinstance(own, list) and isinstance(extra, list | tuple):
        return [*own, *(each for each in extra if each not in own)]
    return extra


def _dump(arguments: Json) -> str:
    return json.dumps(arguments, ensure_ascii=False)


def _usage(usage: Json) -> Usage:
    into = usage.get("input_tokens_details") or {}
    out_of = usage.get("output_tokens_details") or {}
    return Usage(
        input_tokens=usage.get("input_tokens") or 0,
        output_tokens=usage.get("output_tokens") or 0,
        cached_tokens=into.get("cached_tokens") or 0,
        cache_write_tokens=into.get("cache_write_tokens") or 0,
        reasoning_tokens=out_of.get("reasoning_tokens") or 0,
    )

"""OpenAI's chat completions and embeddings, which many vendors, gateways and local servers speak, too."""

import json
import re
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Final

from toolkit.messages import (
    ChatRequest,
    Completion,
    Delta,
    Embeddings,
    Json,
    Message,
    OutputSchema,
    ToolCall,
    ToolSpec,
    Usage,
)
from toolkit.providers.wire.chat_answer import Answer, embeddings
from toolkit.providers.wire.chat_batch import ChatBatches
from toolkit.providers.wire.connection import Connection
from toolkit.providers.wire.extra import extra_for
from toolkit.providers.wire.failures import no_answer
from toolkit.providers.wire.strict import strict

_CHAT = "/chat/completions"
_WIRE = "chat"
"""The name under which a message keeps what its vendor wants back."""

_CHARACTERS_AT_ONCE = 500_000
"""OpenAI takes 300,000 tokens in one request for embeddings, which hold more characters than this in most scripts."""

_OPENAI_NEW: Final = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9])")
_OPENAI_SPEAKERS: Final = re.compile(r"(?:^|/)(?:chat)?gpt-(?:3|4|\d[\w.]*-chat)")
"""The names of models that refuse to be told how much to think; of others' it is not known."""
_OPENAI_THINKERS: Final = re.compile(r"(?:^|/)(?:o\d|gpt-[5-9])(?!.*-chat)")


@dataclass(frozen=True, slots=True)
class Dialect:
    """In what a vendor's chat completions differ from the others'; by default what an unknown server understands.

    Attributes:
        limit: what the upper bound on an answer's length is called.
        new: the names of the models that know it only as `max_completion_tokens`, wherever they are served.
        thinkers: the names of the models that think before they speak and refuse a temperature.
        lacks: the fields of a request that the vendor refuses; they are left out.
        strict: the names of the models that have OpenAI's strict mode, which cannot leave the form of an answer.
        wants_back: the fields of a message with tool calls that the vendor wants back with it.
        wants_back_with_call: the fields of each of its tool calls that it wants back.
        foreign_call: what the vendor wants to see in the first tool call of a message that is not its own.
        prefix: what stands before the name of a model that is given without it.
        texts_at_once: how many texts one request for embeddings may bring.
    """

    limit: str = "max_tokens"
    new: re.Pattern[str] | None = _OPENAI_NEW
    thinkers: re.Pattern[str] | None = _OPENAI_THINKERS
    lacks: frozenset[str] = frozenset()
    strict: re.Pattern[str] | None = None
    wants_back: tuple[str, ...] = ()
    wants_back_with_call: tuple[str, ...] = ()
    foreign_call: Mapping[str, Any] = field(default_factory=dict)
    prefix: str = ""
    texts_at_once: int = 2048

    def limit_of(self, model: str) -> str:
        """What `model` calls the upper bound on an answer's length."""
        return "max_completion_tokens" if self.new and self.new.search(model) else self.limit

    def thinks(self, model: str) -> bool:
        """Whether `model` takes no temperature."""
        return bool(self.thinkers and self.thinkers.search(model))

    def has_strict_mode(self, model: str) -> bool:
        """Whether `model` has OpenAI's strict mode."""
        return bool(self.strict and self.strict.search(model))

    def name_of(self, model: str) -> str:
        """The vendor's full name of `model`."""
        return model if "/" in model else self.prefix + model


OPENAI: Final = Dialect(limit="max_completion_tokens", strict=re.compile(""))
"""OpenAI's own. Its old models know the new name of the limit as well."""

SOMEWHERE: Final = Dialect(wants_back=("reasoning_content",))
"""A server of which nothing is known. Local ones know only the old name of the limit, and would silently set none under
the new one; DeepSeek refuses a call without the thoughts that led to it."""


class ChatCompletions:
    """One key at one address that speaks OpenAI's chat completions.

    Args:
        connection: the SDK's client.
        provider: the vendor's name in the toolkit.
        dialect: in what the vendor differs.
        family: the name by which the dialect knows the model, where the vendor's name of it is the user's own.
    """

    def __init__(
        self, connection: Connection, provider: str, dialect: Dialect = SOMEWHERE, *, family: str | None = None
    ) -> None:
        self._connection = connection
        self._provider = provider
        self._dialect = dialect
        self._family = family

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask `model` once and wait, at most `timeout` seconds, for the whole answer."""
        answer = self._answer()
        _, request_id = await self._connection.fetch(_CHAT, self._body(request, model), answer.feed, timeout=timeout)
        return answer.completion(request_id)

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """Ask `model` once; pieces as they come, the last one with the whole `completion`.

        A piece without text says that the model is thinking.
        """
        body = self._body(request, model) | {"stream": True}
        if "stream_options" not in self._dialect.lacks:
            body["stream_options"] = {"include_usage": True}
        async with aclosing(self._connection.follow(_CHAT, body, self._answer(), timeout=timeout)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        """One vector per text, in order."""
        vectors: list[list[float]] = []
        usage: Usage | None = None
        request_id: str | None = None
        for some in _batches(texts, self._dialect.texts_at_once):
            body = {"model": self._dialect.name_of(model), "input": some, "encoding_format": "float"}
            found, request_id = await self._connection.fetch("/embeddings", body, embeddings, timeout=timeout)
            if len(found.vectors) != len(some):
                reason = f"it sent {len(found.vectors)} vectors for {len(some)} texts"
                raise no_answer(self._provider, reason, request_id=request_id)
            vectors += found.vectors
            usage = found.usage if usage is None or found.usage is None else usage + found.usage
        return Embeddings(vectors, usage, request_id)

    @property
    def batches(self) -> ChatBatches:
        """The vendor's batches, where it has OpenAI's."""
        return ChatBatches(self._connection, self._provider, self._body, self._answer)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._connection.close()

    def _answer(self) -> Answer:
        dialect = self._dialect
        return Answer(self._provider, _WIRE, of_message=dialect.wants_back, of_call=dialect.wants_back_with_call)

    def _body(self, request: ChatRequest, model: str) -> Json:
        dialect = self._dialect
        family = self._family or model
        extra = extra_for(_WIRE, request.extra, thinks=not _OPENAI_SPEAKERS.search(family))
        detail = extra.pop("detail", None)
        options = {
            "temperature": None if dialect.thinks(family) else request.temperature,
            dialect.limit_of(family): request.max_tokens,
            "stop": list(request.stop) or None,
            "seed": request.seed,
            "tools": [_tool(tool) for tool in request.tools] or None,
            "tool_choice": _tool_choice(request),
            "response_format": _response_format(request.output, strictly=dialect.has_strict_mode(family)),
        }
        return {
            "model": dialect.name_of(model),
            "messages": [self._message(message, detail) for message in request.messages],
            **{name: value for name, value in options.items() if value is not None and name not in dialect.lacks},
            **extra,
        }

    def _message(self, message: Message, detail: str | None) -> Json:
        kept: Json = message.opaque.get(_WIRE, {})
        if kept.get("provider") != self._provider:
            kept = {"calls": [self._dialect.foreign_call]}
        out: Json = {"role": message.role, "content": _content(message, detail), **kept.get("message", {})}
        if message.tool_calls:
            out["tool_calls"] = [_tool_call(call) for call in message.tool_calls]
            for call, fields in zip(out["tool_calls"], kept.get("calls", ()), strict=False):
                call.update(fields)
        if message.tool_call_id:
            out["tool_call_id"] = message.tool_call_id
        return out


def _batches(texts: Sequence[str], at_once: int) -> Iterator[list[str]]:
    """`texts` in order, as many at once as a request may bring."""
    batch: list[str] = []
    characters = 0
    for text in texts:
        characters += len(text)
        if batch and (len(batch) == at_once or characters > _CHARACTERS_AT_ONCE):
            yield batch
            batch, characters = [], len(text)
        batch.append(text)
    if batch:
        yield batch


def _content(message: Message, detail: str | None) -> str | list[Json] | None:
    if not message.images:
        return None if message.tool_calls and not message.text else message.text
    text = [{"type": "text", "text": message.text}] if message.text else []
    more = {"detail": detail} if detail else {}
    return [*text, *({"type": "image_url", "image_url": {"url": image.url, **more}} for image in message.images)]


def _tool(tool: ToolSpec) -> Json:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}


def _tool_choice(request: ChatRequest) -> str | Json | None:
    if request.tool_choice in (None, "required", "none"):
        return request.tool_choice
    return {"type": "function", "function": {"name": request.tool_choice}}


def _tool_call(call: ToolCall) -> Json:
    function = {"name": call.name, "arguments": json.dumps(call.arguments, ensure_ascii=False)}
    return {"id": call.id, "type": "function", "function": function}


def _response_format(output: OutputSchema | None, *, strictly: bool) -> Json | None:
    if output is None:
        return None
    form: Json = {"name": output.name, "schema": output.schema}
    if strictly:
        form["schema"], form["strict"] = strict(output.schema)
    return {"type": "json_schema", "json_schema": form}

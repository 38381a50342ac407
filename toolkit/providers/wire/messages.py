"""Anthropic's messages, as Anthropic itself and the clouds that host its models speak them."""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from itertools import groupby
from typing import Any, Final, Literal, TypeAlias

from toolkit.errors import InvalidRequest, ModelNotFound
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings, Image, Json, Message, OutputSchema, ToolSpec
from toolkit.providers.wire.claude import takes_prefill, takes_temperature, usual_limit
from toolkit.providers.wire.claude_schema import claude_schema
from toolkit.providers.wire.connection import Connection
from toolkit.providers.wire.extra import extra_for
from toolkit.providers.wire.failures import error_of_exception
from toolkit.providers.wire.messages_answer import OPAQUE, Answer, blocks_of, call_blocks, text_blocks
from toolkit.providers.wire.messages_batch import MessageBatches

_MESSAGES: Final = "/v1/messages"

_MOST_WITHOUT_STREAM: Final = 21_333
"""Tokens that a model is sure to have written within ten minutes, after which a connection on which nothing came is
dropped on the way. The SDK refuses to ask for more without a stream (`_calculate_nonstreaming_timeout`)."""

_GO_ON: Final = "Go on with your last message from exactly where it ends. Repeat nothing of it, and do not speak of it."

_DATA_URL = re.compile(r"data:(?P<type>image/[\w.+-]+);base64,(?P<data>.+)", re.DOTALL)

_Side: TypeAlias = Literal["user", "assistant"]


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
        body = self._body(request, model)
        limit = body["max_tokens"]
        if isinstance(limit, int) and limit > _MOST_WITHOUT_STREAM:
            return await self._end_of_stream(body, model, timeout)
        answer = Answer(self._provider, model)
        _, request_id = await self._connection.fetch(_MESSAGES, body, answer.feed_whole, timeout=timeout)
        return answer.completion(request_id)

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """Ask `model` once; pieces as they come, the last one with the whole `completion`.

        A piece without text says that the model is thinking.
        """
        async with aclosing(self._pieces(self._body(request, model), model, timeout)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:  # noqa: ARG002 - the protocol's
        """Anthropic makes no vectors. Raises ModelNotFound."""
        raise ModelNotFound(
            f"{self._provider} has no models for embeddings ({model!r}); use one of another provider.",
            provider=self._provider,
        )

    @property
    def batches(self) -> MessageBatches:
        """The vendor's batches, where it has Anthropic's."""
        return MessageBatches(self._connection, self._provider, self._body)

    async def close(self) -> None:
        """Let go of the connection."""
        await self._connection.close()

    def _pieces(self, body: Json, model: str, seconds: float) -> AsyncGenerator[Delta, None]:
        answer = Answer(self._provider, model)
        return self._connection.follow(_MESSAGES, {**body, "stream": True}, answer, timeout=seconds)

    async def _end_of_stream(self, body: Json, model: str, seconds: float) -> Completion:
        """The whole of an answer that is too long to be waited for in silence."""
        try:
            async with asyncio.timeout(seconds), aclosing(self._pieces(body, model, seconds)) as pieces:
                return [piece.completion async for piece in pieces if piece.completion][-1]
        except TimeoutError as failure:
            raise error_of_exception(self._provider, failure, seconds=seconds) from None

    def _body(self, request: ChatRequest, model: str) -> Json:
        system = "\n\n".join(message.text for message in request.messages if message.role == "system" and message.text)
        extra = extra_for(OPAQUE, request.extra)
        thinking = _part(extra, "thinking")
        # Anthropic's scale ends at 1, and models that were told to think take none.
        takes_one = takes_temperature(model) and thinking.get("type", "disabled") == "disabled"
        options = {
            "system": system or None,
            "temperature": min(request.temperature, 1.0) if takes_one and request.temperature is not None else None,
            "stop_sequences": list(request.stop) or None,
            **_tools(request),
        }
        config = {**self._output(request.output), **_part(extra, "output_config")}
        return {
            "model": model,
            # The thoughts count, and the limit must lie above the tokens that were set aside for them.
            "max_tokens": request.max_tokens or usual_limit(model) + thinking.get("budget_tokens", 0),
            "messages": _Conversation(request.messages, model, self._provider).turns(),
            **{name: value for name, value in options.items() if value is not None},
            **extra,
            **({"output_config": config} if request.output else {}),
        }

    def _output(self, output: OutputSchema | None) -> Json:
        if output is None:
            return {}
        try:
            return {"format": {"type": "json_schema", "schema": claude_schema(output.schema)}}
        except (ValueError, RecursionError) as error:
            raise InvalidRequest(
                f"The JSON Schema {output.name!r} is not one that {self._provider} takes ({error}); change it, or set "
                "structured to 'tool' for the model.",
                provider=self._provider,
            ) from error


class _Conversation:
    """Messages as turns of user and assistant; what one of them says in sequence is one turn."""

    def __init__(self, messages: Sequence[Message], model: str, provider: str) -> None:
        said = (message for message in messages if message.role != "system")
        self._turns = [(side, list(group)) for side, group in groupby(said, key=_side)]
        self._model = model
        self._provider = provider

    def turns(self) -> list[Json]:
        """The turns as Anthropic takes them."""
        loop = self._loop()
        turns: list[Json] = []
        for number, (side, messages) in enumerate(self._turns):
            blocks = [block for message in messages for block in self._blocks(message, in_loop=number >= loop)]
            if not blocks:
                continue
            if turns and turns[-1]["role"] == side:
                turns[-1]["content"] += blocks
            else:
                turns.append({"role": side, "content": blocks})
        self._close(turns)
        return turns

    def _loop(self) -> int:
        """The number of the turn with which the calls of tools began that are now being answered.

        Only since then the model must see what it thought. Earlier thoughts may be left out, and had better be: newer
        models refuse them once anything before them has been changed or left out, as it is in a long session.
        """
        number = len(self._turns)
        while number and any(message.role != "user" for message in self._turns[number - 1][1]):
            number -= 1
        return number

    def _close(self, turns: list[Json]) -> None:
        """See to it that the model can speak next."""
        if not turns or turns[-1]["role"] != "assistant" or turns[-1]["content"][-1]["type"] != "text":
            return
        # An answer that the model is to go on with must not end with white space.
        turns[-1]["content"][-1]["text"] = turns[-1]["content"][-1]["text"].rstrip()
        is_paused = blocks_of(self._turns[-1][1][-1], self._model) is not None
        if not is_paused and not takes_prefill(self._model):
            turns.append({"role": "user", "content": text_blocks(_GO_ON)})

    def _blocks(self, message: Message, *, in_loop: bool) -> list[Json]:
        if in_loop and message.role == "assistant" and (said := blocks_of(message, self._model)):
            return said
        said = text_blocks(message.text) + [_image(image, self._provider) for image in message.images]
        if message.role == "tool":
            return [{"type": "tool_result", "tool_use_id": message.tool_call_id, "content": said}]
        return [*said, *call_blocks(message)]


def _part(extra: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = extra.get(name)
    return found if isinstance(found, Mapping) else {}


def _side(message: Message) -> _Side:
    return "assistant" if message.role == "assistant" else "user"


def _tools(request: ChatRequest) -> Json:
    if request.tools:
        return {"tools": [_tool(tool) for tool in request.tools], "tool_choice": _choice(request.tool_choice)}
    used = sorted({call.name for message in request.messages for call in message.tool_calls})
    # Anthropic refuses a conversation in which tools were used unless they are declared, even if no more may be.
    declared = [_tool(ToolSpec(name, "Used earlier in this conversation.", {"type": "object"})) for name in used]
    return {"tools": declared, "tool_choice": {"type": "none"}} if declared else {}


def _choice(choice: str | None) -> Json | None:
    match choice:
        case None:
            return None
        case "required":
            return {"type": "any"}
        case "none":
            return {"type": "none"}
    return {"type": "tool", "name": choice}


def _tool(tool: ToolSpec) -> Json:
    return {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}


def _image(image: Image, provider: str) -> Json:
    if not image.url.startswith("data:"):
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    found = _DATA_URL.fullmatch(image.url)
    if not found:
        raise InvalidRequest(
            "An image's data: URL cannot be read; it must look like data:image/png;base64,….", provider=provider
        )
    return {"type": "image", "source": {"type": "base64", "media_type": found["type"], "data": found["data"]}}

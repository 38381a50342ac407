"""One answer in Anthropic's words, streamed or not, and what of it Anthropic wants back."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from toolkit.errors import ContextTooLong
from toolkit.messages import Completion, Delta, FinishReason, Json, Message, Usage
from toolkit.providers.wire.assembly import Assembly
from toolkit.providers.wire.failures import no_answer

OPAQUE: Final = "messages"
"""Under this name a message keeps what Anthropic wants back: `{"model": …, "blocks": […]}`, the blocks of the answer in
their order. For what the message has itself stands a place: a text's `length` in characters, and the next tool call."""

_OWN = frozenset({"text", "tool_use"})
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})

_FINISH: Mapping[str, FinishReason] = {
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "pause_turn": "length",
}
"""Every other reason means that the model had said all, except that its window was full. `pause_turn` interrupts a long
turn with the vendor's own tools; the model goes on if it is asked again with what it has said."""


class Answer:
    """Reads one answer: the events of a stream, or one whole body.

    Args:
        provider: the vendor's name in the toolkit.
        model: the model that was asked.
    """

    def __init__(self, provider: str, model: str) -> None:
        self._provider = provider
        self._model = model
        self._answer = Assembly(provider)
        self._blocks: dict[int, _Block] = {}
        self._usage: Json = {}
        self._stop_reason: str | None = None

    @property
    def whole(self) -> bool:
        """Whether the answer's end mark has been read."""
        return self._answer.finish_reason is not None

    @property
    def usage(self) -> Usage | None:
        """The tokens that the vendor has counted so far, None if it has not."""
        return self._answer.usage

    def feed(self, data: Json, /) -> Delta | None:
        """The next event of a stream. A piece without text says that the model is thinking."""
        match data:
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                return self._add(index, delta)
            case {"type": "content_block_start", "index": index, "content_block": block}:
                return self._begin(index, block)
            case {"type": "message_start", "message": message}:
                self._count(message.get("usage"))
            case {"type": "message_delta", "delta": delta}:
                self._count(data.get("usage"))
                self._stop(delta.get("stop_reason"), delta.get("stop_details"))
        return None

    def feed_whole(self, data: Json, /) -> None:
        """The whole body."""
        for index, block in enumerate(data["content"]):
            self._begin(index, block)
        self._count(data.get("usage"))
        self._stop(data.get("stop_reason"), data.get("stop_details"))

    def completion(self, request_id: str | None, /) -> Completion:
        """The whole answer. Raises BadAnswer, ContentRefused or ContextTooLong."""
        if self._stop_reason == "model_context_window_exceeded":
            raise ContextTooLong(
                f"The model's window at {self._provider} was full before the answer was whole; shorten the messages.",
                provider=self._provider,
                status=200,
                request_id=request_id,
            )
        kinds = {block.kind for block in self._blocks.values()}
        if self._stop_reason == "pause_turn" and not any(block.length for block in self._blocks.values()):
            raise no_answer(self._provider, "the model paused before it said anything", request_id=request_id)
        if kinds - _OWN and ("tool_use" in kinds or self._stop_reason == "pause_turn"):
            blocks = [said for block in self._blocks.values() if (said := block.to_json())]
            self._answer.opaque = {OPAQUE: {"model": self._model, "blocks": blocks}}
        return self._answer.completion(request_id)

    def _begin(self, index: int, value: Json) -> Delta | None:
        block = self._blocks[index] = _Block(value["type"], value)
        match value:
            case {"type": "text"}:
                return self._say(block, value["text"])
            case {"type": "tool_use", "id": wire_id, "name": name}:
                arguments = json.dumps(value["input"]) if value.get("input") else ""
                return Delta(tool_calls=(self._answer.add_call(index, wire_id, name, arguments),))
        return Delta()

    def _add(self, index: int, delta: Json) -> Delta | None:
        block = self._blocks.get(index) or self._blocks.setdefault(index, _Block("text", {}))
        match delta:
            case {"type": "text_delta", "text": text}:
                return self._say(block, text)
            case {"type": "input_json_delta", "partial_json": arguments} if block.kind == "tool_use":
                return Delta(tool_calls=(self._answer.add_call(index, "", "", arguments),)) if arguments else None
            case {"type": "input_json_delta", "partial_json": piece} | {"type": "thinking_delta", "thinking": piece}:
                block.pieces.append(piece)
            case {"type": "signature_delta", "signature": signature}:
                block.signature += signature
            case {"type": "citations_delta"}:
                pass
            case _:
                block.is_known = False
        return Delta()

    def _say(self, block: "_Block", text: str) -> Delta | None:
        if not text:
            return None
        block.length += len(text)
        self._answer.add_text(text)
        return Delta(text)

    def _count(self, usage: Json | None) -> None:
        """Add what the stream says of the usage: the counts are sums so far, and the last of each holds."""
        self._usage |= {name: count for name, count in (usage or {}).items() if count is not None}
        if self._usage:
            self._answer.usage = _usage(self._usage)
            # Its fast mode is no tier in Anthropic's words, but has a price of its own as well.
            is_fast = self._usage.get("speed") == "fast"
            self._answer.tier = "fast" if is_fast else self._usage.get("service_tier")

    def _stop(self, reason: str | None, details: Json | None) -> None:
        if reason == "refusal":
            self._answer.refusal = (details or {}).get("explanation") or ""
        if reason:
            self._stop_reason = reason
            self._answer.finish_reason = _FINISH.get(reason, "stop")


def blocks_of(message: Message, model: str) -> list[Json] | None:
    """The blocks in which `model` gave an assistant's message, its thoughts in their places; None if it did not.

    Thoughts are signed for the model that had them, and refused by every other.
    """
    kept: Any = message.opaque.get(OPAQUE)
    if not isinstance(kept, Mapping) or kept.get("model") != model:
        return None
    places: list[Json] = list(kept["blocks"])
    lengths = sum(place["length"] for place in places if place["type"] == "text")
    calls = sum(place["type"] == "tool_use" for place in places)
    if (lengths, calls) != (len(message.text), len(message.tool_calls)):
        # The message is no longer what it was; its thoughts stand before whatever it is now.
        thoughts = [place for place in places if place["type"] in _THOUGHTS]
        return [*thoughts, *text_blocks(message.text), *call_blocks(message)]
    return list(_filled(places, message))


def text_blocks(text: str) -> list[Json]:
    """A text as a block; none where there is nothing to read, which is refused."""
    return [{"type": "text", "text": text}] if text.strip() else []


def call_blocks(message: Message) -> Iterator[Json]:
    """The tool calls of a message as blocks."""
    return ({"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in message.tool_calls)


def _filled(places: list[Json], message: Message) -> Iterator[Json]:
    calls = call_blocks(message)
    start = 0
    for place in places:
        match place:
            case {"type": "text", "length": length}:
                yield from text_blocks(message.text[start : start + length])
                start += length
            case {"type": "tool_use"}:
                yield next(calls)
            case _:
                yield place


@dataclass(slots=True)
class _Block:
    """One block of an answer, as far as it has come.

    Attributes:
        kind: its type.
        value: as the vendor began it.
        pieces: of its thoughts, or of the JSON of its input.
        signature: that came after it.
        length: of its text, in characters.
        is_known: nothing came that nobody here knows.
    """

    kind: str
    value: Json
    pieces: list[str] = field(default_factory=list)
    signature: str = ""
    length: int = 0
    is_known: bool = True

    def to_json(self) -> Json | None:
        """What is kept of it; None where it is not whole, and would be refused."""
        match self.kind:
            case "text":
                return {"type": "text", "length": self.length}
            case "tool_use":
                return {"type": "tool_use"}
            case "thinking":
                thoughts = self.value.get("thinking", "") + "".join(self.pieces)
                signature = self.value.get("signature", "") + self.signature
                said = {**self.value, "thinking": thoughts, "signature": signature}
                return said if signature and self.is_known else None
        if not self.is_known:
            return None
        return {**self.value, "input": json.loads("".join(self.pieces))} if any(self.pieces) else self.value


def _usage(usage: Json) -> Usage:
    cached = usage.get("cache_read_input_tokens", 0)
    written = usage.get("cache_creation_input_tokens", 0)
    return Usage(
        # Anthropic counts what was cached apart.
        input_tokens=usage.get("input_tokens", 0) + cached + written,
        output_tokens=usage.get("output_tokens", 0),
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=usage.get("output_tokens_details", {}).get("thinking_tokens") or 0,
        cache_write_1h_tokens=usage.get("cache_creation", {}).get("ephemeral_1h_input_tokens") or 0,
    )

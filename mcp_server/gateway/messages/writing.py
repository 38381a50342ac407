"""An answer in the words of Anthropic's Messages, whole or as events."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from mcp_server.gateway.answering import account, event
from mcp_server.gateway.parts import Parts, Step, at_once
from mcp_server.gateway.thoughts import sealed
from mcp_server.refusals import Refusal
from toolkit.messages import Delta, FinishReason, Json, Reply
from toolkit.stamps import new_id

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_STOPS: Final[Mapping[FinishReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}


def message(reply: Reply, tk: "Toolkit") -> Json:
    """The whole answer."""
    said = reply.message
    content: list[Json] = [{"type": "text", "text": said.text}] if said.text else []
    content += [{"type": "tool_use", "id": c.id, "name": c.name, "input": c.arguments} for c in said.tool_calls]
    if hidden := sealed(said, tk):
        content.append({"type": "redacted_thinking", "data": hidden})
    return {
        **_head(reply.model),
        "content": content,
        "stop_reason": _STOPS[reply.finish_reason],
        "usage": _usage(reply),
    }


class Events:
    """Writes an answer as the events of a stream.

    Args:
        tk: seals what the client has to bring back.
        held: the text is told when it is whole: a form that does not fit is asked for again, and nothing that was
            shown can be taken back.
    """

    def __init__(self, tk: "Toolkit", *, held: bool) -> None:
        self._tk = tk
        self._held = held
        self._parts = Parts()
        self._blocks = 0

    def begin(self, model: str) -> Iterator[bytes]:
        """The message without its content."""
        usage = {"input_tokens": 0, "output_tokens": 0}
        yield _event("message_start", message={**_head(model), "content": [], "stop_reason": None, "usage": usage})
        yield _event("ping")

    def take(self, delta: Delta) -> Iterator[bytes]:
        """The next pieces of blocks."""
        if delta.reply is not None:
            yield from self._end(delta.reply)
        elif not self._held:
            yield from self._told(self._parts.take(delta))

    def fail(self, refusal: Refusal) -> Iterator[bytes]:
        """An error."""
        yield event("error", refusal.body())

    def _end(self, reply: Reply) -> Iterator[bytes]:
        if self._held:
            yield from self._told(self._parts.take(at_once(reply)))
        yield from self._told(self._parts.end())
        if hidden := sealed(reply.message, self._tk):
            block = {"type": "redacted_thinking", "data": hidden}
            yield _event("content_block_start", index=self._blocks, content_block=block)
            yield _event("content_block_stop", index=self._blocks)
        delta = {"stop_reason": _STOPS[reply.finish_reason], "stop_sequence": None}
        yield _event("message_delta", delta=delta, usage=_usage(reply))
        yield _event("message_stop")

    def _told(self, steps: Iterator[Step]) -> Iterator[bytes]:
        for step in steps:
            part, index = step.part, step.part.number
            match step.moment:
                case "begins":
                    self._blocks = index + 1
                    block = _empty_text() if part.call_id is None else _empty_call(part.call_id, part.name)
                    yield _event("content_block_start", index=index, content_block=block)
                case "goes on" if part.call_id is None:
                    yield _event("content_block_delta", index=index, delta={"type": "text_delta", "text": step.text})
                case "goes on":
                    delta = {"type": "input_json_delta", "partial_json": step.text}
                    yield _event("content_block_delta", index=index, delta=delta)
                case _:
                    yield _event("content_block_stop", index=index)


def _head(model: str) -> Json:
    return {
        "id": f"msg_{new_id().replace('-', '')}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_sequence": None,
    }


def _empty_text() -> Json:
    return {"type": "text", "text": ""}


def _empty_call(call_id: str, name: str) -> Json:
    return {"type": "tool_use", "id": call_id, "name": name, "input": {}}


def _usage(reply: Reply) -> Json:
    """What was counted; what came from the vendor's cache, or went into it, is counted apart."""
    usage = reply.usage
    hour = usage.cache_write_1h_tokens
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens - hour,
            "ephemeral_1h_input_tokens": hour,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
        "toolkit": account(reply),
    }


def _event(kind: str, **fields: Any) -> bytes:
    return event(kind, {"type": kind, **fields})

"""From the toolkit's words to OpenAI's chat completions: whole, and in chunks."""

import json
from collections.abc import Sequence
from typing import Any, Final

from toolkit.messages import Delta, Json, Reply, ToolCall, ToolCallFragment, Usage, cost_of

DONE: Final = b"data: [DONE]\n\n"
_JSON: Final = json.JSONEncoder(separators=(",", ":"))


def dumped(value: Any) -> bytes:
    """`value` as JSON, in ASCII: no text that a vendor sends can fail to be written."""
    return _JSON.encode(value).encode()


def event(value: Any) -> bytes:
    """`value` as a server-sent event."""
    return b"data: " + dumped(value) + b"\n\n"


def completion(replies: Sequence[Reply], created: int) -> Json:
    """A `chat.completion` with one choice for each reply."""
    return {
        "id": f"chatcmpl-{replies[0].call_id}",
        "object": "chat.completion",
        "created": created,
        "model": replies[0].model,
        "system_fingerprint": None,
        "choices": [_choice(index, reply) for index, reply in enumerate(replies)],
        "usage": usage(replies),
    }


def usage(replies: Sequence[Reply]) -> Json:
    """The tokens of all `replies`, and under `toolkit` what no vendor has."""
    counted = sum((reply.usage for reply in replies), Usage())
    attempts = [attempt for reply in replies for attempt in reply.attempts]
    told: Json = {
        "model": replies[0].model,
        "attempts": [
            {
                "name": attempt.name,
                "provider": attempt.provider,
                "model": attempt.model,
                "error": attempt.error,
                "message": attempt.message,
                "milliseconds": round(attempt.milliseconds, 3),
                "cost_usd": None if attempt.cost_nano_usd is None else attempt.cost_nano_usd / 1e9,
            }
            for attempt in attempts
        ],
        "cost_usd": cost_of(attempts),
        "cached": all(reply.cached for reply in replies),
        "session_id": replies[0].session_id,
        "call_id": replies[0].call_id,
    }
    if replies[0].trimmed:
        told["trimmed"] = replies[0].trimmed
    return {
        "prompt_tokens": counted.input_tokens,
        "completion_tokens": counted.output_tokens,
        "total_tokens": counted.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": counted.cached_tokens,
            "cache_write_tokens": counted.cache_write_tokens,
            "audio_tokens": counted.input_audio_tokens,
            "image_tokens": counted.input_image_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": counted.reasoning_tokens,
            "audio_tokens": counted.output_audio_tokens,
        },
        "toolkit": told,
    }


def _choice(index: int, reply: Reply) -> Json:
    message: Json = {
        "role": "assistant",
        "content": None if reply.message.tool_calls and not reply.text else reply.text,
        "refusal": None,
    }
    if reply.message.tool_calls:
        message["tool_calls"] = [_call(call) for call in reply.message.tool_calls]
    probabilities = (reply.extra or {}).get("logprobs")
    return {"index": index, "message": message, "logprobs": probabilities, "finish_reason": reply.finish_reason}


def _call(call: ToolCall) -> Json:
    arguments = json.dumps(call.arguments, ensure_ascii=False)
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}}


class Chunks:
    """The chunks of one stream; what is the same in all of them is written once.

    Args:
        stream_id: the id of the whole.
        created: seconds since 1970.
        model: who speaks first.
        with_usage: the last chunk has the usage, and all others say that they have none.
    """

    def __init__(self, stream_id: str, created: int, model: str, *, with_usage: bool) -> None:
        head = {
            "id": f"chatcmpl-{stream_id}",
            "object": "chat.completion.chunk",
            "created": created,
            "model": model,
            "system_fingerprint": None,
        }
        self._head = "data: " + _JSON.encode(head)[:-1] + ',"choices":['
        self._tail = "]" + (',"usage":null' if with_usage else "") + "}\n\n"
        self._after_text = '},"logprobs":null,"finish_reason":null}' + self._tail
        self._with_usage = with_usage

    def begin(self, index: int) -> bytes:
        """Says who speaks in a choice."""
        return self._chunk(index, {"role": "assistant", "content": "", "refusal": None})

    def piece(self, index: int, delta: Delta, *, with_calls: bool) -> bytes:
        """What `delta` adds to a choice; empty where it adds nothing.

        Args:
            index: of the choice.
            delta: what the toolkit gave.
            with_calls: the tools are the client's, so that it hears of the calls.
        """
        calls = delta.tool_calls if with_calls else ()
        if not (calls or delta.extra):  # nearly always
            if not delta.text:
                return b""
            return (
                f'{self._head}{{"index":{index},"delta":{{"content":{json.dumps(delta.text)}{self._after_text}'.encode()
            )
        said: Json = {"content": delta.text} if delta.text else {}
        if calls:
            said["tool_calls"] = [_fragment(call) for call in calls]
        return self._chunk(index, said, logprobs=(delta.extra or {}).get("logprobs"))

    def end(self, index: int, reply: Reply) -> bytes:
        """Why a choice ended."""
        return self._chunk(index, {}, finish_reason=reply.finish_reason)

    def whole(self, replies: Sequence[Reply]) -> bytes:
        """The usage, if it was asked for, and the end mark."""
        if not self._with_usage:
            return DONE
        counted = _JSON.encode(usage(replies))
        return f'{self._head}],"usage":{counted}}}\n\n'.encode() + DONE

    def _chunk(
        self, index: int, delta: Json, *, finish_reason: str | None = None, logprobs: Json | None = None
    ) -> bytes:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish_reason}
        return f"{self._head}{_JSON.encode(choice)}{self._tail}".encode()


def _fragment(call: ToolCallFragment) -> Json:
    if call.id or call.name:
        function = {"name": call.name, "arguments": call.arguments}
        return {"index": call.index, "id": call.id, "type": "function", "function": function}
    return {"index": call.index, "function": {"arguments": call.arguments}}

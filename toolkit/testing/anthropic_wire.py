"""Anthropic's messages, as a server speaks them."""

import json
from itertools import groupby

from toolkit.messages import Completion, Json
from toolkit.testing.faults import Fault
from toolkit.testing.wire import Script, event, slices, texts_in, usage_of, words

_STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def complaint(body: Json) -> str | None:
    """Why Anthropic would refuse the request `body`; None if it would not."""
    messages = body.get("messages")
    if not body.get("model"):
        return "model: Field required"
    if not isinstance(body.get("max_tokens"), int):
        return "max_tokens: Field required"
    if not 0 <= body.get("temperature", 0) <= 1:
        return "temperature: range: 0..1"
    if not isinstance(messages, list) or not messages:
        return "messages: at least one message is required"
    if messages[0]["role"] != "user":
        return "messages: first message must use the user role"
    return _complaint_about_blocks(messages, has_tools=bool(body.get("tools")))


def question(body: Json) -> str:
    """The text that was said last."""
    return texts_in(body["messages"][-1]["content"])


def said(body: Json) -> str:
    """All text of the conversation."""
    texts = [texts_in(message["content"]) for message in body["messages"]]
    return "\n".join([texts_in(body.get("system")), *texts])


def whole(answer: Completion, body: Json, request_id: str) -> Json:
    """A `message`."""
    text = [{"type": "text", "text": answer.message.text}] if answer.message.text else []
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in answer.message.tool_calls
    ]
    return _head(body, request_id) | {
        "content": [*text, *calls],
        "stop_reason": _STOP[answer.finish_reason],
        "usage": _usage(answer, body),
    }


def script(answer: Completion, body: Json, request_id: str) -> Script:
    """`message_start` to `message_stop`."""
    usage = _usage(answer, body)
    start = _head(body, request_id) | {"usage": usage | {"output_tokens": 1}}
    pieces = []
    index = 0
    if answer.message.text:
        pieces += _block(index, {"type": "text", "text": ""}, "text_delta", "text", words(answer.message.text))
        index += 1
    for call in answer.message.tool_calls:
        block = {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}
        pieces += _block(index, block, "input_json_delta", "partial_json", slices(json.dumps(call.arguments)))
        index += 1
    delta = {"stop_reason": _STOP[answer.finish_reason], "stop_sequence": None}
    return Script(
        (_event({"type": "message_start", "message": start}), _event({"type": "ping"})),
        tuple(pieces),
        (
            _event({"type": "message_delta", "delta": delta, "usage": {"output_tokens": usage["output_tokens"]}}),
            _event({"type": "message_stop"}),
        ),
    )


def error(fault: Fault, request_id: str) -> Json:
    """An error object."""
    kind = fault.error_type or _TYPES.get(fault.status_code, "api_error")
    inner: Json = {"type": kind, "message": fault.message}
    if fault.error_code:
        inner["details"] = {"error_code": fault.error_code}
    return {"type": "error", "error": inner, "request_id": request_id}


def error_event(error: Json) -> bytes:
    """An error object in a stream."""
    return _event(error)


def headers(request_id: str) -> dict[str, str]:
    """The id of the request."""
    return {"request-id": request_id}


def _complaint_about_blocks(messages: list[Json], *, has_tools: bool) -> str | None:
    open_calls: set[str] = set()
    # Messages of one role in sequence are one turn, as the vendor reads them.
    for _, turn in groupby(messages, key=lambda message: message["role"]):
        blocks = [block for message in turn for block in _blocks(message["content"])]
        if any(block["type"] == "text" and not block["text"].strip() for block in blocks):
            return "messages: text content blocks must be non-empty"
        results = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
        if results != open_calls:
            return "messages: each `tool_use` block must have a `tool_result` block in the next message"
        open_calls = {block["id"] for block in blocks if block["type"] == "tool_use"}
        if (results or open_calls) and not has_tools:
            return "Requests which include `tool_use` or `tool_result` blocks must define tools"
    last = messages[-1]
    if last["role"] == "assistant" and texts_in(last["content"]) != texts_in(last["content"]).rstrip():
        return "messages: final assistant content cannot end with trailing whitespace"
    return None


def _blocks(content: str | list[Json]) -> list[Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _block(index: int, block: Json, kind: str, key: str, fragments: list[str]) -> list[bytes]:
    opening = _event({"type": "content_block_start", "index": index, "content_block": block})
    deltas = [
        _event({"type": "content_block_delta", "index": index, "delta": {"type": kind, key: fragment}})
        for fragment in fragments
    ]
    # One word is one piece, so that a fault counts words: what frames them travels with the first and the last.
    first, *rest = deltas
    last = _event({"type": "content_block_stop", "index": index})
    return [opening + first, *rest[:-1], rest[-1] + last] if rest else [opening + first + last]


def _event(data: Json) -> bytes:
    return event(data, data["type"])


def _head(body: Json, request_id: str) -> Json:
    return {
        "id": f"msg_{request_id}",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _usage(answer: Completion, body: Json) -> Json:
    usage = usage_of(answer, said(body))
    return {
        "input_tokens": usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens,
        "cache_read_input_tokens": usage.cached_tokens,
        "cache_creation_input_tokens": usage.cache_write_tokens,
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens},
    }

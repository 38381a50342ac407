"""Anthropic's messages, as a server speaks them."""

import json
import re
from collections.abc import Iterator
from itertools import groupby

from toolkit.messages import Completion, Json
from toolkit.testing.faults import Fault
from toolkit.testing.wire import Script, event, slices, texts_in, usage_of, words

_STOP = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
_SEEN = ("text", "tool_use")
_OLDER = re.compile(r"claude-(?:3|(?:opus|sonnet)-4-[01]\b)")
_NEWER = re.compile(r"claude-(?:opus-4-[78]|[a-z]+-5)")
_NO_KEYWORDS = frozenset({"minimum", "maximum", "minLength", "maxLength", "maxItems", "pattern", "oneOf", "default"})
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
    return (
        _complaint_of_model(body)
        or _complaint_of_tools(body)
        or _complaint_of_form(body)
        or _complaint_of_thoughts(body)
        or _complaint_about_blocks(messages, has_tools=bool(body.get("tools")))
    )


def question(body: Json) -> str:
    """The text that was said last."""
    return texts_in(body["messages"][-1]["content"])


def said(body: Json) -> str:
    """All text of the conversation."""
    texts = [texts_in(message["content"]) for message in body["messages"]]
    return "\n".join([texts_in(body.get("system")), *texts])


def whole(answer: Completion, body: Json, request_id: str) -> Json:
    """A `message`."""
    return _head(body, request_id) | {
        "content": _content(answer, body),
        "stop_reason": _STOP[answer.finish_reason],
        "usage": _usage(answer, body),
    }


def script(answer: Completion, body: Json, request_id: str) -> Script:
    """`message_start` to `message_stop`."""
    usage = _usage(answer, body)
    start = _head(body, request_id) | {"usage": usage | {"output_tokens": 1}}
    pieces: list[bytes] = []
    # What is thought travels with the next piece that is said, so that a fault counts words.
    unsaid = b""
    for index, block in enumerate(_content(answer, body)):
        events = _events(index, block)
        if block["type"] in _SEEN:
            pieces += [unsaid + events[0], *events[1:]]
            unsaid = b""
        else:
            unsaid += b"".join(events)
    delta = {"stop_reason": _STOP[answer.finish_reason], "stop_sequence": None}
    counted = {name: usage[name] for name in ("output_tokens", "output_tokens_details")}
    return Script(
        (_event({"type": "message_start", "message": start}), _event({"type": "ping"})),
        tuple(pieces),
        (
            unsaid + _event({"type": "message_delta", "delta": delta, "usage": counted}),
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


def _complaint_of_model(body: Json) -> str | None:
    if not _NEWER.search(body["model"]):
        return None
    if "temperature" in body:
        return "`temperature` is deprecated for this model."
    if body["messages"][-1]["role"] == "assistant" and _blocks(body["messages"][-1]["content"])[-1]["type"] == "text":
        return "This model does not support assistant message prefill. The conversation must end with a user message."
    return None


def _complaint_of_tools(body: Json) -> str | None:
    names = [tool["name"] for tool in body.get("tools") or ()]
    choice = body.get("tool_choice")
    if choice and not names:
        return "tool_choice: may only be specified while providing tools"
    if choice and choice["type"] == "tool" and choice["name"] not in names:
        return f"tool_choice: tool '{choice['name']}' not found in provided tools"
    if choice and choice["type"] in ("any", "tool") and (body.get("thinking") or {}).get("type") == "enabled":
        return "Thinking may not be enabled when tool_choice forces tool use."
    return None


def _complaint_of_form(body: Json) -> str | None:
    form = (body.get("output_config") or {}).get("format")
    if form is None:
        return None
    if _OLDER.search(body["model"]):
        return f"'{body['model']}' does not support output format."
    for node in _nodes(form["schema"]):
        if node.get("type") == "object" and node.get("additionalProperties") is not False:
            return (
                "output_config.format.schema: For 'object' type, 'additionalProperties' must be explicitly set to false"
            )
        if unknown := sorted(node.keys() & _NO_KEYWORDS):
            return f"output_config.format.schema: property '{unknown[0]}' is not supported"
    return None


def _nodes(schema: Json) -> Iterator[Json]:
    """Every schema within a schema, itself included."""
    yield schema
    named = (*schema.get("properties", {}).values(), *schema.get("$defs", {}).values())
    for inner in (*named, *schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from _nodes(inner)


def _complaint_of_thoughts(body: Json) -> str | None:
    for message in body["messages"]:
        for block in _blocks(message["content"]):
            if block["type"] == "thinking" and block["signature"] != _signature(body):
                return "messages: Invalid `signature` in `thinking` block"
    called = [m for m in body["messages"] if any(b["type"] == "tool_use" for b in _blocks(m["content"]))]
    is_enabled = (body.get("thinking") or {}).get("type") == "enabled"
    if is_enabled and called and body["messages"][-2:-1] == called[-1:]:
        first = called[-1]["content"][0]["type"]
        if first not in ("thinking", "redacted_thinking"):
            return f"messages: Expected `thinking` or `redacted_thinking`, but found `{first}`"
    return None


def _signature(body: Json) -> str:
    """What makes a thought this model's."""
    return f"signed by {body['model']}"


def _content(answer: Completion, body: Json) -> list[Json]:
    """The blocks of an answer; its thoughts are those that the message keeps for Anthropic, signed here."""
    calls = [
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in answer.message.tool_calls
    ]
    text = answer.message.text
    kept = answer.message.opaque.get("messages")
    if kept is None:
        return [*([{"type": "text", "text": text}] if text else []), *calls]
    blocks: list[Json] = []
    for place in kept["blocks"]:
        match place:
            case {"type": "text", "length": length}:
                blocks.append({"type": "text", "text": text[:length]})
                text = text[length:]
            case {"type": "tool_use"}:
                blocks.append(calls.pop(0))
            case {"type": "thinking"}:
                blocks.append({**place, "signature": _signature(body)})
            case _:
                blocks.append(place)
    return blocks


def _events(index: int, block: Json) -> list[bytes]:
    """A block as pieces of a stream, of at least one event each."""
    match block:
        case {"type": "text", "text": text}:
            return _block(index, {**block, "text": ""}, "text_delta", "text", words(text))
        case {"type": "tool_use" | "server_tool_use", "input": arguments}:
            return _block(
                index, {**block, "input": {}}, "input_json_delta", "partial_json", slices(json.dumps(arguments))
            )
        case {"type": "thinking", "thinking": thoughts, "signature": signature}:
            empty = {**block, "thinking": "", "signature": ""}
            thought = [{"type": "thinking_delta", "thinking": word} for word in words(thoughts)]
            deltas = [*thought, {"type": "signature_delta", "signature": signature}]
            return [
                _event({"type": "content_block_start", "index": index, "content_block": empty}),
                *(_event({"type": "content_block_delta", "index": index, "delta": delta}) for delta in deltas),
                _event({"type": "content_block_stop", "index": index}),
            ]
    return [
        _event({"type": "content_block_start", "index": index, "content_block": block})
        + _event({"type": "content_block_stop", "index": index})
    ]


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
        "service_tier": answer.tier,
    }

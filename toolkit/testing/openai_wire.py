"""OpenAI's chat completions, embeddings and models, as a server speaks them."""

import json
import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from toolkit.messages import Completion, Json, ToolCall
from toolkit.testing.faults import Fault
from toolkit.testing.wire import Script, event, slices, texts_in, usage_of, vector, words

_CREATED = 1_767_225_600
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def complaint(body: Json) -> str | None:
    """Why OpenAI would refuse the request `body`; None if it would not."""
    messages = body.get("messages")
    if not body.get("model"):
        return "you must provide a model parameter"
    if not isinstance(messages, list) or not messages:
        return "Invalid 'messages': empty array. Expected an array with minimum length 1."
    open_calls: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                return "messages with role 'tool' must be a response to a preceding message with 'tool_calls'."
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            return "An assistant message with 'tool_calls' must be followed by tool messages for each 'tool_call_id'."
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
    return _complaint_of_model(body) or _complaint_of_tools(body) or complaint_of_format(body)


def complaint_of_format(body: Json) -> str | None:
    """Why the form that an answer should have would be refused; None if it would not."""
    form = (body.get("response_format") or {}).get("json_schema")
    if form is None:
        return None
    if not re.fullmatch(r"[\w-]{1,64}", form.get("name", "")):
        return "Invalid 'response_format.json_schema.name': string does not match pattern '^[a-zA-Z0-9_-]+$'."
    loose = form.get("strict") and next((node for node in _objects(form["schema"]) if not _is_closed(node)), None)
    if loose:
        return (
            f"Invalid schema for response_format '{form['name']}': 'additionalProperties' is required to be supplied "
            "and to be false, and 'required' to be an array including every key in properties."
        )
    return None


def question(body: Json) -> str:
    """The text that was said last."""
    return texts_in(body["messages"][-1].get("content"))


def said(body: Json) -> str:
    """All text of the conversation."""
    return "\n".join(texts_in(message.get("content")) for message in body["messages"])


def whole(answer: Completion, body: Json, request_id: str) -> Json:
    """A `chat.completion`."""
    message: Json = {"role": "assistant", "content": answer.message.text or None, "refusal": None, **_thoughts(answer)}
    if answer.message.tool_calls:
        message["tool_calls"] = [_call(call) for call in answer.message.tool_calls]
    logprobs = _probabilities(answer.message.text, body)
    choice = {"index": 0, "message": message, "finish_reason": answer.finish_reason, "logprobs": logprobs}
    head = _head("chat.completion", answer, body, request_id)
    return {**head, "choices": [choice], "usage": usage(answer, body)}


def script(answer: Completion, body: Json, request_id: str) -> Script:
    """`chat.completion.chunk`s, and `[DONE]`."""
    head = _head("chat.completion.chunk", answer, body, request_id)
    wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))

    def chunk(delta: Json, finish_reason: str | None = None) -> bytes:
        logprobs = _probabilities(delta.get("content") or "", body)
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": logprobs}
        return event({**head, "choices": [choice], **({"usage": None} if wants_usage else {})})

    thoughts = [chunk({name: word}) for name, text in _thoughts(answer).items() for word in words(text)]
    pieces = [chunk({"content": word}) for word in words(answer.message.text)]
    for index, call in enumerate(answer.message.tool_calls):
        first = _call(call) | {"index": index, "function": {"name": call.name, "arguments": ""}}
        rest = [{"index": index, "function": {"arguments": part}} for part in slices(json.dumps(call.arguments))]
        pieces += [chunk({"tool_calls": [fragment]}) for fragment in (first, *rest)]
    ending = [chunk({}, answer.finish_reason)]
    if wants_usage:
        ending.append(event({**head, "choices": [], "usage": usage(answer, body)}))
    opening = (chunk({"role": "assistant", "content": ""}), *thoughts)
    return Script(opening, tuple(pieces), (*ending, event("[DONE]")))


def error(fault: Fault, request_id: str) -> Json:  # noqa: ARG001 - Anthropic's carries the id
    """An error object."""
    blames_client = HTTPStatus.BAD_REQUEST <= fault.status_code < HTTPStatus.INTERNAL_SERVER_ERROR
    return {
        "error": {
            "message": fault.message,
            "type": fault.error_type or ("invalid_request_error" if blames_client else "server_error"),
            "param": None,
            "code": fault.error_code or _CODES.get(fault.status_code),
        }
    }


def error_event(error: Json) -> bytes:
    """An error object in a stream."""
    return event(error)


def headers(request_id: str) -> dict[str, str]:
    """The id of the request."""
    return {"x-request-id": request_id}


def embeddings(body: Json) -> Json:
    """A vector for each text of `input`."""
    texts: list[str] = [body["input"]] if isinstance(body["input"], str) else body["input"]
    tokens = sum(len(text.split()) for text in texts)
    return {
        "object": "list",
        "model": body["model"],
        "data": [{"object": "embedding", "index": i, "embedding": vector(text)} for i, text in enumerate(texts)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def models() -> Json:
    """A few models."""
    names = ("gpt-4o", "gpt-4o-mini", "text-embedding-3-small")
    data = [{"id": name, "object": "model", "created": _CREATED, "owned_by": "openai"} for name in names]
    return {"object": "list", "data": data}


def usage(answer: Completion, body: Json) -> Json:
    """The tokens of an answer."""
    counted = usage_of(answer, said(body))
    return {
        "prompt_tokens": counted.input_tokens,
        "completion_tokens": counted.output_tokens,
        "total_tokens": counted.total_tokens,
        "prompt_tokens_details": {
            "cached_tokens": counted.cached_tokens,
            "cache_write_tokens": counted.cache_write_tokens,
            "image_tokens": counted.input_image_tokens,
            "audio_tokens": counted.input_audio_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": counted.reasoning_tokens,
            "audio_tokens": counted.output_audio_tokens,
        },
    }


def _complaint_of_model(body: Json) -> str | None:
    if not str(body["model"]).startswith(("o1", "o3", "gpt-5")):
        return None
    if "max_tokens" in body:
        return "Unsupported parameter: 'max_tokens' is not supported with this model."
    if "temperature" in body and "-chat" not in body["model"]:
        return "Unsupported value: 'temperature' does not support this value with this model."
    return None


def _complaint_of_tools(body: Json) -> str | None:
    names = [tool["function"]["name"] for tool in body.get("tools") or ()]
    choice = body.get("tool_choice")
    if choice is not None and not names:
        return "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified."
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        return "Invalid value for 'tool_choice': the function is not one of the 'tools'."
    return None


def _objects(schema: Any) -> Iterator[Json]:
    """Every object's schema in a schema."""
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        schema = list(schema.values())
    for inner in schema if isinstance(schema, list) else ():
        yield from _objects(inner)


def _is_closed(schema: Json) -> bool:
    return schema.get("additionalProperties") is False and [*schema.get("properties", ())] == schema.get("required")


def _head(kind: str, answer: Completion, body: Json, request_id: str) -> Json:
    tier = {"service_tier": answer.tier} if answer.tier else {}
    return {"id": f"chatcmpl-{request_id}", "object": kind, "created": _CREATED, "model": body["model"], **tier}


def _thoughts(answer: Completion) -> dict[str, str]:
    """What the model thinks aloud, by the field that its vendor says it in: as `Message.opaque` keeps it."""
    thoughts: dict[str, str] = answer.message.opaque.get("chat", {}).get("message", {})
    return thoughts


def _probabilities(text: str, body: Json) -> Json | None:
    """How likely each token was, a word each, where that is asked for."""
    if not (body.get("logprobs") and text):
        return None
    tokens = [
        {"token": word, "logprob": -0.5, "bytes": list(word.encode()), "top_logprobs": []} for word in words(text)
    ]
    return {"content": tokens, "refusal": None}


def _call(call: ToolCall) -> dict[str, Any]:
    return {
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
    }

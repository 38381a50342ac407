"""OpenAI's responses, as a server speaks them that stores nothing."""

import json
import re
from collections.abc import Iterable
from itertools import count
from typing import Any

from toolkit.messages import Completion, Json
from toolkit.testing import openai_wire
from toolkit.testing.responses_complaints import complaint, seal, thinks
from toolkit.testing.wire import Script, event, slices, texts_in, usage_of, words

__all__ = ["complaint", "error", "error_event", "headers", "question", "said", "script", "whole"]

_CREATED = 1_767_225_600
_TELLS_PHASES = re.compile(r"gpt-(?:5\.[3-9]|[6-9])")
"""The names of models that say of each message whether it is a remark or the answer."""


def question(body: Json) -> str:
    """The text that was said last."""
    asked = body["input"]
    return asked if isinstance(asked, str) else _text_of(asked[-1])


def said(body: Json) -> str:
    """All text of the conversation."""
    asked = body["input"]
    texts = [asked] if isinstance(asked, str) else [_text_of(item) for item in asked]
    return "\n".join([body.get("instructions") or "", *texts])


def whole(answer: Completion, body: Json, request_id: str) -> Json:
    """A `response`."""
    return _response(answer, body, request_id, _items(answer, body, request_id))


def script(answer: Completion, body: Json, request_id: str) -> Script:
    """`response.created` to `response.completed` or `response.incomplete`."""
    items = _items(answer, body, request_id)
    end = _response(answer, body, request_id, items)
    start = end | {"status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events = _Events()
    opening = [events.of("response.created", response=start), events.of("response.in_progress", response=start)]
    pieces: list[bytes] = []
    for index, item in enumerate(items):
        where = {"output_index": index, "item_id": item["id"]}
        match item["type"]:
            case "reasoning":
                opening += _thoughts(events, where, item)
            case "message":
                pieces += _message(events, where, item)
            case _:
                pieces += _call(events, where, item)
    return Script(tuple(opening), tuple(pieces), (events.of(f"response.{end['status']}", response=end),))


error = openai_wire.error
headers = openai_wire.headers


def error_event(error: Json) -> bytes:
    """An error as an event of a stream: here it is the error itself, and its type is told as its code."""
    inner = error["error"]
    code = inner["code"] or inner["type"]
    return event({"type": "error", "code": code, "message": inner["message"], "param": None, "sequence_number": 0})


class _Events:
    """The events of one stream, numbered."""

    def __init__(self) -> None:
        self._numbers = count()

    def of(self, kind: str, **fields: Any) -> bytes:
        return event({"type": kind, "sequence_number": next(self._numbers), **fields}, kind)

    def added(self, where: Json, item: Json) -> bytes:
        return self.of("response.output_item.added", output_index=where["output_index"], item=item)

    def done(self, where: Json, item: Json) -> bytes:
        return self.of("response.output_item.done", output_index=where["output_index"], item=item)


def _thoughts(events: _Events, where: Json, item: Json) -> list[bytes]:
    # What is sealed is whole only at the end.
    begun = item | {"summary": []} | ({"encrypted_content": "gAAA"} if "encrypted_content" in item else {})
    told = [events.added(where, begun)]
    for index, part in enumerate(item["summary"]):
        place = {**where, "summary_index": index}
        told += [
            events.of("response.reasoning_summary_part.added", **place, part=part | {"text": ""}),
            *(events.of("response.reasoning_summary_text.delta", **place, delta=word) for word in words(part["text"])),
            events.of("response.reasoning_summary_text.done", **place, text=part["text"]),
            events.of("response.reasoning_summary_part.done", **place, part=part),
        ]
    return [*told, events.done(where, item)]


def _message(events: _Events, where: Json, item: Json) -> list[bytes]:
    part = item["content"][0]
    place = {**where, "content_index": 0}
    before = events.added(where, item | {"status": "in_progress", "content": []})
    before += events.of("response.content_part.added", **place, part=part | {"text": ""})
    deltas = [events.of("response.output_text.delta", **place, delta=word, logprobs=[]) for word in words(part["text"])]
    after = events.of("response.output_text.done", **place, text=part["text"], logprobs=[])
    after += events.of("response.content_part.done", **place, part=part)
    return _framed(before, deltas, after + events.done(where, item))


def _call(events: _Events, where: Json, item: Json) -> list[bytes]:
    arguments = item["arguments"]
    before = events.added(where, item | {"status": "in_progress", "arguments": ""})
    deltas = [events.of("response.function_call_arguments.delta", **where, delta=part) for part in slices(arguments)]
    after = events.of("response.function_call_arguments.done", **where, name=item["name"], arguments=arguments)
    return _framed(before, deltas, after + events.done(where, item))


def _framed(before: bytes, deltas: list[bytes], after: bytes) -> list[bytes]:
    """One word is one piece, so that a fault counts words: what frames them travels with the first and the last."""
    pieces = deltas or [b""]
    pieces[0] = before + pieces[0]
    pieces[-1] += after
    return pieces


def _items(answer: Completion, body: Json, request_id: str) -> list[Json]:
    return [
        *_reasoning(body, request_id),
        *_messages(answer, body, request_id),
        *(
            {
                "id": f"fc_{request_id}_{number}",
                "type": "function_call",
                "status": "completed",
                "call_id": call.id,
                "name": call.name,
                "arguments": json.dumps(call.arguments),
            }
            for number, call in enumerate(answer.message.tool_calls)
        ),
    ]


def _reasoning(body: Json, request_id: str) -> Iterable[Json]:
    if not thinks(body["model"]):
        return
    item: Json = {"id": f"rs_{request_id}", "type": "reasoning", "summary": []}
    if (body.get("reasoning") or {}).get("summary"):
        item["summary"] = [{"type": "summary_text", "text": "I have thought about it."}]
    if "reasoning.encrypted_content" in (body.get("include") or ()):
        item["encrypted_content"] = seal(body["model"], item["id"])
    yield item


def _messages(answer: Completion, body: Json, request_id: str) -> Iterable[Json]:
    text = answer.message.text
    if not text and (answer.message.tool_calls or answer.finish_reason == "length"):
        return
    item: Json = {
        "id": f"msg_{request_id}",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}],
    }
    if _TELLS_PHASES.match(body["model"]):
        item["phase"] = "commentary" if answer.message.tool_calls else "final_answer"
    yield item


def _response(answer: Completion, body: Json, request_id: str, items: list[Json]) -> Json:
    because = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(answer.finish_reason)
    tier = body.get("service_tier", "auto")
    return {
        "id": f"resp_{request_id}",
        "object": "response",
        "created_at": _CREATED,
        "status": "incomplete" if because else "completed",
        "error": None,
        "incomplete_details": {"reason": because} if because else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": {},
        "model": body["model"],
        "output": items,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": body.get("reasoning") or {"effort": None, "summary": None},
        "service_tier": answer.tier or ("default" if tier == "auto" else tier),
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice", "auto"),
        "tools": body.get("tools", []),
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": _usage(answer, body),
        "user": None,
    }


def _usage(answer: Completion, body: Json) -> Json:
    usage = usage_of(answer, said(body))
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
    }


def _text_of(item: Json) -> str:
    return texts_in(item.get("content") or item.get("output"))

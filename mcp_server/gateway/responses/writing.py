"""An answer in the words of OpenAI's Responses, whole or as events."""

import time
from collections.abc import Iterator, Mapping
from itertools import chain, count
from typing import TYPE_CHECKING, Any, Final

from mcp_server.gateway.answering import account, event
from mcp_server.gateway.parts import Part, Parts, Step, at_once
from mcp_server.gateway.responses.offered import Known, read, text_of
from mcp_server.gateway.responses.shapes import ResponsesBody
from mcp_server.gateway.thoughts import sealed
from mcp_server.refusals import Refusal
from toolkit.messages import Delta, FinishReason, Json, Reply

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_BECAUSE: Final[Mapping[FinishReason, str]] = {"length": "max_output_tokens", "content_filter": "content_filter"}
_CODES: Final[Mapping[int, str]] = {429: "rate_limit_exceeded", 400: "invalid_prompt"}
_NOTHING: Final = Known("")


class Answer:
    """Writes the answer to one request.

    Args:
        body: of the request, which the answer repeats.
        response_id: the answer's.
        tk: seals what the client has to bring back.
    """

    def __init__(self, body: ResponsesBody, response_id: str, tk: "Toolkit") -> None:
        self._body = body
        self._id = response_id
        self._tk = tk
        self._created = int(time.time())
        self._known = read(body.tools or ())[1]

    def whole(self, reply: Reply) -> Json:
        """The whole answer."""
        parts = Parts()
        steps = chain(parts.take(at_once(reply)), parts.end())
        items = [self.item(step.part, "completed") for step in steps if step.moment == "ends"]
        return self.ended(reply, [*items, *self.hidden(reply)])

    def begun(self, model: str) -> Json:
        """The answer before there is anything of it."""
        return {**self._head(model), "status": "in_progress", "output": [], "usage": None}

    def ended(self, reply: Reply, items: list[Json]) -> Json:
        """The answer with all that came of it."""
        because = _BECAUSE.get(reply.finish_reason)
        return {
            **self._head(reply.model),
            "status": "incomplete" if because else "completed",
            "completed_at": None if because else int(time.time()),
            "incomplete_details": {"reason": because} if because else None,
            "output": items,
            "usage": _usage(reply),
        }

    def failed(self, model: str, items: list[Json], refusal: Refusal) -> Json:
        """The answer that nobody finished."""
        error = {"code": _CODES.get(refusal.status, "server_error"), "message": refusal.message}
        return {**self._head(model), "status": "failed", "error": error, "output": items, "usage": None}

    def item(self, part: Part, status: str) -> Json:
        """A part as an item, as far as it has come."""
        head = {"id": self.item_id(part), "status": status}
        if part.call_id is None:
            content = [_text(part.text)] if part.text else []
            return {**head, "type": "message", "role": "assistant", "content": content}
        known = self.known(part)
        named = {"call_id": part.call_id, "name": known.name or part.name}
        if known.namespace:
            named["namespace"] = known.namespace
        if known.custom:
            return {**head, "type": "custom_tool_call", **named, "input": text_of(part.text) if part.text else ""}
        return {**head, "type": "function_call", **named, "arguments": part.text}

    def item_id(self, part: Part) -> str:
        """The id of a part's item."""
        kind = "msg" if part.call_id is None else "ctc" if self.known(part).custom else "fc"
        return f"{kind}_{self._id.removeprefix('resp_')}_{part.number}"

    def known(self, part: Part) -> Known:
        """The tool that is asked for, as the client knows it."""
        return self._known.get(part.name, _NOTHING)

    def hidden(self, reply: Reply) -> list[Json]:
        """What the client has to bring back, if there is anything."""
        text = sealed(reply.message, self._tk)
        if text is None:
            return []
        item_id = f"rs_{self._id.removeprefix('resp_')}"
        return [{"id": item_id, "type": "reasoning", "summary": [], "encrypted_content": text}]

    def _head(self, model: str) -> Json:
        body = self._body
        said = body.model_dump(
            mode="json", by_alias=True, exclude_none=True, include={"tools", "tool_choice", "text", "reasoning"}
        )
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": body.instructions,
            "max_output_tokens": body.max_output_tokens,
            "metadata": body.metadata or {},
            "model": model,
            "parallel_tool_calls": body.parallel_tool_calls is not False,
            "previous_response_id": body.previous_response_id,
            "reasoning": said.get("reasoning") or {"effort": None, "summary": None},
            "store": bool(body.store),
            "temperature": body.temperature,
            "text": {"format": {"type": "text"}, **said.get("text", {})},
            "tool_choice": said.get("tool_choice", "auto"),
            "tools": said.get("tools", []),
            "top_p": body.top_p,
            "truncation": body.truncation or "auto",
        }


class Events:
    """Writes an answer as the events of a stream, numbered.

    Args:
        answer: writes what they are about.
        held: the text is told when it is whole: a form that does not fit is asked for again, and nothing that was
            shown can be taken back.
    """

    def __init__(self, answer: Answer, *, held: bool) -> None:
        self._answer = answer
        self._held = held
        self._parts = Parts()
        self._numbers = count()
        self._items: list[Json] = []
        self._model = ""

    def begin(self, model: str) -> Iterator[bytes]:
        """The response without its items."""
        self._model = model
        begun = self._answer.begun(model)
        yield self._event("response.created", response=begun)
        yield self._event("response.in_progress", response=begun)

    def take(self, delta: Delta) -> Iterator[bytes]:
        """The next pieces of items."""
        if delta.reply is not None:
            yield from self._end(delta.reply)
        elif not self._held:
            yield from self._told(self._parts.take(delta))

    def fail(self, refusal: Refusal) -> Iterator[bytes]:
        """That it failed: as a response that failed, and as an error, which OpenAI's own client raises."""
        yield self._event("response.failed", response=self._answer.failed(self._model, self._items, refusal))
        said = {"code": refusal.code, "message": refusal.message, "param": refusal.param}
        yield self._event("error", **said, error=refusal.body()["error"])

    def _end(self, reply: Reply) -> Iterator[bytes]:
        if self._held:
            yield from self._told(self._parts.take(at_once(reply)))
        yield from self._told(self._parts.end())
        for item in self._answer.hidden(reply):
            place = {"output_index": len(self._items), "item": item}
            yield self._event("response.output_item.added", **place)
            yield self._event("response.output_item.done", **place)
            self._items.append(item)
        ended = self._answer.ended(reply, self._items)
        yield self._event(f"response.{ended['status']}", response=ended)

    def _told(self, steps: Iterator[Step]) -> Iterator[bytes]:
        for step in steps:
            write = self._message if step.part.call_id is None else self._call
            yield from write(step, {"item_id": self._answer.item_id(step.part), "output_index": step.part.number})
            if step.moment in ("ends", "breaks off"):
                item = self._answer.item(step.part, "completed" if step.moment == "ends" else "incomplete")
                self._items.append(item)
                yield self._event("response.output_item.done", output_index=step.part.number, item=item)

    def _message(self, step: Step, place: Json) -> Iterator[bytes]:
        index, text = {"content_index": 0}, step.part.text
        match step.moment:
            case "begins":
                yield self._added(step)
                yield self._event("response.content_part.added", **place, **index, part=_text(""))
            case "goes on":
                yield self._event("response.output_text.delta", **place, **index, delta=step.text, logprobs=[])
            case _:
                yield self._event("response.output_text.done", **place, **index, text=text, logprobs=[])
                yield self._event("response.content_part.done", **place, **index, part=_text(text))

    def _call(self, step: Step, place: Json) -> Iterator[bytes]:
        custom, text = self._answer.known(step.part).custom, step.part.text
        match step.moment:
            case "begins":
                yield self._added(step)
            case "goes on" if custom:  # half a JSON text cannot be read
                return
            case "goes on":
                yield self._event("response.function_call_arguments.delta", **place, delta=step.text)
            case _ if custom:
                given = text_of(text)
                yield self._event("response.custom_tool_call_input.delta", **place, delta=given)
                yield self._event("response.custom_tool_call_input.done", **place, input=given)
            case _:
                name = self._answer.known(step.part).name
                yield self._event("response.function_call_arguments.done", **place, name=name, arguments=text)

    def _added(self, step: Step) -> bytes:
        item = self._answer.item(step.part, "in_progress")
        return self._event("response.output_item.added", output_index=step.part.number, item=item)

    def _event(self, kind: str, **fields: Any) -> bytes:
        return event(kind, {"type": kind, "sequence_number": next(self._numbers), **fields})


def _text(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _usage(reply: Reply) -> Json:
    usage = reply.usage
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
        },
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "total_tokens": usage.total_tokens,
        "toolkit": account(reply),
    }

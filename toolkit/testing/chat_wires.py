"""The vendors that speak OpenAI's chat completions almost as OpenAI does, as their servers speak them."""

import json
from typing import Any

from toolkit.messages import Completion, Json
from toolkit.testing import openai_wire
from toolkit.testing.faults import Fault
from toolkit.testing.wire import Script, event


class Compatible:
    """A server of which nothing is known: as OpenAI's; the others are what they are beside it."""

    def complaint(self, body: Json) -> str | None:
        """Why the vendor would refuse the request `body`; None if it would not."""
        return openai_wire.complaint(body)

    def question(self, body: Json) -> str:
        """The text that was said last."""
        return openai_wire.question(body)

    def said(self, body: Json) -> str:
        """All text of the conversation."""
        return openai_wire.said(body)

    def whole(self, answer: Completion, body: Json, request_id: str) -> Json:
        """A `chat.completion`."""
        return openai_wire.whole(answer, body, request_id)

    def script(self, answer: Completion, body: Json, request_id: str) -> Script:
        """`chat.completion.chunk`s, and `[DONE]`."""
        return openai_wire.script(answer, body, request_id)

    def error(self, fault: Fault, request_id: str) -> Any:
        """An error object."""
        return openai_wire.error(fault, request_id)

    def error_event(self, error: Any) -> bytes:
        """An error object in a stream."""
        return event(json.dumps(error))

    def headers(self, request_id: str) -> dict[str, str]:
        """The id of the request."""
        return openai_wire.headers(request_id)


class Azure(Compatible):
    """What the prompt's filter found comes before the answer, in a chunk without a choice; errors say less."""

    def script(self, answer: Completion, body: Json, request_id: str) -> Script:
        """The filter's chunk, then OpenAI's."""
        script = super().script(answer, body, request_id)
        found = {"prompt_index": 0, "content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
        filtered = event({"id": "", "object": "", "model": "", "choices": [], "prompt_filter_results": [found]})
        return Script((filtered, *script.opening), script.pieces, script.ending)

    def error(self, fault: Fault, request_id: str) -> Any:  # noqa: ARG002 - Azure's says only what is wrong
        """A code and a message."""
        return {"error": {"code": fault.error_code or str(fault.status_code), "message": fault.message}}


class Google(Compatible):
    """Knows only the fields that it has, signs its tool calls, says `stop` for them, and counts thoughts apart."""

    FIELDS = frozenset(
        {"model", "messages", "max_tokens", "max_completion_tokens", "n", "stop", "stream", "stream_options"}
        | {"temperature", "top_p", "tools", "tool_choice", "response_format", "reasoning_effort", "extra_body"}
        | {"service_tier", "parallel_tool_calls"}
    )

    def complaint(self, body: Json) -> str | None:
        """OpenAI's complaints, unknown fields, and the first of a message's tool calls without its signature."""
        for name in body.keys() - self.FIELDS:
            return f'Invalid JSON payload received. Unknown name "{name}": Cannot find field.'
        for message in body.get("messages") or ():
            for call in (message.get("tool_calls") or ())[:1]:
                if not call.get("extra_content", {}).get("google", {}).get("thought_signature"):
                    return "Function call is missing a thought_signature in functionCall parts."
        return super().complaint(body)

    def whole(self, answer: Completion, body: Json, request_id: str) -> Json:
        """OpenAI's, with a signature."""
        out = super().whole(answer, body, request_id)
        if calls := out["choices"][0]["message"].get("tool_calls"):
            calls[0]["extra_content"] = {"google": {"thought_signature": f"signed-{request_id}"}}
        return {**out, "usage": self._usage(answer, body)}

    def script(self, answer: Completion, body: Json, request_id: str) -> Script:
        """Each tool call in one chunk, all of them numbered 0."""
        script = super().script(answer, body, request_id)
        head = {"id": request_id, "object": "chat.completion.chunk", "model": body["model"]}
        calls = self.whole(answer, body, request_id)["choices"][0]["message"].get("tool_calls") or ()
        pieces = [piece for piece in script.pieces if b'"tool_calls"' not in piece]
        for call in calls:
            delta = {"role": "assistant", "tool_calls": [{**call, "index": 0}]}
            pieces.append(event({**head, "choices": [{"index": 0, "delta": delta}]}))
        reason = "stop" if answer.finish_reason == "tool_calls" else answer.finish_reason
        ending = {**head, "choices": [{"index": 0, "delta": {"role": "assistant"}, "finish_reason": reason}]}
        ending["usage"] = self._usage(answer, body)
        return Script(script.opening, tuple(pieces), (event(ending), event("[DONE]")))

    def error(self, fault: Fault, request_id: str) -> Any:  # noqa: ARG002 - Google's says only what is wrong
        """A list with one error object."""
        status = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}.get(
            fault.status_code, "UNKNOWN"
        )
        return [{"error": {"code": fault.status_code, "message": fault.message, "status": status}}]

    def _signature(self, request_id: str) -> Json:
        return {"extra_content": {"google": {"thought_signature": f"signed-{request_id}"}}}

    def _usage(self, answer: Completion, body: Json) -> Json:
        counted = openai_wire.usage(answer, body)
        thought = counted["completion_tokens_details"]["reasoning_tokens"]
        said = {"prompt_tokens": counted["prompt_tokens"], "total_tokens": counted["total_tokens"]}
        return {**said, "completion_tokens": counted["completion_tokens"] - thought}


class Groq(Compatible):
    """Refuses some fields, and a schema beside a stream or tools; counts in a place of its own."""

    REFUSED = ("logprobs", "logit_bias", "top_logprobs")

    def complaint(self, body: Json) -> str | None:
        """OpenAI's complaints and Groq's."""
        for name in self.REFUSED:
            if name in body:
                return f"property '{name}' is unsupported"
        for position, message in enumerate(body.get("messages") or ()):
            for name in message.keys() - {"role", "content", "tool_calls", "tool_call_id", "reasoning"}:
                return f"'messages.{position}': property '{name}' is unsupported"
        if "response_format" in body and (body.get("stream") or body.get("tools")):
            return "response_format `json_schema` does not support streaming or tool use"
        return super().complaint(body)

    def script(self, answer: Completion, body: Json, request_id: str) -> Script:
        """OpenAI's, with the tokens beside the end mark."""
        script = super().script(answer, {**body, "stream_options": None}, request_id)
        counted = {"id": request_id, "usage": openai_wire.usage(answer, body)}
        ending = {"choices": [{"index": 0, "delta": {}, "finish_reason": answer.finish_reason}], "x_groq": counted}
        return Script(script.opening, script.pieces, (event(ending), event("[DONE]")))


class Fireworks(Compatible):
    """Knows its models by their full names only."""

    def complaint(self, body: Json) -> str | None:
        """OpenAI's complaints, and a name that is none."""
        if not str(body.get("model")).startswith("accounts/"):
            return "Invalid model name: it is not a valid model"
        return super().complaint(body)


class Ollama(Compatible):
    """Takes pictures as data only, and gives each tool call whole."""

    def complaint(self, body: Json) -> str | None:
        """OpenAI's complaints, and a picture at an address."""
        contents = [message.get("content") for message in body.get("messages") or ()]
        parts = [part for content in contents if isinstance(content, list) for part in content]
        if any("image_url" in part and not part["image_url"]["url"].startswith("data:") for part in parts):
            return "invalid image input"
        return super().complaint(body)

    def script(self, answer: Completion, body: Json, request_id: str) -> Script:
        """Each tool call in one chunk."""
        script = super().script(answer, body, request_id)
        calls = self.whole(answer, body, request_id)["choices"][0]["message"].get("tool_calls") or ()
        pieces = [piece for piece in script.pieces if b'"tool_calls"' not in piece]
        for index, call in enumerate(calls):
            pieces.append(event({"choices": [{"index": 0, "delta": {"tool_calls": [{**call, "index": index}]}}]}))
        return Script(script.opening, tuple(pieces), script.ending)


AZURE, COMPATIBLE, FIREWORKS, GOOGLE, GROQ, OLLAMA = Azure(), Compatible(), Fireworks(), Google(), Groq(), Ollama()

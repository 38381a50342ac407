"""An answer that is put together from its pieces, streamed or not, and is one only if it is whole."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.errors import ContentRefused, ProviderError
from toolkit.messages import Completion, FinishReason, Message, ToolCall, ToolCallFragment, Usage
from toolkit.providers.wire.failures import no_answer
from toolkit.stamps import new_id


@dataclass(slots=True)
class _Call:
    key: object
    id: str
    wire_id: str
    name: str
    arguments: str


class Assembly:
    """The pieces of one answer so far.

    Attributes:
        finish_reason: why the model stopped; None until it has said so, which is the answer's end mark.
        refusal: what the vendor's policy said instead of an answer, None if it did not refuse.
        usage: the tokens, None until the vendor has counted them.
        tier: the vendor's tier of service, None until it has said so.
        opaque: what the vendor wants back with the message, see `Message`.
        extra: what only this vendor says of its answer, see `Completion`.
    """

    def __init__(self, provider: str) -> None:
        self.finish_reason: FinishReason | None = None
        self.refusal: str | None = None
        self.usage: Usage | None = None
        self.tier: str | None = None
        self.opaque: Mapping[str, Any] = {}
        self.extra: dict[str, Any] | None = None
        self._provider = provider
        self._texts: list[str] = []
        self._calls: list[_Call] = []

    def add_text(self, text: str) -> None:
        """The next words."""
        self._texts.append(text)

    def add_call(self, key: object, wire_id: str, name: str, arguments: str) -> ToolCallFragment:
        """The next piece of a tool call.

        Args:
            key: which of the parallel calls it belongs to, in the vendor's counting.
            wire_id: the call's id, where this piece has one.
            name: the tool's name, where this piece has one.
            arguments: the next characters of the arguments' JSON.
        """
        index = next((i for i in reversed(range(len(self._calls))) if self._calls[i].key == key), -1)
        # Some vendors count every one of the parallel calls as the first: then only its id tells it from the others.
        if index < 0 or (wire_id and self._calls[index].wire_id not in ("", wire_id)):
            call = _Call(key, wire_id or new_id(), wire_id, name, arguments)
            self._calls.append(call)
            return ToolCallFragment(len(self._calls) - 1, call.id, name, arguments)
        self._calls[index].arguments += arguments
        return ToolCallFragment(index, arguments=arguments)

    def completion(self, request_id: str | None) -> Completion:
        """The whole answer.

        Raises:
            BadAnswer: it is none: it broke off, it is empty, or it asks for a tool in a way that nobody can read.
            ContentRefused: the vendor's policy stopped it.
        """
        text = "".join(self._texts)
        if self.refusal is not None or self.finish_reason == "content_filter":
            raise self._refused(request_id)
        if self.finish_reason is None:
            raise self._none("it broke off before its end mark", request_id)
        if not text.strip() and not self._calls:
            raise self._empty(request_id)
        calls = tuple(ToolCall(call.id, call.name, self._arguments(call, request_id)) for call in self._calls)
        # Some vendors say `stop` although they ask for tools.
        reason = "tool_calls" if calls and self.finish_reason == "stop" else self.finish_reason
        message = Message("assistant", text, tool_calls=calls, opaque=self.opaque)
        return Completion(message, reason, self.usage, request_id, self.tier, self.extra)

    def _arguments(self, call: _Call, request_id: str | None) -> dict[str, object]:
        try:
            arguments = json.loads(call.arguments or "{}")
        except ValueError:
            arguments = None
        if not isinstance(arguments, dict):
            advice = "raise max_tokens" if self.finish_reason == "length" else ""
            raise self._none(f"the arguments of its call to {call.name!r} are not a JSON object", request_id, advice)
        return arguments

    def _empty(self, request_id: str | None) -> ProviderError:
        if self.finish_reason == "length":
            return self._none(
                "it is empty, because its tokens were used up before it began", request_id, "raise max_tokens"
            )
        return self._none("it is empty", request_id)

    def _none(self, reason: str, request_id: str | None, advice: str = "") -> ProviderError:
        return no_answer(self._provider, reason, request_id=request_id, advice=advice)

    def _refused(self, request_id: str | None) -> ProviderError:
        said = f" ({' '.join(self.refusal.split())[:200]})" if self.refusal else ""
        return ContentRefused(
            f"{self._provider} refused the content by its policy{said}; say it differently.",
            provider=self._provider,
            status=200,
            request_id=request_id,
        )

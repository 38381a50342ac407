"""What comes back over OpenAI's chat completions: an answer, whole or in chunks, its tokens, and embeddings."""

import json
from collections.abc import Mapping
from typing import Any

from toolkit.messages import Completion, Delta, Embeddings, FinishReason, Json, ToolCallFragment, Usage
from toolkit.providers.wire.assembly import Assembly
from toolkit.providers.wire.failures import no_answer

_FINISH: Mapping[str, FinishReason] = {
    **dict.fromkeys(("length", "max_tokens", "max_output_tokens", "model_length"), "length"),
    **dict.fromkeys(("tool_calls", "function_call", "tool_use"), "tool_calls"),
    **dict.fromkeys(
        ("content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii", "sensitive"),
        "content_filter",
    ),
}
"""Every other reason that a server may give means that the model had said all, but for these:"""

_BROKEN = frozenset(
    {"abort", "cancelled", "error", "insufficient_system_resource", "network_error"}
    | {"function_call_filter", "malformed_function_call", "unexpected_tool_call"}
)


class Answer:
    """Reads one answer: the chunks of a stream, or one whole body, which is a chunk with a `message` for a `delta`.

    Args:
        provider: the vendor's name in the toolkit.
        wire: the name under which the message keeps what its vendor wants back.
        of_message: which fields of a message with tool calls those are; their texts come in pieces.
        of_call: which fields of each call those are.
    """

    def __init__(
        self, provider: str, wire: str, *, of_message: tuple[str, ...] = (), of_call: tuple[str, ...] = ()
    ) -> None:
        self._answer = Assembly(provider)
        self._provider = provider
        self._wire = wire
        self._of_message = of_message
        self._of_call = of_call
        self._kept: dict[str, list[str]] = {}
        self._calls: list[Json] = []  # what is kept of each call, in their order

    @property
    def whole(self) -> bool:
        """Whether the answer's end mark has been read."""
        return self._answer.finish_reason is not None

    @property
    def usage(self) -> Usage | None:
        """The tokens that the vendor has counted so far, None if it has not."""
        return self._answer.usage

    def feed(self, data: Json, /) -> Delta | None:
        """The next chunk, or a whole body; what it adds, a piece without text where it adds only thoughts.

        Raises:
            BadAnswer: the vendor says that the answer is broken.
        """
        if tier := data.get("service_tier"):
            self._answer.tier = tier
        choice = (data.get("choices") or [{}])[0]
        # Groq and Moonshot count in places of their own.
        if usage := data.get("usage") or choice.get("usage") or (data.get("x_groq") or {}).get("usage"):
            self._answer.usage = usage_of(usage)
        if not choice:
            return None
        said = choice.get("delta") or choice.get("message") or {}
        if text := _text(said.get("content")):
            self._answer.add_text(text)
        if refusal := said.get("refusal"):
            self._answer.refusal = (self._answer.refusal or "") + refusal
        wanted = said.get("tool_calls")
        calls = tuple(self._call(number, call) for number, call in enumerate(wanted)) if wanted else ()
        thinks = self._thinks(said)
        extra = self._probabilities(choice.get("logprobs"))
        # A whole body needs no end mark, and some local servers give it none.
        if reason := choice.get("finish_reason") or ("stop" if "message" in choice else None):
            self._finish(str(reason))
        return Delta(text, calls, extra=extra) if text or calls or thinks else None

    def completion(self, request_id: str | None, /) -> Completion:
        """The whole answer. Raises BadAnswer or ContentRefused."""
        message = {name: "".join(texts) for name, texts in self._kept.items()}
        if self._calls and (message or any(self._calls)):
            kept = {"provider": self._provider, "message": message, "calls": self._calls}
            self._answer.opaque = {self._wire: kept}
        return self._answer.completion(request_id)

    def _call(self, number: int, call: Json) -> ToolCallFragment:
        function = call.get("function") or {}
        arguments = function.get("arguments") or ""
        fragment = self._answer.add_call(
            call.get("index", number),
            call.get("id") or "",
            function.get("name") or "",
            arguments if isinstance(arguments, str) else json.dumps(arguments),
        )
        if fragment.index == len(self._calls):
            self._calls.append({})
        self._calls[fragment.index].update({name: call[name] for name in self._of_call if name in call})
        return fragment

    def _probabilities(self, said: Json | None) -> Json | None:
        """How likely each token of this piece was, where that was asked for; noted of the whole answer, too."""
        if not said:
            return None
        if self._answer.extra is None:
            self._answer.extra = {"logprobs": {}}
        whole = self._answer.extra["logprobs"]
        for name, tokens in said.items():  # `content` and `refusal`, lists
            whole[name] = [*(whole.get(name) or []), *tokens] if isinstance(tokens, list) else whole.get(name)
        return {"logprobs": said}

    def _thinks(self, said: Json) -> bool:
        """Whether the model thinks aloud; what it thinks is kept if the vendor wants it back."""
        for name in self._of_message:
            if isinstance(thought := said.get(name), str):
                self._kept.setdefault(name, []).append(thought)
        content = said.get("content")
        return bool(said.get("reasoning_content") or said.get("reasoning") or (content and isinstance(content, list)))

    def _finish(self, reason: str) -> None:
        kind, _, _ = reason.lower().partition(":")  # Google says more behind a colon
        if kind in _BROKEN:
            raise no_answer(self._provider, f"it gave it up: {reason}")
        self._answer.finish_reason = _FINISH.get(kind, "stop")


def usage_of(usage: Json) -> Usage:
    """The tokens of an answer, or of embeddings.

    What only the total counts was thought: Google and xAI leave the thoughts out of the answer's tokens.
    """
    into: Mapping[str, Any] = usage.get("prompt_tokens_details") or {}
    out_of: Mapping[str, Any] = usage.get("completion_tokens_details") or {}
    asked, said = usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0
    uncounted = max(0, (usage.get("total_tokens") or 0) - asked - said)
    # DeepSeek and Moonshot count what was cached in places of their own.
    cached = into.get("cached_tokens") or usage.get("prompt_cache_hit_tokens") or usage.get("cached_tokens")
    return Usage(
        input_tokens=asked,
        output_tokens=said + uncounted,
        cached_tokens=cached or 0,
        cache_write_tokens=into.get("cache_write_tokens") or 0,
        reasoning_tokens=max(out_of.get("reasoning_tokens") or 0, uncounted),
        input_image_tokens=into.get("image_tokens") or 0,
        input_audio_tokens=into.get("audio_tokens") or 0,
        output_audio_tokens=out_of.get("audio_tokens") or 0,
    )


def embeddings(data: Json) -> Embeddings:
    """The vectors of a whole body, in the order of their texts; Google leaves out an index that is 0."""
    vectors = [item["embedding"] for item in sorted(data["data"], key=lambda item: item.get("index", 0))]
    return Embeddings(vectors, usage_of(data["usage"]) if data.get("usage") else None)


def _text(content: str | list[Json] | None) -> str:
    """The text in an answer's content, which some vendors give in parts, thoughts among them."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part.get("type") == "text")
    return content or ""

"""The toolkit's words for a conversation with a model, the same for every vendor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from toolkit.attempts import Attempt, Json, Usage, cost_of
from toolkit.display import said
from toolkit.display.shown import Shown

__all__ = [
    "BEFORE_QUESTION",
    "NOT_APPROVED",
    "NOT_IN_SOURCES",
    "Attempt",
    "CalledTool",
    "Caller",
    "ChatRequest",
    "Completion",
    "Delta",
    "Embeddings",
    "FinishReason",
    "Image",
    "Json",
    "Message",
    "OutputSchema",
    "Reply",
    "Role",
    "Source",
    "ToolCall",
    "ToolCallFragment",
    "ToolSpec",
    "Usage",
    "cost_of",
    "question_of",
]

Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]

BEFORE_QUESTION = "\n\nQuestion: "
"""Stands in a user's message between the passages to answer from and the question itself, which ends the message."""

NOT_IN_SOURCES = "The documents do not say."
"""The answer, word for word, to a question that the passages do not answer."""

NOT_APPROVED = "Error: the user did not approve this call. Do not try it again; go on without it or ask."
"""The result, word for word, of a tool call that a person refused. Results that begin with `Error:` are failures."""


@dataclass(frozen=True, slots=True, repr=False)
class Image(Shown):
    """A picture in a message.

    Attributes:
        url: an `https:` address, or a `data:` URL that carries the bytes in base64.
    """

    url: str


@dataclass(frozen=True, slots=True, repr=False)
class ToolCall(Shown):
    """A model's wish that a tool be called; `id` ties the result to it."""

    id: str
    name: str
    arguments: Json

    _shown = said.tool_call


@dataclass(frozen=True, slots=True, repr=False)
class Message(Shown):
    """One thing that was said.

    Attributes:
        role: who said it; `tool` is the result of the call `tool_call_id`.
        text: what was said; may be empty where there are `tool_calls`.
        images: pictures beside the text, in order.
        tool_calls: what an assistant wants done before it goes on.
        tool_call_id: the call that a `tool` message answers.
        opaque: what a vendor wants back word for word with this message, e.g. its signed thoughts before a tool call,
            by the wire that it was said on (`"messages"`, `"responses"`). Nobody else reads it.
        pinned: it is kept before the model however long the conversation grows.
        stopped: the answer was stopped before its end; a model is told what there is of it, and not that it is less.
    """

    role: Role
    text: str = ""
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    opaque: Mapping[str, Any] = field(default_factory=dict)
    pinned: bool = False
    stopped: bool = False

    _shown = said.message

    def to_json(self) -> Json:
        """The message as JSON, without what is empty."""
        out: Json = {"role": self.role, "text": self.text}
        if self.images:
            out["images"] = [image.url for image in self.images]
        if self.tool_calls:
            out["tool_calls"] = [{"id": c.id, "name": c.name, "arguments": c.arguments} for c in self.tool_calls]
        if self.tool_call_id:
            out["tool_call_id"] = self.tool_call_id
        if self.opaque:
            out["opaque"] = dict(self.opaque)
        if self.pinned:
            out["pinned"] = True
        if self.stopped:
            out["stopped"] = True
        return out

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Message":
        """The message that `to_json` wrote."""
        return cls(
            role=value["role"],
            text=value.get("text", ""),
            images=tuple(Image(url) for url in value.get("images", ())),
            tool_calls=tuple(ToolCall(c["id"], c["name"], c["arguments"]) for c in value.get("tool_calls", ())),
            tool_call_id=value.get("tool_call_id"),
            opaque=value.get("opaque", {}),
            pinned=value.get("pinned", False),
            stopped=value.get("stopped", False),
        )


@dataclass(frozen=True, slots=True, repr=False)
class ToolSpec(Shown):
    """A tool as a model sees it: its name, what it does, and the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Json

    _shown = said.tool_spec


@dataclass(frozen=True, slots=True, repr=False)
class OutputSchema(Shown):
    """The form that an answer must have.

    Attributes:
        name: what the form is called: letters, digits, `_` and `-`, at most 64.
        schema: the JSON Schema of a JSON object, its `$defs` included.
    """

    name: str
    schema: Json


@dataclass(frozen=True, slots=True, repr=False)
class Source(Shown):
    """A passage that an answer may rest on.

    Attributes:
        id: the chunk's id.
        title: what a person would call it: the document's title or path, with the lines.
        text: the passage itself.
    """

    id: str
    title: str
    text: str

    _shown = said.source


@dataclass(frozen=True, slots=True, repr=False)
class ChatRequest(Shown):
    """What a model is asked, once.

    Attributes:
        messages: the conversation so far, oldest first; `system` messages may stand anywhere.
        tools: what the model may ask to have called.
        sources: the passages behind the last question, in the order in which they may be cited as [1], [2], …
            The messages carry their text already; a model that is not a language model reads them here.
        temperature: 0 to 2; None leaves it to the vendor. Ignored by models that take none.
        max_tokens: an upper bound on the answer's length; None leaves it to the vendor.
        stop: texts at which the answer ends.
        seed: for vendors that can repeat an answer.
        extra: what only one vendor has, passed into the body of its request as it is. What stands under `"@messages"`,
            `"@responses"` or `"@chat"` only those are told who are asked on that wire.
        tool_choice: `"required"`: it must ask for one of them; `"none"`: for none; a tool's name: for that one; None
            leaves it to it.
        output: the form that the text of the answer must have, as JSON; None is free text. Only a provider whose
            model is `"native"` in this is asked so.
    """

    messages: tuple[Message, ...]
    tools: tuple[ToolSpec, ...] = ()
    sources: tuple[Source, ...] = ()
    temperature: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    tool_choice: str | None = None
    output: OutputSchema | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Completion(Shown):
    """One whole answer of one vendor.

    Attributes:
        usage: None if the vendor did not say.
        request_id: the vendor's id of the request, None if it gave none.
        tier: the vendor's tier of service that it was served in, e.g. `"flex"`, which has a price of its own; None if
            the vendor did not say.
        extra: what only this vendor says of its answer, in its own words, e.g. `{"logprobs": …}`; None is nothing.
    """

    message: Message
    finish_reason: FinishReason = "stop"
    usage: Usage | None = None
    request_id: str | None = None
    tier: str | None = None
    extra: Json | None = None

    _shown = said.completion


@dataclass(frozen=True, slots=True, repr=False)
class Embeddings(Shown):
    """Vectors for texts.

    Attributes:
        vectors: one per text, in order.
        usage: None if the vendor did not say.
        request_id: the vendor's id of the last request, None if it gave none.
    """

    vectors: list[list[float]]
    usage: Usage | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Caller(Shown):
    """On whose behalf a model is asked; kept in the ledger.

    Attributes:
        user: the person.
        origin: the application.
        session_id: the conversation.
        authenticated: `user` is proven: somebody else's session is then as good as none.
    """

    user: str | None = None
    origin: str | None = None
    session_id: str | None = None
    authenticated: bool = False

    @property
    def owner(self) -> str | None:
        """Whose sessions alone may be seen; None is everyone's."""
        return self.user if self.authenticated else None


@dataclass(frozen=True, slots=True, repr=False)
class Reply(Shown):
    """An answer, and how it came about.

    Attributes:
        message: what the model said last.
        model: the name of the model that answered.
        attempts: every model asked, in order; the last one answered.
        call_id: the id under which the ledger keeps the attempts.
        session_id: the session that the turn was stored in, None without one.
        parsed: the answer as an instance of `response_model`, None without one.
        cached: whether it came from the response cache.
        milliseconds: from the question to the end of the answer.
        trimmed: how many of the conversation's oldest messages the model was not told, because its window is too small.
        extra: what only the vendor says of its answer, in its own words, e.g. `{"logprobs": …}`; None is nothing.
    """

    message: Message
    model: str
    attempts: tuple[Attempt, ...]
    call_id: str
    finish_reason: FinishReason = "stop"
    session_id: str | None = None
    parsed: Any = None
    cached: bool = False
    milliseconds: float = 0.0
    trimmed: int = 0
    extra: Json | None = None

    _shown, _row = said.reply, said.reply_row

    @property
    def text(self) -> str:
        """What the model said, as text."""
        return self.message.text

    @property
    def usage(self) -> Usage:
        """The tokens of all attempts together."""
        return sum((a.usage for a in self.attempts if a.usage), Usage())

    @property
    def cost_usd(self) -> float | None:
        """What all attempts cost together, in US dollars; None if the price of any that used tokens is unknown.

        What nobody counted is not in it: see `Attempt.uncounted`.
        """
        return cost_of(self.attempts)

    def to_json(self) -> Json:
        """The answer as JSON, without `parsed`, which only Python knows."""
        return {
            "message": self.message.to_json(),
            "model": self.model,
            "attempts": [attempt.to_json() for attempt in self.attempts],
            "call_id": self.call_id,
            "finish_reason": self.finish_reason,
            "session_id": self.session_id,
            "cached": self.cached,
            "milliseconds": self.milliseconds,
            "trimmed": self.trimmed,
            **({"extra": self.extra} if self.extra else {}),
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Reply":
        """The answer that `to_json` wrote."""
        attempts = tuple(map(Attempt.from_json, value["attempts"]))
        return cls(**{**value, "message": Message.from_json(value["message"]), "attempts": attempts})


@dataclass(frozen=True, slots=True, repr=False)
class ToolCallFragment(Shown):
    """A piece of a tool call as it arrives in a stream.

    Attributes:
        index: which of the parallel calls it belongs to, from 0.
        id: on the first piece of a call, else empty.
        name: on the first piece of a call, else empty.
        arguments: the next characters of the arguments' JSON.
    """

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class CalledTool(Shown):
    """A tool that was called for a model, and what came of it.

    Attributes:
        call: what the model wanted.
        result: what the model is told of it.
        error: it failed, or was not run.
        refused: it was not run, because who was asked did not approve.
        milliseconds: from the call to its result, without the time that a person took to approve it.
    """

    call: ToolCall
    result: str
    error: bool = False
    refused: bool = False
    milliseconds: float = 0.0

    _shown = said.called_tool


@dataclass(frozen=True, slots=True, repr=False)
class Delta(Shown):
    """The next piece of a streamed answer.

    Attributes:
        text: what to add to the text so far; may be empty.
        tool_calls: pieces of tool calls. They are run only when the answer is whole.
        restarted: the answer begins again with this piece; what was shown before is void.
        partial: where a form was asked for, the JSON so far, as Python's objects; None otherwise.
        completion: on a provider's last piece, the whole answer.
        reply: on the last piece that a caller of `Toolkit.stream` sees, the whole reply.
        attempts: on the first piece of each model that speaks: who was asked until then, in order, and last itself; of
            a cached answer, who has once given it.
        called: on a piece after tools were called, all calls of that round, in the order in which the model asked; the
            next model speaks after it.
        extra: what only the vendor says of this piece, in its own words, e.g. `{"logprobs": …}`; None is nothing.
    """

    text: str = ""
    tool_calls: tuple[ToolCallFragment, ...] = ()
    restarted: bool = False
    partial: Any = None
    completion: Completion | None = None
    reply: Reply | None = None
    attempts: tuple[Attempt, ...] = ()
    called: tuple[CalledTool, ...] = ()
    extra: Json | None = None

    _shown = said.delta


def question_of(messages: Sequence[Message]) -> str:
    """What the last message of a user asks, without the passages that stand before it; empty without such a message."""
    last = next((m.text for m in reversed(messages) if m.role == "user"), "")
    return last.rpartition(BEFORE_QUESTION)[2].strip()

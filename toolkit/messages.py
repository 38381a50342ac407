"""The toolkit's words for a conversation with a model, the same for every vendor."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, fields
from typing import Any, Literal, TypeAlias

Json: TypeAlias = dict[str, Any]
Role: TypeAlias = Literal["system", "user", "assistant", "tool"]
FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]

BEFORE_QUESTION = "\n\nQuestion: "
"""Stands in a user's message between the passages to answer from and the question itself, which ends the message."""

NOT_IN_SOURCES = "The documents do not say."
"""The answer, word for word, to a question that the passages do not answer."""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture in a message.

    Attributes:
        url: an `https:` address, or a `data:` URL that carries the bytes in base64.
    """

    url: str


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A model's wish that a tool be called; `id` ties the result to it."""

    id: str
    name: str
    arguments: Json


@dataclass(frozen=True, slots=True)
class Message:
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
    """

    role: Role
    text: str = ""
    images: tuple[Image, ...] = ()
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: str | None = None
    opaque: Mapping[str, Any] = field(default_factory=dict)
    pinned: bool = False

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
        )


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as a model sees it: its name, what it does, and the JSON Schema of its arguments."""

    name: str
    description: str
    parameters: Json


@dataclass(frozen=True, slots=True)
class OutputSchema:
    """The form that an answer must have.

    Attributes:
        name: what the form is called: letters, digits, `_` and `-`, at most 64.
        schema: the JSON Schema of a JSON object, its `$defs` included.
    """

    name: str
    schema: Json


@dataclass(frozen=True, slots=True)
class Source:
    """A passage that an answer may rest on.

    Attributes:
        id: the chunk's id.
        title: what a person would call it: the document's title or path, with the lines.
        text: the passage itself.
    """

    id: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class ChatRequest:
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


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens, counted by the vendor.

    Attributes:
        input_tokens: all that went in, cached ones included.
        output_tokens: all that came out, reasoning included.
        cached_tokens: the part of `input_tokens` read from the vendor's cache.
        cache_write_tokens: the part of `input_tokens` written to it.
        reasoning_tokens: the part of `output_tokens` that was thought and not said.
        cache_write_1h_tokens: the part of `cache_write_tokens` that is kept for an hour, which costs more.
        input_image_tokens: the part of `input_tokens` that was pictures, where the vendor counts them apart.
        input_audio_tokens: the part of `input_tokens` that was sound, where the vendor counts it apart.
        output_audio_tokens: the part of `output_tokens` that was sound.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_1h_tokens: int = 0
    input_image_tokens: int = 0
    input_audio_tokens: int = 0
    output_audio_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """In and out together."""
        return self.input_tokens + self.output_tokens

    def to_json(self) -> Json:
        """The counts as JSON, without those that are 0."""
        return {name: count for name, count in asdict(self).items() if count}

    @classmethod
    def from_json(cls, value: Mapping[str, int]) -> "Usage":
        """The counts that `to_json` wrote."""
        return cls(**value)

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True, slots=True)
class Completion:
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


@dataclass(frozen=True, slots=True)
class Embeddings:
    """Vectors for texts.

    Attributes:
        vectors: one per text, in order.
        usage: None if the vendor did not say.
        request_id: the vendor's id of the last request, None if it gave none.
    """

    vectors: list[list[float]]
    usage: Usage | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class Caller:
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


@dataclass(frozen=True, slots=True)
class Attempt:
    """One model asked once, whether it answered or not.

    Attributes:
        name: the model's name in the table, or `provider/model` where it has no row.
        provider: the vendor.
        model: the vendor's name of the model.
        error: the class of the error, e.g. `"RateLimited"`; `"Cancelled"` if the caller went away or another model
            was faster; `"Resting"` if it was passed over, because it failed again and again; None if it answered.
        message: the error in one sentence, without secrets; None if it answered.
        status: the HTTP status, None where there was none.
        request_id: the vendor's id of the request.
        milliseconds: from the question to the answer or the error.
        usage: tokens, None if the vendor did not say.
        cost_nano_usd: in billionths of a US dollar; None where the price is unknown, never 0 for that.
        key: which key of a pool was used, e.g. `"OPENAI_API_KEYS[2]"`: the variable and the place, never the key;
            None where there is only one.
        uncounted: it may have cost something that nobody counted: it was left, or broke off, in the middle. Its `usage`
            and cost are what the vendor had counted until then.
    """

    name: str
    provider: str
    model: str
    error: str | None = None
    message: str | None = None
    status: int | None = None
    request_id: str | None = None
    milliseconds: float = 0.0
    usage: Usage | None = None
    cost_nano_usd: int | None = None
    key: str | None = None
    uncounted: bool = False

    @property
    def ok(self) -> bool:
        """Whether the model answered."""
        return self.error is None

    def to_json(self) -> Json:
        """The attempt as JSON, without what is not known of it."""
        told = {item.name: getattr(self, item.name) for item in fields(self)}
        out = {name: value for name, value in told.items() if value is not None and value is not False}
        return {**out, "usage": self.usage.to_json()} if self.usage else out

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Attempt":
        """The attempt that `to_json` wrote."""
        usage = value.get("usage")
        return cls(**{**value, "usage": None if usage is None else Usage.from_json(usage)})


@dataclass(frozen=True, slots=True)
class Reply:
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


@dataclass(frozen=True, slots=True)
class ToolCallFragment:
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


@dataclass(frozen=True, slots=True)
class Delta:
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
        extra: what only the vendor says of this piece, in its own words, e.g. `{"logprobs": …}`; None is nothing.
    """

    text: str = ""
    tool_calls: tuple[ToolCallFragment, ...] = ()
    restarted: bool = False
    partial: Any = None
    completion: Completion | None = None
    reply: Reply | None = None
    attempts: tuple[Attempt, ...] = ()
    extra: Json | None = None


def question_of(messages: Sequence[Message]) -> str:
    """What the last message of a user asks, without the passages that stand before it; empty without such a message."""
    last = next((m.text for m in reversed(messages) if m.role == "user"), "")
    return last.rpartition(BEFORE_QUESTION)[2].strip()


def cost_of(attempts: Sequence[Attempt]) -> float | None:
    """US dollars of all `attempts` together; None if one of them answered, or used tokens, at an unknown price."""
    paid = [a for a in attempts if a.ok or (a.usage and a.usage.total_tokens)]
    if any(a.cost_nano_usd is None for a in paid):
        return None
    return sum(a.cost_nano_usd or 0 for a in paid) / 1e9

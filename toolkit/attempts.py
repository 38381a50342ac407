"""Who was asked, how many tokens it took, and what it cost."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from typing import Any, TypeAlias

from toolkit.display import said
from toolkit.display.shown import Shown

Json: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, repr=False)
class Usage(Shown):
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

    _shown = said.usage

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


@dataclass(frozen=True, slots=True, repr=False)
class Attempt(Shown):
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

    _shown = said.attempt

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


def cost_of(attempts: Sequence[Attempt]) -> float | None:
    """US dollars of all `attempts` together; None if one of them answered, or used tokens, at an unknown price."""
    paid = [a for a in attempts if a.ok or (a.usage and a.usage.total_tokens)]
    if any(a.cost_nano_usd is None for a in paid):
        return None
    return sum(a.cost_nano_usd or 0 for a in paid) / 1e9

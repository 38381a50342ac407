"""An answer as it is kept: the text of a row, and back."""

import json
import re
from dataclasses import asdict, dataclass
from itertools import accumulate
from typing import Any

from toolkit.messages import FinishReason, Message, Usage

_FORM = 1  # of the text; a row of another form is not read
_HALF = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"\s*\S{1,40}\s*|\s+")
_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Cached:
    """An answer that may be given again.

    Attributes:
        message: what the model said.
        model: the name of the model that answered.
        provider: its vendor.
        vendor_model: the vendor's name of the model.
        finish_reason: why it ended.
        usage: the tokens that it took then; None if the vendor did not say.
        cost_nano_usd: what it cost then, in billionths of a US dollar; None where the price is unknown.
        pieces: how many characters each piece of the stream had, in order; empty if it was not streamed.
    """

    message: Message
    model: str
    provider: str
    vendor_model: str
    finish_reason: FinishReason = "stop"
    usage: Usage | None = None
    cost_nano_usd: int | None = None
    pieces: tuple[int, ...] = ()

    def chunks(self) -> list[str]:
        """The text in the pieces in which it was streamed, else word by word; together they are the text."""
        text = self.message.text
        if sum(self.pieces) != len(text) or any(length < 0 for length in self.pieces):
            return _WORD.findall(text)
        ends = list(accumulate(self.pieces))
        return [text[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


def as_body(cached: Cached) -> str:
    """`cached` as text that any database keeps: what it has no room for is escaped.

    Raises:
        TypeError: the message holds what has no form in JSON.
        ValueError: the same.
    """
    text = _encode(
        {
            "form": _FORM,
            "message": cached.message.to_json(),
            "model": cached.model,
            "provider": cached.provider,
            "vendor_model": cached.vendor_model,
            "finish_reason": cached.finish_reason,
            "usage": asdict(cached.usage) if cached.usage else None,
            "cost_nano_usd": cached.cost_nano_usd,
            "pieces": cached.pieces,
        }
    )
    return text if text.isascii() else _HALF.sub(lambda half: f"\\u{ord(half[0]):04x}", text)


def from_body(body: str) -> Cached | None:
    """The answer that `as_body` wrote; None if it is damaged or of another version's form."""
    try:
        kept: Any = json.loads(body)
        if kept["form"] != _FORM:
            return None
        return Cached(
            message=Message.from_json(kept["message"]),
            model=kept["model"],
            provider=kept["provider"],
            vendor_model=kept["vendor_model"],
            finish_reason=kept["finish_reason"],
            usage=Usage(**kept["usage"]) if kept["usage"] else None,
            cost_nano_usd=kept["cost_nano_usd"],
            pieces=tuple(kept["pieces"]),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None

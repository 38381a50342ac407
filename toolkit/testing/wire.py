"""What the two vendors' wires have in common, as a server speaks them."""

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any, Protocol

from toolkit.messages import Completion, Json, Usage
from toolkit.testing.faults import Fault

DIMENSIONS = 16


@dataclass(frozen=True, slots=True)
class Script:
    """A streamed answer as the events that it is made of.

    Attributes:
        opening: before the first piece of text.
        pieces: the text and the tool calls, a word or a few characters each.
        ending: the end mark, and what stands around it.
        content_type: what the events are: server-sent ones, or another vendor's own.
    """

    opening: tuple[bytes, ...]
    pieces: tuple[bytes, ...]
    ending: tuple[bytes, ...]
    content_type: str = "text/event-stream"


class Wire(Protocol):
    """One vendor's words; each vendor's module is one."""

    def complaint(self, body: Json) -> str | None:
        """Why the vendor would refuse the request `body`; None if it would not."""
        ...

    def question(self, body: Json) -> str:
        """The text that was said last."""
        ...

    def said(self, body: Json) -> str:
        """All text of the conversation."""
        ...

    def whole(self, answer: Completion, body: Json, request_id: str) -> Json:
        """The answer as one JSON body."""
        ...

    def script(self, answer: Completion, body: Json, request_id: str) -> Script:
        """The answer as a stream of events."""
        ...

    def error(self, fault: Fault, request_id: str) -> Json:
        """The vendor's error object."""
        ...

    def error_event(self, error: Json) -> bytes:
        """The vendor's error object as an event of a stream."""
        ...

    def headers(self, request_id: str) -> dict[str, str]:
        """What the vendor sends with every answer."""
        ...


def event(data: Json | str, name: str | None = None) -> bytes:
    """A server-sent event."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    return f"{f'event: {name}' + chr(10) if name else ''}data: {text}\n\n".encode()


def words(text: str) -> list[str]:
    """`text` cut before each word; together they are the text again."""
    return re.findall(r"\s*\S+\s*$|\s*\S+|\s+", text)


def slices(text: str, length: int = 8) -> list[str]:
    """`text` cut into pieces of `length` characters."""
    return [text[start : start + length] for start in range(0, len(text), length)]


def usage_of(answer: Completion, said: str) -> Usage:
    """The answer's own usage, else one token per word."""
    return answer.usage or Usage(len(said.split()), len(answer.message.text.split()) + len(answer.message.tool_calls))


def vector(text: str) -> list[float]:
    """A vector of length 1 that depends on nothing but the words in `text`: texts that share words are near."""
    counts = [0.0] * DIMENSIONS
    for word in re.findall(r"\w+", text.lower()):
        counts[zlib.crc32(word.encode()) % DIMENSIONS] += 1.0
    length = sum(count * count for count in counts) ** 0.5
    return [count / length for count in counts] if length else [1.0] + [0.0] * (DIMENSIONS - 1)


def texts_in(content: Any) -> str:
    """The text of a message's content, which is a text or a list of parts."""
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else []
    return "\n".join(part.get("text") or texts_in(part.get("content")) for part in parts)

"""JSON in a model's words: found where other words stand around it, and read before it is whole."""

import json
import re
from typing import Any, Final

from pydantic_core import from_json

_START = re.compile(r'(?:\A|```[\w-]*)\s*(?=[\[{])|(?=\{\s*["}])')
"""Where JSON begins: with the text, with a code fence, or with a brace that no prose would have."""

_THOUGHTS, _END_OF_THOUGHTS = "<think>", "</think>"  # local models think aloud, often in JSON

_OUTSIDE = re.compile(r'["{}\[\]]')
_INSIDE = re.compile(r'["\\]')
_OVERLAP: Final = 64
"""Characters searched again when more of the text has come: the longest beginning that may be cut in two."""

_FRESH: Final = 256
"""How fresh partial JSON is: read again when it has grown by this part of its length. A text is then read at most so
many times over, however long it is, and one below 1,000 characters with almost every piece."""


class JsonText:
    """A filter that lets JSON through, an object or an array, and nothing of what stands around it.

    Attributes:
        held: what was said before the JSON begins, as long as it has not begun.
        begun: whether the JSON has begun.
        ended: whether it is whole.
    """

    def __init__(self) -> None:
        self.held = ""
        self.begun = False
        self.ended = False
        self._searched = 0
        self._depth = 0
        self._in_string = False
        self._escaped = False

    def feed(self, text: str) -> str:
        """What of the next `text` is JSON; empty if nothing is."""
        if self.ended:
            return ""
        if not self.begun:
            self.held += text
            start = self._start()
            if start is None:
                return ""
            text, self.held, self.begun = self.held[start:], "", True
        return text[: self._end(text)]

    def _start(self) -> int | None:
        if self.held.lstrip().startswith(_THOUGHTS):
            _, closed, rest = self.held.partition(_END_OF_THOUGHTS)
            if not closed:
                return None
            self.held = rest
        found = _START.search(self.held, self._searched)
        self._searched = max(0, len(self.held) - _OVERLAP)
        return found.end() if found else None

    def _end(self, text: str) -> int:
        position = 0
        while position < len(text):
            if self._escaped:
                position, self._escaped = position + 1, False
                continue
            found = (_INSIDE if self._in_string else _OUTSIDE).search(text, position)
            if found is None:
                break
            position = found.end()
            match found.group():
                case "\\":
                    self._escaped = True
                case '"':
                    self._in_string = not self._in_string
                case "{" | "[":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    if self._depth == 0:
                        self.ended = True
                        return position
        return len(text)


def json_in(text: str) -> str:
    """The JSON in `text`, without a code fence, words or thoughts around it; `text` itself if there is none.

    JSON that does not end is given as far as it goes: what is wrong with it is for the reader to say.
    """
    rest = text.lstrip()
    if rest.startswith(_THOUGHTS):
        rest = rest.partition(_END_OF_THOUGHTS)[2]
    rest = rest.strip()
    if _is_json(rest):
        return rest
    first = ""
    while rest:
        found = JsonText()
        candidate = found.feed(rest)
        if found.ended and _is_json(candidate):
            return candidate
        first = first or candidate
        if not found.ended:
            break
        rest = rest[rest.index(candidate) + len(candidate) :]
    return first or text


class PartialJson:
    """JSON that is still coming, as the Python objects that it is so far."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self._read = 0
        self._value: Any = None

    def add(self, text: str) -> Any:
        """What the JSON is with `text` added, or was a moment ago if it is long; None before it begins.

        A text in it that is not closed is given as far as it has come, anything else only when it is whole.
        """
        self._parts.append(text)
        self._length += len(text)
        return self.whole() if self._length - self._read >= self._length // _FRESH else self._value

    def whole(self) -> Any:
        """What all of it is, up to the last character."""
        if self._read < self._length:
            self._read = self._length
            self._parts = ["".join(self._parts)]
            try:
                self._value = from_json(self._parts[0], allow_partial="trailing-strings")
            except ValueError:  # words, or the beginning of a word
                self._value = None
        return self._value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True

"""JSON as editors keep it, with comments and trailing commas: one value put in, every other byte left as it was."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_GAP = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_REST_OF_LINE = re.compile(r"[ \t]*(?://[^\n]*|/\*[^\n]*?\*/[ \t]*)?(?=\n)")
_SCALAR = re.compile(r"[^\s,:\[\]{}\"/]+")
_DECODER = json.JSONDecoder()
_INDENTED = re.compile(r"^([ \t]+)\S", re.MULTILINE)


@dataclass(slots=True)
class _Node:
    """A value and where it stands.

    Attributes:
        start: of its first character.
        end: behind its last one.
        value: what it says.
        members: of an object; None of anything else.
        last: the end of an object's last member.
        comma: the place of the comma behind that; None without one.
        first_key: where the first member begins.
    """

    start: int
    end: int = 0
    value: Any = None
    members: dict[str, "_Node"] | None = None
    last: int = 0
    comma: int | None = None
    first_key: int = 0
    items: list[Any] = field(default_factory=list)


def load(text: str) -> Any:
    """What `text` says; None where it says nothing.

    Raises:
        ValueError: it cannot be read; the message has line and column.
    """
    reader = _Reader(text)
    return None if reader.is_empty() else reader.whole().value


def put(text: str, path: Sequence[str], value: Any) -> str:
    """`text` with `value` at `path`; objects on the way that are missing are made.

    Args:
        text: an object, or nothing.
        path: keys from the outermost object on.
        value: what JSON can say.

    Raises:
        ValueError: `text` cannot be read, or something on the way is no object.
    """
    if _Reader(text).is_empty():
        text += "{}\n"
    node = _Reader(text).whole()
    unit = _unit(text)
    for number, key in enumerate(path):
        if node.members is None:
            raise ValueError(f"line {_line(text, node.start)}: an object is expected, with {key!r} in it")
        if key not in node.members:
            for inner in reversed(path[number + 1 :]):
                value = {inner: value}
            return _insert(text, node, key, value, unit)
        node = node.members[key]
    return text[: node.start] + _written(value, unit, _indent(text, node.start)) + text[node.end :]


def _insert(text: str, node: _Node, key: str, value: Any, unit: str) -> str:
    outer = _indent(text, node.start)
    alone_on_line = bool(node.members) and not text[text.rfind("\n", 0, node.first_key) + 1 : node.first_key].strip()
    indent = _indent(text, node.first_key) if alone_on_line else outer + unit
    member = f"\n{indent}{json.dumps(key, ensure_ascii=False)}: {_written(value, unit, indent)}"
    if not node.members:
        inside = text[node.start + 1 : node.end - 1].rstrip()
        return f"{text[: node.start + 1]}{inside}{member}\n{outer}{text[node.end - 1 :]}"
    behind = node.last if node.comma is None else node.comma + 1
    rest = _REST_OF_LINE.match(text, behind)  # a remark behind the last member stays behind it
    place = rest.end() if rest else behind
    comma, ours = (",", "") if node.comma is None else ("", ",")
    closing, after = ("", text[place:]) if rest else (f"\n{outer}", text[place:].lstrip(" "))
    return f"{text[: node.last]}{comma}{text[node.last : place]}{member}{ours}{closing}{after}"


def _written(value: Any, unit: str, indent: str) -> str:
    return json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", f"\n{indent}")


def _unit(text: str) -> str:
    found = _INDENTED.search(text)
    return found[1] if found else "  "


def _indent(text: str, place: int) -> str:
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip())]


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


class _Reader:
    """Reads `text` once, from its beginning."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def is_empty(self) -> bool:
        return self._skip() == len(self._text)

    def whole(self) -> _Node:
        self._skip()
        node = self._value()
        if self._skip() != len(self._text):
            raise self._wrong("nothing more is expected")
        return node

    def _value(self) -> _Node:
        node = _Node(self._at)
        match self._text[self._at : self._at + 1]:
            case "{":
                self._object(node)
            case "[":
                self._array(node)
            case '"':
                node.value = self._string()
            case _:
                node.value = self._scalar()
        node.end = self._at
        return node

    def _object(self, node: _Node) -> None:
        node.members = self._members(node)
        node.value = {key: member.value for key, member in node.members.items()}

    def _members(self, node: _Node) -> dict[str, _Node]:
        members: dict[str, _Node] = {}
        while not self._closed("}", node, first=not members):
            if self._text[self._at : self._at + 1] != '"':
                raise self._wrong("a key in double quotes is expected")
            if not members:
                node.first_key = self._at
            key = self._string()
            self._skip()
            self._take(":")
            self._skip()
            members[key] = self._value()
            node.last = self._at
        return members

    def _array(self, node: _Node) -> None:
        while not self._closed("]", node, first=not node.items):
            node.items.append(self._value().value)
        node.value = node.items

    def _closed(self, end: str, node: _Node, *, first: bool) -> bool:
        if first:
            self._at += 1
        elif self._skip() < len(self._text) and self._text[self._at] == ",":
            node.comma = self._at
            self._at += 1
        elif self._text[self._at : self._at + 1] != end:
            raise self._wrong(f"a comma or {end} is expected")
        else:
            node.comma = None
        self._skip()
        if self._text[self._at : self._at + 1] != end:
            return False
        self._at += 1
        return True

    def _string(self) -> str:
        try:
            value, self._at = _DECODER.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            raise self._wrong(error.msg.lower()) from error
        return str(value)

    def _scalar(self) -> Any:
        found = _SCALAR.match(self._text, self._at)
        try:
            value = json.loads(found[0]) if found else None
        except ValueError:
            found = None
        if not found:
            raise self._wrong("a value is expected")
        self._at = found.end()
        return value

    def _skip(self) -> int:
        found = _GAP.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _take(self, character: str) -> None:
        if self._text[self._at : self._at + 1] != character:
            raise self._wrong(f"{character} is expected")
        self._at += 1

    def _wrong(self, what: str) -> ValueError:
        column = self._at - self._text.rfind("\n", 0, self._at)
        return ValueError(f"line {_line(self._text, self._at)}, column {column}: {what}")

"""JSON and JSON Lines: every value with the names that lead to it."""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from toolkit.search.reading.content import MOST_TEXT, Content, Unreadable
from toolkit.search.reading.decoding import Decoded, clean
from toolkit.search.reading.lines import Places
from toolkit.search.reading.records import WIDE, Records

WHOLE = 1_000
"""Characters of JSON up to which a value is one record; a larger one is taken apart."""

_MOST_RECORD = 4_000  # of one that has a name, with a line for each of its values
_DEEPEST = 8  # values within values that are taken apart; each level is read once more
_MOST_ITEMS = 40  # short values of a list that stand on one line
_SPACE = re.compile(r"[ \t\n\r,:]*")
_NAMING = ("title", "name", "id", "_id", "key", "url")
_MOST_NAME = 80
_TOO_DEEP = "JSON nested too deep"


def read_json(decoded: Decoded) -> Content | None:
    """The records of a JSON text: `name: Ada | born.year: 1815`; None where it is no JSON.

    Raises:
        Unreadable: it is nested so deep that nobody wrote it.
    """
    return _read(decoded, [(0, len(decoded.text))], is_list=False)


def read_json_lines(decoded: Decoded) -> Content | None:
    """The records of a text that has one JSON value on each line; None where one line is none."""
    spans, at = [], 0
    for line in decoded.text.split("\n"):
        if line.strip():
            spans.append((at, at + len(line)))
        at += len(line) + 1
    return _read(decoded, spans, is_list=True)


def _read(decoded: Decoded, spans: list[tuple[int, int]], *, is_list: bool) -> Content | None:
    reader = _Reader(decoded)
    for number, (start, end) in enumerate(spans, 1):
        text = decoded.text[start:end]
        try:
            value = json.loads(text)
        except RecursionError:
            raise Unreadable(_TOO_DEEP) from None
        except ValueError:
            return None
        if is_list:
            reader.records.at(number)
        begins, ends = start + len(text) - len(text.lstrip()), start + len(text.rstrip())
        try:
            reader.take(_Found("", value, begins, begins, ends), (), is_record=is_list and isinstance(value, dict))
        except RecursionError:
            raise Unreadable(_TOO_DEEP) from None
    return reader.records.content()


class _Found(NamedTuple):
    """A value with its name, if it has one; it stands from `start` to `end`, and behind its name from `begins` on.

    One that `is_whole` is not taken apart.
    """

    name: str
    value: Any
    start: int
    begins: int
    end: int
    is_whole: bool = False


class _Reader:
    """Takes values apart until each is small enough to be a record."""

    def __init__(self, decoded: Decoded) -> None:
        self.records = Records(has_bytes=True)
        self._text = decoded.text
        self._places = Places(decoded)
        self._decoder = json.JSONDecoder()

    def take(self, found: "_Found", path: tuple[str, ...], *, is_record: bool) -> None:
        """A value that stands under `path`; a record has a name of its own."""
        name, value, start, begins, end, is_whole = found
        depth = len(path)
        own = _called(value) if is_record and end - start > WHOLE else ""
        is_whole |= end - start <= (_MOST_RECORD if own else WHOLE) or depth >= _DEEPEST
        if is_whole or not isinstance(value, dict | list):
            self.records.under((*path, own))
            self.records.add(_lines(name, value), self._places.span(start, end))
            return
        inside = (*path, own or name)
        members = self._members(value, begins)
        for member in self._joined(members) if isinstance(value, list) else members:
            self.take(member, inside, is_record=not member.name and isinstance(member.value, dict))
        self.records.gap()

    def _joined(self, members: Iterator["_Found"]) -> Iterator["_Found"]:
        """Members of a list: plain values that follow one another are given together, as a list of them."""
        plain: list[_Found] = []
        for member in members:
            if plain and (isinstance(member.value, dict | list) or member.end - plain[0].start > WIDE / 2):
                yield _together(plain)
                plain = []
            if isinstance(member.value, dict | list):
                yield member
            else:
                plain.append(member)
        if plain:
            yield _together(plain)

    def _members(self, value: Any, start: int) -> Iterator["_Found"]:
        at = self._skip(start + 1)
        while self._text[at] not in "]}":
            first, key = at, ""
            if isinstance(value, dict):
                key, at = self._decoder.raw_decode(self._text, at)
                at = self._skip(at)
            begins = at
            one, at = self._decoder.raw_decode(self._text, begins)
            yield _Found(key, one, first, begins, at)
            at = self._skip(at)

    def _skip(self, at: int) -> int:
        found = _SPACE.match(self._text, at)
        return found.end() if found else at


def _lines(name: str, value: Any) -> list[str]:
    """What is said within `value`, on a line each."""
    lines, size = [], 0
    for line in _flat(name, value):
        size += len(line)
        if size > MOST_TEXT:
            raise Unreadable(f"JSON of more than {MOST_TEXT // 1_000_000} million characters")
        lines.append(clean(line))
    return lines


def _together(found: list[_Found]) -> _Found:
    return _Found("", [each.value for each in found], found[0].start, found[0].begins, found[-1].end, is_whole=True)


def _called(value: Any) -> str:
    """What a record calls itself; empty if it does not."""
    said = (value.get(name) for name in _NAMING) if isinstance(value, dict) else ()
    return next((str(each)[:_MOST_NAME] for each in said if isinstance(each, str | int) and str(each).strip()), "")


def _flat(name: str, value: Any) -> Iterator[str]:
    """The values within `value`, each with the names that lead to it."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from _flat(f"{name}.{key}" if name else str(key), one)
    elif isinstance(value, list):
        if all(not isinstance(one, dict | list) for one in value) and (not name or len(value) <= _MOST_ITEMS):
            if value:
                yield _line(name, ", ".join(map(_word, value)))
            return
        for number, one in enumerate(value):
            yield from _flat(f"{name}[{number}]", one)
    elif value not in ("", None):
        yield _line(name, _word(value))


def _line(name: str, text: str) -> str:
    return f"{name}: {text}" if name else text


def _word(value: Any) -> str:
    return value.strip() if isinstance(value, str) else json.dumps(value)

"""The structure of a Markdown text: headings, fences and paragraphs."""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"[`*]|<[^>]+>|\{[#.][^}]*\}")
_TITLE = re.compile(r"title:[ \t]*(\S.*)")
_NOT_UNDERLINED = frozenset("-*+>|#=")
_FENCES = frozenset("`~>")
_MOST_HEADING = 120
_LONGEST_LINE = 1_000  # a longer line is no heading, and the pattern's time grows with the square of its length


class Part(NamedTuple):
    """Lines `start` to `end`, counted from 1, that belong together; `level` is 0 for all but headings."""

    start: int
    end: int
    level: int = 0
    title: str = ""


def parts(lines: Sequence[str], start: int = 1) -> Iterator[Part]:
    """Headings, fences and paragraphs from line `start` on; a fence is one part with the blank lines inside it."""
    number, total = start, len(lines)
    while number <= total:
        stripped = lines[number - 1].strip()
        if not stripped:
            number += 1
            continue
        end = _fence_end(lines, number) if stripped[0] in _FENCES else 0
        level, title = 0, ""
        if not end and (found := _heading(lines, number, stripped[0])):
            level, title, end = found
        end = end or _paragraph_end(lines, number)
        yield Part(number, end, level, title)
        number = end + 1


def after_front_matter(lines: Sequence[str]) -> int:
    """The first line after the YAML between two `---` at the top; 1 where there is none."""
    if lines[0].rstrip() != "---":
        return 1
    return next((n + 1 for n, line in enumerate(lines[1:], 2) if line.rstrip() in ("---", "...")), 1)


def title_of(lines: Sequence[str]) -> str:
    """The title that the front matter says, else the text's first heading; empty without either."""
    start = after_front_matter(lines)
    said = (_TITLE.match(line) for line in lines[1 : start - 1])
    told = next((found.group(1).strip().strip("\"'") for found in said if found), "")
    return told[:_MOST_HEADING] or next((part.title for part in parts(lines, start) if part.title), "")


def plain(title: str) -> str:
    """A heading without its markup, and not too long."""
    return _MARKUP.sub("", _LINK.sub(r"\1", title)).strip()[:_MOST_HEADING]


def _opens_fence(line: str) -> str:
    """The marks of the fence that a line opens; empty if it opens none."""
    found = _FENCE.match(line)
    return "" if not found or (found.group(1)[0] == "`" and "`" in found.group(2)) else found.group(1)


def _fence_end(lines: Sequence[str], number: int) -> int:
    """The last line of the fence that begins at `number`, 0 if none does. One left open ends with the text."""
    marks = _opens_fence(lines[number - 1])
    if not marks:
        return 0
    last = number
    for n in range(number + 1, len(lines) + 1):
        stripped = lines[n - 1].strip()
        if stripped:
            last = n
            if marks in stripped:
                closed = _FENCE.match(lines[n - 1])
                if closed and closed.group(1).startswith(marks) and not closed.group(2).strip():
                    break
    return last


def _heading(lines: Sequence[str], number: int, first: str) -> tuple[int, str, int] | None:
    """Level, text and last line of the heading that begins at `number` with the character `first`."""
    line = lines[number - 1]
    if first == "#" and (found := _marked(line)):
        return len(found.group(1)), plain(found.group(2) or ""), number
    if number < len(lines) and first not in _NOT_UNDERLINED:
        below = lines[number]
        if below.lstrip()[:1] in ("=", "-") and (under := _UNDERLINE.match(below)):
            return (1 if under.group(1)[0] == "=" else 2), plain(line.strip()), number + 1
    return None


def _marked(line: str) -> re.Match[str] | None:
    return _HEADING.match(line) if len(line) <= _LONGEST_LINE else None


def _paragraph_end(lines: Sequence[str], number: int) -> int:
    """The line before the next blank line, heading or fence."""
    total = len(lines)
    while number < total:
        stripped = lines[number].lstrip()
        if (
            not stripped
            or (stripped[0] == "#" and _marked(lines[number]))
            or (stripped[0] in _FENCES and _opens_fence(lines[number]))
        ):
            break
        number += 1
    return number

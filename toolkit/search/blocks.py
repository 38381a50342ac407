"""Where a text may be cut: its paragraphs, headings, fences and definitions."""

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_HEADING = re.compile(r" {0,3}(#{1,6})(?:[ \t]+(.*?))?(?:[ \t]+#+)?[ \t]*$")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r"[ \t>]*(`{3,}|~{3,})(.*)$")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"[`*]|<[^>]+>|\{[#.][^}]*\}")
_ESCAPE = re.compile(r"\\([\s\S])")
_MOST_HEADING = 120
_LONGEST_LINE = 1_000  # a longer line is no heading, and the pattern's time grows with the square of its length


@dataclass(frozen=True, slots=True)
class Block:
    """Lines that belong together.

    Attributes:
        start: the first line, counted from 1; it is not blank.
        end: the last line, itself included; it is not blank.
        path: the headings or definitions that it stands under, outermost first.
    """

    start: int
    end: int
    path: tuple[str, ...] = ()


def paragraphs(lines: Sequence[str], start: int = 1, end: int | None = None, path: tuple[str, ...] = ()) -> list[Block]:
    """The runs of lines that are not blank, from line `start` to line `end`."""
    blocks = []
    first = None
    for number in range(start, (len(lines) if end is None else end) + 1):
        if lines[number - 1].strip():
            first = first or number
            last = number
        elif first:
            blocks.append(Block(first, last, path))
            first = None
    if first:
        blocks.append(Block(first, last, path))
    return blocks


def markdown(lines: Sequence[str]) -> list[Block]:
    """Headings, fences and paragraphs; a fence is one block with the blank lines inside it."""
    blocks: list[Block] = []
    headings: list[tuple[int, str]] = []
    number = _front_matter(lines)
    blocks += paragraphs(lines, 1, number - 1)
    while number <= len(lines):
        if not lines[number - 1].strip():
            number += 1
            continue
        end = _fence_end(lines, number)
        if not end and (found := _heading(lines, number)):
            level, title, end = found
            headings = [*((n, name) for n, name in headings if n < level), (level, title)]
        end = end or _paragraph_end(lines, number)
        blocks.append(Block(number, end, tuple(name for _, name in headings if name)))
        number = end + 1
    return blocks


def _front_matter(lines: Sequence[str]) -> int:
    """The first line after the YAML between two `---` at the top; 1 where there is none."""
    if lines[0].rstrip() != "---":
        return 1
    return next((n + 1 for n, line in enumerate(lines[1:], 2) if line.rstrip() in ("---", "...")), 1)


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
        if lines[n - 1].strip():
            last = n
        closed = _FENCE.match(lines[n - 1])
        if closed and closed.group(1).startswith(marks) and not closed.group(2).strip():
            break
    return last


def _heading(lines: Sequence[str], number: int) -> tuple[int, str, int] | None:
    """Level, text and last line of the heading that begins at `number`."""
    if found := _is_heading(lines[number - 1]):
        return len(found.group(1)), _plain(found.group(2) or ""), number
    under = _UNDERLINE.match(lines[number]) if number < len(lines) else None
    if under and not lines[number - 1].lstrip().startswith(("-", "*", "+", ">", "|", "#", "=")):
        return (1 if under.group(1)[0] == "=" else 2), _plain(lines[number - 1].strip()), number + 1
    return None


def _is_heading(line: str) -> re.Match[str] | None:
    return _HEADING.match(line) if len(line) <= _LONGEST_LINE else None


def _plain(title: str) -> str:
    return _MARKUP.sub("", _LINK.sub(r"\1", title)).strip()[:_MOST_HEADING]


def _paragraph_end(lines: Sequence[str], number: int) -> int:
    """The line before the next blank line, heading or fence."""
    while number < len(lines) and lines[number].strip():
        if _is_heading(lines[number]) or _opens_fence(lines[number]):
            break
        number += 1
    return number


def python(lines: Sequence[str], most: int) -> list[Block]:
    """Definitions with the decorators and comments above them, and the paragraphs between them.

    A class larger than `most` characters is given as its head and its methods. What is no valid Python is given as
    paragraphs.
    """
    try:
        # An escape like "\d" is harmless but warned of at parsing, and filters of warnings are not safe in threads.
        tree = ast.parse(_ESCAPE.sub(_harmless, "\n".join(lines)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return paragraphs(lines)
    return list(_definitions(lines, tree.body, Block(1, len(lines)), most))


def _harmless(escape: re.Match[str]) -> str:
    return escape.group() if escape.group(1) in "\\'\"\n" else "/" + escape.group(1)


def _definitions(lines: Sequence[str], body: Sequence[ast.stmt], span: Block, most: int) -> Iterator[Block]:
    """The blocks of `span`, of which `body` are the statements."""
    start = span.start
    for node in body:
        last = node.end_lineno or node.lineno
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or last < start:
            continue  # `last` is before `start` where two definitions share a line
        first = _first_line(lines, node, start)
        yield from paragraphs(lines, start, first - 1, span.path)
        if not isinstance(node, ast.ClassDef):
            yield Block(first, last, (*span.path, node.name if span.path else f"def {node.name}"))
        else:
            whole = Block(first, last, (*span.path, f"class {node.name}"))
            large = sum(len(line) + 1 for line in lines[first - 1 : last]) > most
            yield from _definitions(lines, node.body, whole, most) if large else (whole,)
        start = last + 1
    yield from paragraphs(lines, start, span.end, span.path)


def _first_line(lines: Sequence[str], node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, start: int) -> int:
    """Where a definition begins with its decorators and the comments directly above it, not before line `start`."""
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    while first - 1 >= start and lines[first - 2].lstrip().startswith("#"):
        first -= 1
    return max(first, start)


def first_heading(lines: Sequence[str]) -> str:
    """The text of a Markdown text's first heading; empty without one."""
    return next((block.path[0] for block in markdown(lines) if block.path), "")


def split(lines: Sequence[str], block: Block, most: int) -> Iterator[Block]:
    """`block` in pieces of at most `most` characters where that can be: at blank lines, else at line ends."""
    for part in paragraphs(lines, block.start, block.end, block.path):
        start, size = part.start, 0
        for number in range(part.start, part.end + 1):
            length = len(lines[number - 1]) + 1
            if size and size + length > most:
                yield Block(start, number - 1, block.path)
                start, size = number, 0
            size += length
        yield Block(start, part.end, block.path)

"""Where a text may be cut: its paragraphs, headings, fences, pages and definitions."""

import ast
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from toolkit.search.reading.markdown import after_front_matter, parts

MOST_PYTHON = 500_000
"""Characters of Python that are parsed: its tree takes up to 800 times as many bytes."""

_ESCAPE = re.compile(r"\\([\s\S])")
_WARNED = re.compile(r"\\[^\n\\'\"abfnrtvx0-3]")
_SENTENCE_END = (".", "!", "?", ":", ";", ".”", ".)", '."', "。", "|", "}")


class Block(NamedTuple):
    """Lines that belong together.

    Attributes:
        start: the first line, counted from 1; it is not blank.
        end: the last line, itself included; it is not blank.
        path: the headings or definitions that it stands under, outermost first.
        part: the page, slide or sheet that it is of, any number that tells them apart.
    """

    start: int
    end: int
    path: tuple[str, ...] = ()
    part: int = 0


def paragraphs(
    lines: Sequence[str], start: int = 1, end: int | None = None, path: tuple[str, ...] = (), part: int = 0
) -> list[Block]:
    """The runs of lines that are not blank, from line `start` to line `end`."""
    blocks = []
    first = None
    last = 0
    for number, line in enumerate(lines[start - 1 : end], start):
        if line and not line.isspace():
            first = first or number
            last = number
        elif first:
            blocks.append(Block(first, last, path, part))
            first = None
    if first:
        blocks.append(Block(first, last, path, part))
    return blocks


def markdown(lines: Sequence[str]) -> list[Block]:
    """Headings, fences and paragraphs, under the headings before them."""
    start = after_front_matter(lines)
    blocks = paragraphs(lines, 1, start - 1)
    headings: list[tuple[int, str]] = []
    path: tuple[str, ...] = ()
    for found in parts(lines, start):
        if found.level:
            headings = [*((n, name) for n, name in headings if n < found.level), (found.level, found.title)]
            path = tuple(name for _, name in headings if name)
        blocks.append(Block(found.start, found.end, path))
    return blocks


def sections(
    lines: Sequence[str], outline: Sequence[tuple[int, tuple[str, ...]]], pages: Sequence[int] = ()
) -> list[Block]:
    """The paragraphs of a text whose headings and pages are told beside it.

    Args:
        lines: the text.
        outline: `(line, path)`: what the lines from that one on stand under; in order.
        pages: the lines with which pages begin; in order.
    """
    paths, begins = dict(outline), set(pages)
    blocks: list[Block] = []
    start, page = 1, 0
    path: tuple[str, ...] = ()
    for line in sorted({*paths, *begins, len(lines) + 1}):
        if line > start:
            blocks += paragraphs(lines, start, line - 1, path, page)
        path = paths.get(line, path)
        page += line in begins
        start = line
    return blocks


def python(lines: Sequence[str], most: int) -> list[Block]:
    """Definitions with the decorators and comments above them, and the paragraphs between them.

    A class larger than `most` characters is given as its head and its methods. What is no valid Python, or so long
    that a program wrote it, is given as paragraphs.
    """
    text = "\n".join(lines)
    if len(text) > MOST_PYTHON:
        return paragraphs(lines)
    try:
        # An escape like "\d" is harmless but warned of at parsing, and filters of warnings are not safe in threads.
        tree = ast.parse(_ESCAPE.sub(_harmless, text) if _WARNED.search(text) else text)
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
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        first = with_comments(lines, first, start, "#")
        yield from paragraphs(lines, start, first - 1, span.path)
        if not isinstance(node, ast.ClassDef):
            yield Block(first, last, (*span.path, node.name if span.path else f"def {node.name}"))
        else:
            whole = Block(first, last, (*span.path, f"class {node.name}"))
            large = sum(len(line) + 1 for line in lines[first - 1 : last]) > most
            yield from _definitions(lines, node.body, whole, most) if large else (whole,)
        start = last + 1
    yield from paragraphs(lines, start, span.end, span.path)


def with_comments(lines: Sequence[str], first: int, start: int, *marks: str) -> int:
    """Where a definition begins with the comments directly above line `first`, not before line `start`."""
    while first - 1 >= start and lines[first - 2].lstrip().startswith(marks):
        first -= 1
    return max(first, start)


def split(lines: Sequence[str], block: Block, target: int, most: int) -> Iterator[Block]:
    """`block` in pieces of at most `most` characters where that can be.

    It is cut at blank lines; between them where a sentence or a row ends with its line and the piece has `target`
    characters; else at any line end.
    """
    for run in paragraphs(lines, block.start, block.end, block.path, block.part):
        start, size, ended = run.start, 0, 0
        for number in range(run.start, run.end + 1):
            length = len(lines[number - 1]) + 1
            while size and size + length > most:
                last = ended or number - 1
                yield run._replace(start=start, end=last)
                size = sum(len(line) + 1 for line in lines[last : number - 1])
                start, ended = last + 1, 0
            size += length
            if size >= target and lines[number - 1].endswith(_SENTENCE_END):
                ended = number
        yield run._replace(start=start)

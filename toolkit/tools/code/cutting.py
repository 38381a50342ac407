"""Code that is too long for a model, cut by whole functions and classes."""

import ast
import warnings
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cut:
    """Code that fits.

    Attributes:
        text: what is left, with a comment in each place where something was left out.
        left_out: what was left out: `lines 10-20: name`.
    """

    text: str
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Part:
    """Lines that are kept or left out together; `name` is empty for what is no definition."""

    first: int
    last: int
    name: str


def cut(code: str, most: int, length: Callable[[str], int], *, focus: str = "") -> Cut:
    """`code`, or as much of it as fits.

    Of Python the definitions that `focus` names are kept first, then what is no definition (imports, constants), then
    the other definitions in their order. Of anything else, and of a single definition that is too long, the beginning.

    Args:
        code: any.
        most: what `length` may say of the result, about; what is left out is named beside that.
        length: how long a text is, e.g. in tokens.
        focus: words, some of which may be names.
    """
    if length(code) <= most:
        return Cut(code)
    lines = code.splitlines()
    parts = _parts(code, lines)
    wanted = set(focus.replace("(", " ").replace(")", " ").replace(",", " ").replace("`", " ").split())

    def place(part: _Part) -> tuple[int, int]:
        named = part.name in wanted or part.name.rpartition(".")[2] in wanted
        return (0 if part.name and named else 1 if not part.name else 2, part.first)

    kept: set[_Part] = set()
    left = most
    for part in sorted(parts, key=place):
        size = length("\n".join(lines[part.first - 1 : part.last]))
        if size <= left:
            kept.add(part)
            left -= size
    if not kept:
        return _beginning(lines, most, length)
    text: list[str] = []
    left_out: list[str] = []
    for part in parts:
        if part in kept:
            text += lines[part.first - 1 : part.last]
        else:
            said = f"lines {part.first}-{part.last}{f': {part.name}' if part.name else ''}"
            text.append(f"# … left out: {said}")
            left_out.append(said)
    return Cut("\n".join(text), tuple(left_out))


def _beginning(lines: list[str], most: int, length: Callable[[str], int]) -> Cut:
    """As many lines as fit; of one line that does not, its first characters."""
    low, high = 0, len(lines)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if length("\n".join(lines[:middle])) <= most else (low, middle - 1)
    said = f"lines {low + 1}-{len(lines)}"
    shown = "\n".join(lines[:low]) if low else lines[0][:most]
    return Cut(f"{shown}\n# … left out: {said}", (said,))


def _parts(code: str, lines: list[str]) -> list[_Part]:
    """The code in parts: functions, methods, and the lines between them. Of no Python, one part."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return [_Part(1, len(lines), "")]
    found: list[_Part] = []
    for name, node in _definitions(tree.body, ""):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        found.append(_Part(first, node.end_lineno or first, name))
    parts: list[_Part] = []
    line = 1
    for part in found:
        if part.first < line:
            continue  # two on one line
        if part.first > line:
            parts.append(_Part(line, part.first - 1, ""))
        last = part.last
        while last < len(lines) and not lines[last].strip():
            last += 1  # the empty lines below belong to it
        parts.append(_Part(part.first, last, part.name))
        line = last + 1
    if line <= len(lines):
        parts.append(_Part(line, len(lines), ""))
    return parts


def _definitions(
    body: list[ast.stmt], inside: str
) -> list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Functions, and the methods of classes that have any; in the order of their lines."""
    found: list[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]] = []
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            found.append((f"{inside}{node.name}", node))
        elif isinstance(node, ast.ClassDef):
            found += _definitions(node.body, f"{inside}{node.name}.") or [(f"{inside}{node.name}", node)]
    return found

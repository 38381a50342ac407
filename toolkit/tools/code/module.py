"""One Python file, read: how long it is, what it defines, and what it imports and when."""

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from toolkit.tools.code.roots import read_bytes

When = Literal["import", "call", "typing"]
"""When an import happens: with the module's own, when a function is called (or the file is run), only for a checker."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function or a method.

    Attributes:
        name: with its classes and functions around it, joined by dots.
        line: where it begins, from 1.
        lines: how many it has.
    """

    name: str
    line: int
    lines: int


@dataclass(frozen=True, slots=True)
class Import:
    """One name of an import statement.

    Attributes:
        module: what stands after `import` or `from`, without leading dots.
        name: what is imported from it; empty: the module itself.
        level: how many leading dots.
        line: where, from 1.
        when: it happens.
    """

    module: str
    name: str
    level: int
    line: int
    when: When


@dataclass(frozen=True, slots=True)
class Source:
    """What one file holds."""

    path: Path
    lines: int
    functions: tuple[Function, ...]
    imports: tuple[Import, ...]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file that is no Python, or cannot be read.

    Attributes:
        path: relative to what is measured.
        line: where it goes wrong, None where that is not known.
        reason: what is wrong.
    """

    path: str
    line: int | None
    reason: str


def read(path: Path, most_bytes: int) -> Source | Unreadable:
    """What is in a file; `path` of an `Unreadable` is the whole path."""
    try:
        data = read_bytes(path, most_bytes)
    except OSError as error:
        return Unreadable(str(path), None, error.strerror or str(error))
    if data is None:
        return Unreadable(str(path), None, f"larger than {most_bytes:,} bytes")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python thinks of somebody's escapes is not ours to say
            tree = ast.parse(data)
    except SyntaxError as error:
        return Unreadable(str(path), error.lineno, error.msg)
    except (ValueError, RecursionError, MemoryError) as error:
        return Unreadable(str(path), None, str(error) or "nested too deeply")
    lines = data.count(b"\n") + (not data.endswith(b"\n") and bool(data))
    functions: list[Function] = []
    imports = list(_imports(tree.body, "import", "", functions))
    return Source(path, lines, tuple(functions), tuple(imports))


def _imports(body: list[ast.stmt], when: When, inside: str, functions: list[Function]) -> Iterator[Import]:
    """The imports of statements, and into `functions` what they define. Expressions hold neither, and are passed by."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (Import(alias.name, "", 0, node.lineno, when) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (Import(node.module or "", alias.name, node.level, node.lineno, when) for alias in node.names)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            name = f"{inside}{node.name}"
            functions.append(Function(name, node.lineno, (node.end_lineno or node.lineno) - node.lineno + 1))
            yield from _imports(node.body, "call" if when == "import" else when, f"{name}.", functions)
        elif isinstance(node, ast.ClassDef):
            yield from _imports(node.body, when, f"{inside}{node.name}.", functions)
        elif isinstance(node, ast.If):
            then, otherwise = _branches(node.test, when)
            yield from _imports(node.body, then, inside, functions)
            yield from _imports(node.orelse, otherwise, inside, functions)
        else:
            for block in _blocks(node):
                yield from _imports(block, when, inside, functions)


def _branches(test: ast.expr, when: When) -> tuple[When, When]:
    """When the imports of an `if` and of its `else` happen."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        then, otherwise = _branches(test.operand, when)
        return otherwise, then
    name = test.id if isinstance(test, ast.Name) else test.attr if isinstance(test, ast.Attribute) else ""
    if name == "TYPE_CHECKING":
        return "typing", when
    run = isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
    return ("call", when) if run and when == "import" else (when, when)


def _blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """The statements inside a statement: of loops, `with`, `try` and `match`."""
    for field in ("body", "orelse", "finalbody"):
        yield getattr(node, field, [])
    for field in ("handlers", "cases"):
        for part in getattr(node, field, []):
            yield part.body

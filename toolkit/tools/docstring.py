"""What a docstring in Google style says of a function and of its arguments."""

import inspect
import re
from collections.abc import Callable
from typing import Any

_SECTION = re.compile(r"(Args|Arguments|Parameters):\s*")
_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)\s*(?:\([^)]*\))?\s*:\s*(?P<text>.*)")


def summary(function: Callable[..., Any]) -> str:
    """The first paragraph of the docstring as one line; empty if there is none."""
    text = inspect.getdoc(function) or ""
    return " ".join(text.strip().split("\n\n", 1)[0].split())


def arguments(function: Callable[..., Any]) -> dict[str, str]:
    """What the docstring's section `Args:` says of each argument, as one line each."""
    found: dict[str, list[str]] = {}
    indent: int | None = None
    name = ""
    for line in _section(inspect.getdoc(function) or ""):
        depth = len(line) - len(line.lstrip())
        indent = depth if indent is None else indent
        entry = _ENTRY.fullmatch(line.strip()) if depth == indent else None
        if entry:
            name = entry["name"]
            found[name] = [entry["text"]]
        elif name:
            found[name].append(line.strip())
    return {name: " ".join(lines).strip() for name, lines in found.items()}


def _section(text: str) -> list[str]:
    """The indented lines below `Args:`."""
    lines = iter(text.splitlines())
    for line in lines:
        if _SECTION.fullmatch(line):
            break
    below: list[str] = []
    for line in lines:
        if line.strip() and not line.startswith((" ", "\t")):
            break
        if line.strip():
            below.append(line.expandtabs())
    return below

"""YAML with one entry put into a block at the top, every other line left as it was."""

import re
from collections.abc import Sequence
from typing import Any


def load(text: str) -> Any:
    """What `text` says; None where it says nothing.

    Raises:
        ValueError: it cannot be read; the message has line and column.
    """
    import yaml  # noqa: PLC0415 - not needed for `toolkit --help`

    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(f"{where}{getattr(error, 'problem', None) or error}") from error


def put(text: str, path: Sequence[str], value: Any) -> str:
    """`text` with `value` at `path`, which is the key of a block at the top and a key in that.

    It knows blocks only; what it makes of `{…}` in one line may say something else, or nothing.
    """
    block, key = path
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    top = next((n for n, line in enumerate(lines) if re.match(rf"{block}:(\s|$)", line)), None)
    if top is None:
        return "\n".join([*lines, f"{block}:", *_written(key, value, "  ")]) + "\n"
    if re.match(rf"{block}:\s*(\{{\s*\}}|null|~)\s*(#.*)?$", lines[top]):
        lines[top] = f"{block}:"
    end = _end(lines, top + 1, 1)
    indent = next((_indent(line) for line in lines[top + 1 : end] if _says(line)), "  ")
    names = (f"{indent}{key}:", f'{indent}"{key}":', f"{indent}'{key}':")
    ours = next((n for n in range(top + 1, end) if lines[n].startswith(names)), None)
    behind = end if ours is None else _end(lines, ours + 1, len(indent) + 1)
    return "\n".join([*lines[: end if ours is None else ours], *_written(key, value, indent), *lines[behind:]]) + "\n"


def _end(lines: Sequence[str], begin: int, least: int) -> int:
    """Behind the last line from `begin` on that is indented by `least` or more; blank lines do not end a block."""
    end = begin
    for number in range(begin, len(lines)):
        if _says(lines[number]):
            if len(_indent(lines[number])) < least:
                break
            end = number + 1
    return end


def _says(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" "))]


def _written(key: str, value: Any, indent: str) -> list[str]:
    import yaml  # noqa: PLC0415 - not needed for `toolkit --help`

    text = yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=10_000)
    return [indent + line for line in text.rstrip("\n").split("\n")]

"""TOML with one table put in, every other line left as it was."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

import tomli_w

_HEADER = re.compile(r"^\s*\[{1,2}\s*([^\[\]]+?)\s*\]{1,2}\s*(?:#.*)?$")


def load(text: str) -> Any:
    """What `text` says.

    Raises:
        ValueError: it cannot be read; the message has line and column.
    """
    return tomllib.loads(text)


def put(text: str, path: Sequence[str], value: Any) -> str:
    """`text` with the table `value` at `path`, behind everything else where there was none.

    It knows tables by their headers only; what it makes of others (`a = {b = 1}`, `a.b = 1`) may say something else.
    """
    whole: Any = value
    for key in reversed(path):
        whole = {key: whole}
    ours = tomli_w.dumps(whole).strip("\n").split("\n")
    lines = text.rstrip("\n").split("\n") if text.strip() else []
    begin, end = _found(lines, path)
    if begin is None:
        return "\n".join([*lines, *([""] if lines else []), *ours]) + "\n"
    return "\n".join([*lines[:begin], *ours, *lines[end:]]) + "\n"


def _found(lines: Sequence[str], path: Sequence[str]) -> tuple[int | None, int]:
    """The lines of the table and of the tables in it, if they stand together; blank ones at the end are not its own."""
    begin: int | None = None
    end = len(lines)
    for number, line in enumerate(lines):
        header = _HEADER.match(line)
        if not header:
            continue
        inside = [part.strip().strip("\"'") for part in header[1].split(".")][: len(path)] == list(path)
        if inside and begin is None:
            begin = number
        elif begin is not None and not inside:
            end = number
            break
    while begin is not None and end > begin and (not lines[end - 1].strip() or lines[end - 1].startswith("#")):
        end -= 1  # what is said above the next table belongs to that
    return begin, end

"""What may differ from run to run in an output, in nbval's own form: lines `regex: …` and `replace: …` in turn."""

import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Final, TypeAlias

from toolkit.errors import ConfigError

Sanitize: TypeAlias = Callable[[str], str]

# The very words of nbval, which reads what is handed on to it.
_PAIR: Final = re.compile(r"^regex: (.*)$\n^replace: (.*)$", re.MULTILINE)


def rules(own: Sequence[Path] = ()) -> str:
    """Our rules and those of the files `own`, after one another, as one file for nbval.

    Raises:
        ConfigError: a file cannot be read, or a rule cannot be used.
    """
    ours = (files("toolkit.testing.notebooks") / "sanitize.cfg").read_text(encoding="utf-8")
    return "\n".join([ours, *map(_read, own)])


def sanitizer(text: str) -> Sanitize:
    """What replaces all that `rules` names."""
    pairs = [(re.compile(pattern), replacement) for pattern, replacement in _PAIR.findall(text)]

    def sanitize(output: str) -> str:
        for pattern, replacement in pairs:
            output = pattern.sub(replacement, output)
        return output

    return sanitize


def _read(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The rules in {path} cannot be read ({error}); name a text file.") from error
    pairs = _PAIR.findall(text)
    if not pairs:
        raise ConfigError(f"{path} has no rule; write a line `regex: …` and below it a line `replace: …`.")
    for pattern, replacement in pairs:
        try:
            re.compile(pattern).sub(replacement, "")
            re.compile(f"(?:{pattern})|").sub("", "")
        except re.error as error:
            raise ConfigError(f"A rule of {path} cannot be used: {pattern} ({error}).") from error
    return text

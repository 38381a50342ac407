"""A conversation as a file: Markdown to read, or a notebook to go on with."""

import json
import re
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Final

from notebooks.chat import calls
from notebooks.chat.turn import fallback
from toolkit.display.markdown import fences
from toolkit.display.words import dollars, tokens
from toolkit.errors import ConfigError
from toolkit.messages import Json

if TYPE_CHECKING:
    from notebooks.chat.turn import Turn

_KERNEL: Final = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_PYTHON: Final = {"python", "py", "python3", "ipython", "ipython3"}
_MARK = re.compile(
    r"\\href(?![A-Za-z])|\\.|(?P<code>(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`))|<(?:https?://|mailto:)[^\s<>]*>|<(?=[A-Za-z/!?])|!(?=\[)|`"
)
_FORMULA = re.compile(r"\$|\\[(\[]|\\begin")


def export(turns: "Sequence[Turn]", path: str | PathLike[str]) -> Path:
    """Write a conversation to a file: `.md` is Markdown, `.ipynb` a notebook.

    Raises:
        ConfigError: the name ends otherwise, or the file cannot be written.
    """
    target = Path(path).expanduser()
    if target.suffix == ".md":
        text = to_markdown(turns)
    elif target.suffix == ".ipynb":
        text = json.dumps(to_notebook(turns), indent=1, ensure_ascii=False) + "\n"
    else:
        raise ConfigError(f"{target.name} is neither .md nor .ipynb; end the name of the file in one of them.")
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{target} cannot be written ({error.strerror}); choose another place.") from None
    return target


def to_markdown(turns: "Sequence[Turn]") -> str:
    """The conversation as Markdown, oldest turn first, without ids and times."""
    return "\n\n".join(turn.markdown() for turn in turns) + "\n" * bool(turns)


def to_notebook(turns: "Sequence[Turn]") -> Json:
    """The conversation as a notebook of nbformat 4.5: what was said as Markdown, Python as cells that were not run.

    The same conversation makes the same notebook. Tags and pictures in what was said are shown as they are written, so
    that opening the notebook fetches nothing.
    """
    cells = [cell for number, turn in enumerate(turns, 1) for cell in _cells(turn, number)]
    return {"cells": cells, "metadata": _KERNEL, "nbformat": 4, "nbformat_minor": 5}


def _cells(turn: "Turn", number: int) -> Iterator[Json]:
    given = "".join(f"\n\n*with {_harmless(each)}*" for each in turn.given)
    yield _markdown(f"turn-{number}-question", f"**You:** {_harmless(turn.question)}{given}")
    parts: list[tuple[str, str]] = []
    for step in turn.steps:
        parts += _parts(step.text)
        parts.append(("markdown", _harmless("\n".join(map(calls.line, step.called)))))
    parts += [*_parts(turn.text), ("markdown", _foot(turn))]
    for place, (kind, text) in enumerate((part for part in parts if part[1].strip()), 1):
        name = f"turn-{number}-answer-{place}"
        yield _markdown(name, text) if kind == "markdown" else _code(name, text)


def _parts(markdown: str) -> list[tuple[str, str]]:
    """What is said and what is Python, in turn."""
    lines = markdown.replace("\0", "\ufffd").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    parts: list[tuple[str, str]] = []
    start = 0
    for fence in fences("\n".join(lines)):
        language = fence.info.split()[0].lower() if fence.info else ""
        if fence.nested or language not in _PYTHON:
            lines[fence.first : fence.end] = [f"\0{line}" for line in lines[fence.first : fence.end]]
        else:
            parts.append(("markdown", _harmless_lines(lines[start : fence.first])))
            parts.append(("code", fence.code.rstrip("\n")))
            start = fence.end
    return [*parts, ("markdown", _harmless_lines(lines[start:]))]


def _harmless_lines(lines: Sequence[str]) -> str:
    """Lines of Markdown whose tags and pictures are text; those that begin with NUL stand in a fence, and stay."""
    told, wary = [], False
    for line in lines:
        # What backticks enclose stays as it is, as long as no other reading of the text is possible.
        marks = [found[0] for found in _MARK.finditer(line)]
        wary = wary or (not line.startswith("\0") and ("`" in marks or bool(_FORMULA.search(line))))
        told.append(line[1:] if line.startswith("\0") else _shown(line, wary=wary))
    return "\n".join(told).strip("\n")


def _shown(line: str, *, wary: bool) -> str:
    def written(found: re.Match[str]) -> str:
        if wary and found["code"]:
            ticks = found["ticks"]
            return ticks + _shown(found[0][len(ticks) : -len(ticks)], wary=True) + ticks
        return {"<": "&lt;", "!": "\\!", "\\href": "\\text"}.get(found[0], found[0])

    return _MARK.sub(written, line)


def _harmless(text: str) -> str:
    return _harmless_lines(text.replace("\0", "\ufffd").splitlines())


def _foot(turn: "Turn") -> str:
    """Quiet lines: the sources, who answered and what it cost, or why there is no answer."""
    lines = [_harmless(f"[{each.number}] {each.title}") for each in turn.sources]
    said = ["stopped"] if turn.state == "stopped" else []
    if turn.error:
        said = [turn.error]
    elif turn.reply is not None:
        used = turn.reply.usage
        spent = [tokens(used.input_tokens, used.output_tokens), dollars(turn.reply.cost_usd)]
        said += [turn.reply.model, fallback(turn.reply), *(spent if used.total_tokens else [])]
    if said:
        lines.append(f"*{_harmless(' · '.join(filter(None, said)))}*")
    return "  \n".join(lines)


def _markdown(name: str, source: str) -> Json:
    return {"cell_type": "markdown", "id": name, "metadata": {}, "source": source}


def _code(name: str, source: str) -> Json:
    return {
        "cell_type": "code",
        "execution_count": None,
        "id": name,
        "metadata": {},
        "outputs": [],
        "source": source,
    }

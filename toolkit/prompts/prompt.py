"""A prompt: a text with gaps, and what its front matter says of it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from keyword import iskeyword
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from toolkit.display.card import Card, Cell, Code, Text
from toolkit.display.shown import Shown, cell
from toolkit.errors import ConfigError
from toolkit.tools.complaints import nearest

Source = Literal["database", "folder", "package"]

LONGEST = 200_000
"""Characters of a prompt as it is written; what is longer belongs into an argument."""

KEYS = ("id", "title", "description", "version", "arguments", "hints", "tool")
HINTS: Mapping[str, tuple[type, ...]] = {
    "model": (str,),
    "system": (str,),
    "temperature": (int, float),
    "max_tokens": (int,),
    "seed": (int,),
    "stop": (list,),
    "requirements": (dict,),
}
"""What a prompt may wish of whoever asks a model: keywords of `Toolkit.complete`, and what they are."""

_ARGUMENT_KEYS = ("name", "description", "required", "default")
_TAKEN = frozenset({"false", "loop", "none", "range", "self", "true"})  # by the language of the text
_EDGE = "---"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_WORDS: Mapping[type, str] = {str: "a text", int: "a whole number", list: "a list", dict: "keys and values"}


@dataclass(frozen=True, slots=True, repr=False)
class PromptArgument(Shown):
    """What a prompt must or may be told.

    Attributes:
        name: that of its gap.
        description: what to fill in.
        required: whether it must be given; one that has a default need not be.
        default: what stands there if it is not given.
    """

    name: str
    description: str = ""
    required: bool = True
    default: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Prompt(Shown):
    """A text with gaps.

    Attributes:
        id: what it is called; without another in its front matter, its file's name without `.md`.
        title: for people, a few words.
        description: what it is for.
        arguments: what fills the gaps.
        template: the text, in Jinja's language.
        hints: keywords for `Toolkit.complete`, e.g. `temperature`.
        version: its number in the database's history; of a file what its front matter says, empty if it says nothing.
        tool: whether it is offered as a tool, too.
        source: where it comes from.
        path: its file, None in the database.
        text: front matter and text, as they are written.
    """

    id: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...]
    template: str
    hints: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    tool: bool = False
    source: Source = "package"
    path: Path | None = None
    text: str = ""

    def _shown(self) -> Card:
        facts: dict[str, Cell] = {
            "title": self.title,
            "for": self.description,
            "arguments": Code(", ".join(each.name for each in self.arguments)) if self.arguments else None,
            "hints": cell(self.hints),
            "version": self.version,
            "from": self.source,
            "a tool, too": self.tool,
        }
        return Card(self.id, facts, (Text(self.template, code=True),), kind="Prompt")


@dataclass(frozen=True, slots=True)
class Front:
    """What could be read of a prompt.

    Attributes:
        about: what its front matter says, of what it may say.
        arguments: those that have a name.
        template: what stands below.
        problems: everything that is wrong with it, each a clause.
    """

    about: Mapping[str, Any]
    arguments: tuple[PromptArgument, ...]
    template: str
    problems: tuple[str, ...]


def can_be_id(name: str) -> bool:
    """Whether a prompt may be called so in the database and in its front matter."""
    return _ID.fullmatch(name) is not None


def valid_id(name: str) -> str:
    """`name`, if a prompt may be called so.

    Raises:
        ConfigError: it may not.
    """
    if not can_be_id(name):
        raise ConfigError(f"{name!r} cannot name a prompt; use letters, digits, `_`, `-` and `.`, at most 100.")
    return name


@lru_cache(maxsize=256)
def front(text: str) -> Front:
    """What a prompt says of itself, with everything that is wrong in it."""
    if len(text) > LONGEST:
        return Front({}, (), "", (f"is longer than {LONGEST:,} characters; give what is long as an argument",))
    problems: list[str] = []
    about, template = _parts(text, problems)
    unknown = [str(key) for key in about if key not in KEYS]
    problems += [_unknown("the front matter", key, KEYS) for key in unknown]
    for key in ("id", "title", "description", "version"):
        if not isinstance(about.get(key, ""), str | int | float) or isinstance(about.get(key), bool):
            problems.append(f"`{key}` must be a text")
    if not isinstance(about.get("tool", False), bool):
        problems.append("`tool` must be true or false")
    if not can_be_id(str(about.get("id", "x"))):
        problems.append("`id` must be letters, digits, `_`, `-` and `.`, at most 100")
    arguments = tuple(_arguments(about.get("arguments") or [], problems))
    hints = about.get("hints") or {}
    if isinstance(hints, dict):
        problems += [problem for key, value in hints.items() if (problem := _hint_problem(str(key), value))]
    else:
        problems.append("`hints` must be keys and values")
    known = {str(key): value for key, value in about.items() if key in KEYS and value is not None}
    return Front(MappingProxyType(known), arguments, template.strip(), tuple(problems))


def prompt_of(
    text: str,
    *,
    called: str,
    source: Source,
    path: Path | None = None,
    version: str | None = None,
) -> Prompt:
    """The prompt that `text` is; what is wrong with it is left out, see `front`.

    Args:
        text: front matter and text.
        called: its id, where its front matter does not say.
        source: where it comes from.
        path: its file.
        version: instead of what its front matter says.
    """
    read = front(text)
    about = read.about
    called = str(about.get("id") or called)
    hints = about.get("hints")
    return Prompt(
        id=called,
        title=str(about.get("title") or called.replace("_", " ").capitalize()),
        description=str(about.get("description") or ""),
        arguments=read.arguments,
        template=read.template,
        hints=dict(hints) if isinstance(hints, dict) else {},
        version=str(about.get("version", "")) if version is None else version,
        tool=about.get("tool") is True,
        source=source,
        path=path,
        text=text,
    )


def _parts(text: str, problems: list[str]) -> tuple[dict[Any, Any], str]:
    """The front matter and the text below."""
    lines = text.removeprefix("\ufeff").splitlines()
    if not lines or lines[0].rstrip() != _EDGE:
        return {}, "\n".join(lines)
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == _EDGE), 0)
    if not end:
        problems.append(f"begins with {_EDGE} and has no second one; close its front matter")
        return {}, ""
    template = "\n".join(lines[end + 1 :])
    import yaml  # noqa: PLC0415 - 16 ms that a start without a prompt need not pay

    try:
        about = yaml.safe_load("\n".join(lines[1:end])) or {}
    except (yaml.YAMLError, RecursionError, ValueError) as error:  # a date that is none is a ValueError
        where = getattr(error, "problem_mark", None)
        problems.append(f"the front matter is not YAML{f' in line {where.line + 2}' if where else ''}")
        return {}, template
    if not isinstance(about, dict):
        problems.append("the front matter must be keys and values")
        return {}, template
    return about, template


def _arguments(given: Any, problems: list[str]) -> Iterable[PromptArgument]:
    if not isinstance(given, list):
        problems.append("`arguments` must be a list")
        return
    seen: set[str] = set()
    for number, each in enumerate(given, 1):
        argument = _argument(number, each, problems)
        if argument and argument.name in seen:
            problems.append(f"the argument `{argument.name}` is there twice")
        elif argument:
            seen.add(argument.name)
            yield argument


def _argument(number: int, given: Any, problems: list[str]) -> PromptArgument | None:
    told = {"name": given} if isinstance(given, str) else given
    if not isinstance(told, dict) or not isinstance(told.get("name"), str):
        problems.append(f"argument {number} has no name; write `- name: …`")
        return None
    name: str = told["name"]
    if not name.isidentifier() or name.startswith("_") or iskeyword(name) or name in _TAKEN:
        problems.append(
            f"an argument cannot be called {name!r}; use letters, digits and `_`, and no word of a language"
        )
        return None
    problems += [_unknown(f"the argument `{name}`", str(key), _ARGUMENT_KEYS) for key in told.keys() - _ARGUMENT_KEYS]
    default, description = told.get("default"), told.get("description")
    for key, value in (("default", default), ("description", description)):
        if not (value is None or isinstance(value, str | int | float)):
            problems.append(f"`{key}` of the argument `{name}` must be a text")
            return None
    required = told.get("required", default is None)
    if not isinstance(required, bool):
        problems.append(f"`required` of the argument `{name}` must be true or false")
    elif required and default is not None:
        problems.append(f"the argument `{name}` has a default, so it cannot be required")
    said = "" if description is None else str(description)
    return PromptArgument(name, said, required is True, "" if default is None else str(default))


def _hint_problem(key: str, value: Any) -> str:
    if key not in HINTS:
        return _unknown("`hints`", key, HINTS)
    wanted = HINTS[key]
    if isinstance(value, bool) or type(value) not in wanted:
        return f"the hint `{key}` must be {'a number' if float in wanted else _WORDS[wanted[0]]}"
    if key == "stop" and not all(isinstance(each, str) for each in value):
        return "the hint `stop` must be a list of texts"
    if key == "temperature" and not 0 <= value <= 2:  # noqa: PLR2004 - as every vendor has it
        return "the hint `temperature` must be from 0 to 2"
    if key == "max_tokens" and value < 1:
        return "the hint `max_tokens` must be at least 1"
    return ""


def _unknown(where: str, key: str, known: Iterable[str]) -> str:
    meant = nearest(key, known)
    instead = f"the nearest is `{meant}`" if meant else f"there are {', '.join(f'`{name}`' for name in known)}"
    return f"{where} has the unknown key {key[:60]!r}; {instead}"

"""What is said on our behalf: prompts, one Markdown file each."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.errors import ConfigError, NotFound, choices

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

OWN = Path(__file__).parent
"""The folder of the prompts that come with the toolkit."""

_EDGE = "---"
_KEYS = frozenset({"title", "description", "arguments"})


@dataclass(frozen=True, slots=True)
class PromptArgument:
    """What a prompt must or may be told; an optional argument that is not given is an empty text."""

    name: str
    description: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True)
class Prompt:
    """A text with gaps.

    Attributes:
        name: the file's, without `.md`.
        title: for people, a few words.
        description: what it is for.
        arguments: what fills the gaps.
        template: the text, in Jinja's language.
    """

    name: str
    title: str
    description: str
    arguments: tuple[PromptArgument, ...]
    template: str


class Prompts:
    """The prompts that come with the toolkit, and those of a folder of the user's.

    A prompt is a file `name.md`: between two lines of `---` the YAML keys `title`, `description` and `arguments` (a
    list of `name`, `description`, `required`), then the text. Files are read when they are asked for, so an edited one
    counts at once.

    Args:
        folder: the user's own prompts; one of the same name replaces ours.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._folders = (folder, OWN) if folder else (OWN,)

    def list(self) -> list[Prompt]:
        """Every prompt, by name.

        Raises:
            ConfigError: a file cannot be used as written, or the folder is missing; the message names it.
        """
        found: dict[str, Path] = {}
        for folder in reversed(self._folders):
            if not folder.is_dir():
                raise ConfigError(
                    f"The folder of prompts {folder} does not exist; make it or unset TOOLKIT_PROMPTS_DIR."
                )
            found |= {path.stem: path for path in folder.glob("*.md")}
        return [_read(found[name]) for name in sorted(found)]

    def get(self, name: str) -> Prompt:
        """The prompt of that name.

        Raises:
            NotFound: there is none; the message says what there is.
            ConfigError: its file cannot be used as written.
        """
        for folder in self._folders:
            path = folder / f"{name}.md"
            if path.parent == folder and path.is_file():
                return _read(path)
        names = sorted({path.stem for folder in self._folders for path in folder.glob("*.md")})
        raise NotFound(f"There is no prompt {name!r}; {choices(names)}.")

    def render(self, name: str, /, **arguments: Any) -> str:
        """The text of a prompt with its gaps filled.

        Raises:
            NotFound: there is no such prompt.
            ConfigError: an argument is missing or unknown, or the text cannot be made; the message names it.
        """
        prompt = self.get(name)
        values = _checked(prompt, arguments)
        from jinja2 import TemplateError  # noqa: PLC0415 - 30 ms that a start without a prompt need not pay

        try:
            return _jinja().from_string(prompt.template).render(values).strip()
        except (TemplateError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise ConfigError(f"The prompt {name} cannot be rendered: {error}.") from error


def _checked(prompt: Prompt, arguments: Mapping[str, Any]) -> dict[str, Any]:
    known = [argument.name for argument in prompt.arguments]
    takes = f"it takes {', '.join(known)}" if known else "it takes none"
    for name in arguments:
        if name not in known:
            raise ConfigError(f"The prompt {prompt.name} has no argument {name!r}; {takes}.")
    for argument in prompt.arguments:
        if argument.required and argument.name not in arguments:
            raise ConfigError(f"The prompt {prompt.name} needs the argument {argument.name!r}; {takes}.")
    return {name: arguments.get(name, "") for name in known}


def _read(path: Path) -> Prompt:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The prompt {path} cannot be read ({error}); mend or remove it.") from error
    about, template = _parts(path, text)
    prompt = Prompt(
        name=path.stem,
        title=str(about.get("title") or path.stem.replace("_", " ").capitalize()),
        description=str(about.get("description") or ""),
        arguments=tuple(_argument(path, given) for given in about.get("arguments") or ()),
        template=template.strip(),
    )
    _check_gaps(path, prompt)
    return prompt


def _parts(path: Path, text: str) -> tuple[dict[str, Any], str]:
    """The front matter and the text of a prompt's file."""
    lines = text.splitlines()
    if not lines or lines[0].rstrip() != _EDGE:
        return {}, text
    end = next((n for n, line in enumerate(lines[1:], 1) if line.rstrip() == _EDGE), 0)
    if not end:
        raise ConfigError(f"The prompt {path} begins with {_EDGE} and has no second one; close its front matter.")
    import yaml  # noqa: PLC0415 - 16 ms that a start without a prompt need not pay

    try:
        about = yaml.safe_load("\n".join(lines[1:end])) or {}
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" in line {where.line + 2}" if where else ""
        raise ConfigError(f"The front matter of the prompt {path} is not YAML{line}; mend it.") from error
    if not isinstance(about, dict) or not isinstance(about.get("arguments") or [], list):
        raise ConfigError(f"The front matter of the prompt {path} must be keys, with a list of arguments; mend it.")
    if unknown := sorted(str(key) for key in about.keys() - _KEYS):
        raise ConfigError(f"The front matter of the prompt {path} has the unknown key {unknown[0]!r}; remove it.")
    return about, "\n".join(lines[end + 1 :])


def _argument(path: Path, given: Any) -> PromptArgument:
    if isinstance(given, str):
        return PromptArgument(given)
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise ConfigError(f"An argument of the prompt {path} has no name; write `- name: …` for each.")
    return PromptArgument(given["name"], str(given.get("description") or ""), bool(given.get("required", True)))


def _check_gaps(path: Path, prompt: Prompt) -> None:
    """Raise ConfigError if the text is no template or has a gap that no argument fills."""
    if "{" not in prompt.template:
        return
    from jinja2 import TemplateSyntaxError, meta  # noqa: PLC0415 - as above

    try:
        gaps = meta.find_undeclared_variables(_jinja().parse(prompt.template))
    except TemplateSyntaxError as error:
        raise ConfigError(
            f"The prompt {path} is no template ({error.message}, line {error.lineno} of its text)."
        ) from error
    if unknown := sorted(gaps - {argument.name for argument in prompt.arguments} - _jinja().globals.keys()):
        raise ConfigError(f"The prompt {path} uses {unknown[0]!r}, which is none of its arguments; declare it.")


@cache
def _jinja() -> "SandboxedEnvironment":
    from jinja2 import StrictUndefined  # noqa: PLC0415 - as above
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415 - as above

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)

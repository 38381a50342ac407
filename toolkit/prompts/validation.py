"""Whether a prompt can be used: everything that is wrong with it, at once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from toolkit.db.keepable import keepable
from toolkit.display.card import Card, Cell, State
from toolkit.display.shown import Shown
from toolkit.errors import ConfigError
from toolkit.models.tokens import count_text
from toolkit.prompts.prompt import Prompt, front
from toolkit.prompts.rendering import argument_problems, fill, template_problems


@dataclass(frozen=True, slots=True, repr=False)
class Validation(Shown):
    """What is to be said of a prompt.

    Attributes:
        id: what it is called.
        problems: what must be mended, each a clause; none if it can be used.
        warnings: what may be a mistake.
        tokens: about how long it is: filled in where arguments were given, else as it is written, without front
            matter; None if it could not be filled in.
    """

    id: str
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    tokens: int | None

    @property
    def ok(self) -> bool:
        """Whether it can be used."""
        return not self.problems

    def _shown(self) -> Card:
        facts: dict[str, Cell] = {
            "state": State("can be used", good=True) if self.ok else State("cannot be used", good=False),
            "problems": "; ".join(self.problems),
            "warnings": "; ".join(self.warnings),
            "tokens": self.tokens,
        }
        return Card(self.id, facts, kind="Prompt")


def check(prompt: Prompt) -> None:
    """Nothing, if the prompt can be used.

    Raises:
        ConfigError: everything that is wrong with it.
    """
    problems, _ = written_problems(prompt)
    if problems:
        where = prompt.path or f"{prompt.id} of the {prompt.source}"
        raise ConfigError(f"The prompt {where} cannot be used: {'; '.join(problems)}.")


def written_problems(prompt: Prompt) -> tuple[list[str], list[str]]:
    """What is wrong with a prompt as it is written, and what may be a mistake."""
    read = front(prompt.text)
    problems = [*read.problems]
    if keepable(prompt.text) != prompt.text:
        problems.append("holds NUL or half a character")
    broken, gaps = template_problems(prompt.template)
    known = {argument.name for argument in prompt.arguments}
    undeclared = sorted(gaps - known)
    problems += broken
    problems += [f"uses {gap!r}, which is none of its arguments; declare it" for gap in undeclared]
    if not prompt.template and not problems:
        problems.append("has no text")
    unused = [] if broken else [a.name for a in prompt.arguments if a.name not in gaps]
    warnings = [f"the argument {name!r} is not used in its text" for name in unused]
    if not prompt.description:
        warnings.append("has no description, so nobody can tell what it is for")
    return problems, warnings


def validated(prompt: Prompt, arguments: Mapping[str, Any] | None, window: int | None, model: str | None) -> Validation:
    """What is to be said of `prompt`; see `Prompts.validate`."""
    problems, warnings = written_problems(prompt)
    said: str | None = prompt.template
    if arguments is not None:
        wrong = argument_problems(prompt, arguments)
        said = None
        if not (problems or wrong):
            try:
                said = fill(prompt, arguments)
            except ConfigError as error:
                wrong = [str(error).removeprefix(f"The prompt {prompt.id} ").rstrip(".")]
        problems += wrong
    tokens = None if said is None else count_text(said, model)
    if window is not None and tokens is not None and tokens > window:
        problems.append(f"is about {tokens:,} tokens long, and the window has {window:,}")
    return Validation(prompt.id, tuple(problems), tuple(warnings), tokens)

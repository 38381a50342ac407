"""Fills the gaps of a prompt, and bounds what that may take.

A prompt's language is a part of Jinja's: gaps, `if`, `for`, `set`, filters and tests. What fills a gap is text and is
never read as a template. A loop that does not end, a text that grows without bound and a way to Python's own
attributes end with one sentence. Whoever writes prompts is bounded, not locked up: they should be trusted as much as
somebody who may use up `MOST_SECONDS` of a processor.
"""

import json
import operator
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from toolkit.errors import ConfigError
from toolkit.prompts.prompt import Prompt

if TYPE_CHECKING:
    from jinja2 import Template, nodes
    from jinja2.sandbox import SandboxedEnvironment

MOST_CHARACTERS = 4_000_000
"""Of a rendered prompt, and of every text on the way to it: about what the largest window holds."""
MOST_STEPS = 50_000
"""Turns of all loops of one prompt together."""
MOST_SECONDS = 5.0
"""For the loops of one prompt."""

_LONGEST_RANGE = 10_000
_FILTERS = frozenset(
    {
        *("abs", "capitalize", "count", "d", "default", "first", "float", "int", "items", "last", "length", "list"),
        *("lower", "map", "max", "min", "reject", "rejectattr", "reverse", "round", "select", "selectattr", "sort"),
        *("sum", "title", "trim", "truncate", "unique", "upper", "wordcount"),
    }
)
_METHODS = frozenset(
    {
        *("capitalize", "cycle", "endswith", "get", "items", "keys", "lower", "removeprefix", "removesuffix"),
        *("split", "splitlines", "startswith", "strip", "title", "upper", "values"),
    }
)


def fill(prompt: Prompt, arguments: Mapping[str, Any]) -> str:
    """The text of `prompt` with its gaps filled; arguments that may be left out have their defaults.

    Raises:
        ConfigError: an argument is missing or unknown, or the text cannot be made; the message names it.
    """
    if problems := argument_problems(prompt, arguments):
        raise ConfigError(f"The prompt {prompt.id} {'; '.join(problems)}; {_takes(prompt)}.")
    values = {argument.name: arguments.get(argument.name, argument.default) for argument in prompt.arguments}
    from jinja2 import TemplateError  # noqa: PLC0415 - 30 ms that a start without a prompt need not pay

    token = _spent.set(_Spent())
    try:
        return "".join(_bounded(_compiled(prompt.template).generate(values))).strip()
    except (TemplateError, ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ConfigError(f"The prompt {prompt.id} cannot be rendered: {str(error).rstrip('.')}.") from error
    finally:
        _spent.reset(token)


def argument_problems(prompt: Prompt, arguments: Mapping[str, Any]) -> list[str]:
    """What is missing in `arguments` and what is unknown, each a clause about the prompt."""
    known = [argument.name for argument in prompt.arguments]
    missing = [a.name for a in prompt.arguments if a.required and a.name not in arguments]
    return [
        *(f"has no argument {name!r}" for name in arguments if name not in known),
        *(f"needs the argument {name!r}" for name in missing),
    ]


def _takes(prompt: Prompt) -> str:
    return f"it takes {', '.join(argument.name for argument in prompt.arguments) or 'none'}"


def template_problems(template: str) -> tuple[list[str], frozenset[str]]:
    """What is wrong with a text as a template, each a clause, and the names of its gaps."""
    if "{" not in template:
        return [], frozenset()
    from jinja2 import TemplateSyntaxError, meta  # noqa: PLC0415 - as above

    jinja = _jinja()
    gaps: frozenset[str] = frozenset()
    try:
        tree = jinja.parse(template)
        gaps = frozenset(meta.find_undeclared_variables(tree)) - jinja.globals.keys()
        if problems := list(_unfit(tree)):
            return problems, gaps
        _compiled(template)
    except TemplateSyntaxError as error:
        return [f"is no template ({str(error.message).rstrip('.')}, line {error.lineno} of its text)"], gaps
    except (RecursionError, ValueError, OverflowError, MemoryError, SyntaxError) as error:
        return [f"is no template ({type(error).__name__}: it is nested too deeply or holds too large a number)"], gaps
    return [], gaps


@lru_cache(maxsize=128)
def _compiled(template: str) -> "Template":
    from jinja2 import TemplateRuntimeError, nodes  # noqa: PLC0415 - as above
    from jinja2.visitor import NodeTransformer  # noqa: PLC0415

    class Counting(NodeTransformer):
        """Has the turns of every loop counted, and texts that are put together measured."""

        def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802 - jinja's name
            self.generic_visit(node)
            node.iter = nodes.Filter(node.iter, "_counted", [], [], None, None, lineno=node.lineno)
            return node

        def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802 - jinja's name
            self.generic_visit(node)
            parts = nodes.List(node.nodes, lineno=node.lineno)
            return nodes.Filter(parts, "join", [], [], None, None, lineno=node.lineno)

    tree = _jinja().parse(template)
    for problem in _unfit(tree):
        raise TemplateRuntimeError(problem)
    Counting().visit(tree)
    return _jinja().from_string(tree)


def _unfit(tree: "nodes.Template") -> Iterator[str]:
    """What Jinja could do and a prompt may not."""
    from jinja2 import nodes  # noqa: PLC0415 - as above

    plain = (nodes.Output, nodes.If, nodes.For, nodes.Assign)
    for statement in tree.find_all(nodes.Stmt):
        if not isinstance(statement, plain):
            name = type(statement).__name__.removesuffix("Block").lower()
            yield f"uses `{name}` in line {statement.lineno} of its text; there are gaps, `if`, `for` and `set`"
        elif isinstance(statement, nodes.For) and statement.recursive:
            yield f"has a recursive loop in line {statement.lineno} of its text; write a plain one"


class _Spent:
    """What one rendering has taken so far."""

    def __init__(self) -> None:
        self.steps = 0
        self.until = time.monotonic() + MOST_SECONDS

    def step(self) -> None:
        self.steps += 1
        if self.steps > MOST_STEPS:
            raise OverflowError(f"its loops take more than {MOST_STEPS:,} turns")
        if time.monotonic() > self.until:
            raise OverflowError(f"it takes longer than {MOST_SECONDS:g} s")


_spent: ContextVar[_Spent] = ContextVar("spent")


def _bounded(pieces: Iterable[str]) -> Iterator[str]:
    length = 0
    for piece in pieces:
        length += len(piece)
        _small(length)
        yield piece


def _small(length: int) -> None:
    if length > MOST_CHARACTERS:
        raise OverflowError(f"it grows beyond {MOST_CHARACTERS:,} characters")


def _counted(values: Any) -> Iterator[Any]:
    spent = _spent.get()
    for value in values:
        spent.step()
        yield value


def _said(value: Any) -> Any:
    """What is put into a gap: texts and numbers; printing anything else says too much or never ends."""
    from jinja2 import Undefined  # noqa: PLC0415 - as above

    if isinstance(value, str | int | float | Undefined) or value is None:
        return value
    raise TypeError(f"a {type(value).__name__} cannot be written as it is; use `| join(', ')` or `| tojson`")


def _range(*bounds: int) -> range:
    turns = range(*bounds)
    if turns[_LONGEST_RANGE:]:
        raise OverflowError(f"a range may have {_LONGEST_RANGE:,} numbers at most")
    return turns


def _join(values: Iterable[Any], separator: str = "") -> str:
    parts = [str(_said(value)) for value in _counted(values)]
    _small(sum(map(len, parts)) + len(separator) * len(parts))
    return separator.join(parts)


def _replace(text: str, old: str, new: str) -> str:
    text, old, new = str(_said(text)), str(_said(old)), str(_said(new))
    _small(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


def _indent(text: str, width: int = 4, first: bool = False) -> str:
    lines = str(_said(text)).splitlines()
    _small(len(text) + len(lines) * width)
    return "\n".join(" " * width + line if line.strip() and (n or first) else line for n, line in enumerate(lines))


def _tojson(value: Any, indent: int | None = None) -> str:
    if indent is not None:
        _small(indent)
    encoder = json.JSONEncoder(ensure_ascii=False, indent=indent)
    return "".join(_bounded(encoder.iterencode(value)))


def _operation(name: str) -> Callable[[Any, Any], Any]:
    """An operator that gives nothing larger than a prompt may hold."""
    plain: Mapping[str, Callable[[Any, Any], Any]] = {"+": operator.add, "*": operator.mul, "%": operator.mod}

    def run(left: Any, right: Any) -> Any:
        if name == "+" and hasattr(left, "__len__") and hasattr(right, "__len__"):
            _small(len(left) + len(right))
        elif name == "%" and isinstance(left, str):
            raise TypeError("`%` is for numbers; write the text with a gap in it")
        elif name == "*":
            for many, times in ((left, right), (right, left)):
                if hasattr(many, "__len__") and isinstance(times, int):
                    _small(len(many) * times)
        result = plain[name](left, right)
        if isinstance(result, int):
            _small(result.bit_length())
        return result

    return run


@cache
def _jinja() -> "SandboxedEnvironment":
    from jinja2 import StrictUndefined  # noqa: PLC0415 - as above
    from jinja2.runtime import LoopContext  # noqa: PLC0415
    from jinja2.sandbox import ImmutableSandboxedEnvironment  # noqa: PLC0415

    class Sandbox(ImmutableSandboxedEnvironment):
        """Gives data, and no function but a few that cannot do harm."""

        intercepted_binops = frozenset({"+", "*", "%", "**"})

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            if not super().is_safe_attribute(obj, attr, value):
                return False
            return not callable(value) or (attr in _METHODS and isinstance(obj, str | dict | LoopContext))

        def is_safe_callable(self, obj: Any) -> bool:
            owner = getattr(obj, "__self__", None)
            known = getattr(obj, "__name__", "") in _METHODS and isinstance(owner, str | dict | LoopContext)
            return obj is _range or known

    def power(_left: Any, _right: Any) -> Any:
        raise TypeError("`**` is not there in prompts")

    jinja = Sandbox(undefined=StrictUndefined, keep_trailing_newline=True, optimized=False, finalize=_said)
    jinja.globals = {"range": _range}
    own = {"_counted": _counted, "indent": _indent, "join": _join, "replace": _replace, "tojson": _tojson}
    jinja.filters = {name: jinja.filters[name] for name in _FILTERS} | own
    jinja.binop_table |= {name: _operation(name) for name in ("+", "*", "%")} | {"**": power}
    return jinja

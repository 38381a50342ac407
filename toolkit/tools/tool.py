"""A tool: a function that a model may call, described by its own signature and docstring."""

import inspect
import json
import logging
import re
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeVar, overload

from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar
from pydantic_core import to_jsonable_python

from toolkit.display.card import Card, Cell, Code, Table, Text, line
from toolkit.display.shown import Shown
from toolkit.errors import CassetteError, ConfigError, ToolError, ToolkitError
from toolkit.messages import Json, ToolSpec
from toolkit.redaction import redact
from toolkit.tools import docstring
from toolkit.tools.parameters import Parameters

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_THREADS = 64  # of tools alone: those that outlive their time must not take the threads of everything else
_threads: RunVar[CapacityLimiter] = RunVar("threads of tools")
_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class Progress(Protocol):
    """Tells whoever waits how far a long call is."""

    async def __call__(self, done: float, total: float | None = None, message: str = "") -> None:
        """`done` of `total` (None if unknown), and what is being done, in a few words."""
        ...


async def no_progress(done: float, total: float | None = None, message: str = "") -> None:
    """Nobody is waiting to hear."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who calls a tool, and how to reach them; a tool gets it by a parameter annotated `ToolContext`.

    Attributes:
        session_id: the conversation that the call belongs to.
        user: who is behind it.
        origin: the application that asked.
        progress: for calls that take long.
        authenticated: `user` is proven, not merely said.
        call_id: the question that the tool is called for, as in the ledger; None where there is none.
        cancelled: set when nobody waits any more, because the caller went away or the time is over. A plain function
            runs on a thread that nobody can stop: where it takes long it should look here now and then. Each call that
            is made through a registry gets its own.
    """

    session_id: str | None = None
    user: str | None = None
    origin: str | None = None
    progress: Progress = no_progress
    authenticated: bool = False
    call_id: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event, compare=False, repr=False)

    @property
    def owner(self) -> str | None:
        """Whose sessions alone may be seen; None is everyone's."""
        return self.user if self.authenticated else None


@dataclass(frozen=True, slots=True, repr=False)
class ToolResult(Shown):
    """What a tool answers, in two forms that say the same.

    Attributes:
        text: for a model that reads: complete and compact.
        data: for a program: a JSON object.
    """

    text: str
    data: Json

    def _shown(self) -> Card:
        return Card(body=(Text(self.text, code=True),), kind="Result", whole=True)


@dataclass(frozen=True, slots=True, repr=False)
class Tool(Shown):
    """A function with what a model, a host and a form must know of it.

    Attributes:
        name: snake_case, at most 64 characters.
        title: for people, a few words.
        description: what it does and when to use it.
        parameters: JSON Schema of the arguments: an object with flat properties, without `$ref`, `title` or unions.
        read_only: it changes nothing.
        destructive: it may delete or overwrite something.
        idempotent: calling it twice with the same arguments is the same as once.
        open_world: it reaches beyond this machine's own store, e.g. a vendor's model.
        presets: the named sets of tools that it belongs to.
        run: checks the arguments and calls the function. Raises ToolError.
        timeout: seconds that a call may take; None is the registry's limit, `math.inf` is none.
        source: where it comes from: empty for the program's own, else e.g. `tools.json`, `mcp:github`, `package:acme`.
        supposed: `destructive` is only what must be supposed, for whoever offers it does not say.
        check: looks at the arguments and calls nothing, for whoever must ask somebody before the call; `run` checks
            them again. Raises ToolArgumentsError. None where only `run` can.
    """

    name: str
    title: str
    description: str
    parameters: Json
    run: Callable[[Json, ToolContext], Awaitable[ToolResult]]
    read_only: bool = False
    destructive: bool = False
    idempotent: bool = False
    open_world: bool = False
    presets: frozenset[str] = field(default_factory=frozenset)
    timeout: float | None = None
    source: str = ""
    supposed: bool = False
    check: Callable[[Json], object] | None = field(default=None, compare=False, repr=False)

    @property
    def spec(self) -> ToolSpec:
        """The tool as a model sees it."""
        return ToolSpec(self.name, self.description, self.parameters)

    def _shown(self) -> Card:
        facts: dict[str, Cell] = {
            "title": self.title,
            "read only": self.read_only,
            "may delete": self.destructive,
            "reaches out": self.open_world,
            "presets": ", ".join(sorted(self.presets)),
            "from": Code(self.source) if self.source else None,
            "takes": Code(", ".join(self.parameters.get("properties", {}))),
        }
        return Card(self.name, facts, (self.description, *_arguments(self.parameters)), kind="Tool")


def _arguments(parameters: Json) -> list[Table]:
    """The arguments of a tool as a table; none where it takes none."""
    needed = parameters.get("required", ())
    rows: list[list[Cell]] = [
        [Code(name), _kind(about), name in needed, line(str(about.get("description", "")), 200)]
        for name, about in parameters.get("properties", {}).items()
        if isinstance(about, Mapping)
    ]
    return [Table(("argument", "kind", "needed", "what it is"), rows)] if rows else []


def _kind(about: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words."""
    kind = about.get("type", "any")
    told = " or ".join(map(str, kind)) if isinstance(kind, list) else str(kind)
    told = line(", ".join(map(str, about["enum"]))) if isinstance(about.get("enum"), list) else told
    return f"{told} = {line(str(about['default']), 40)}" if about.get("default") not in (None, "") else told


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...


@overload
def tool(
    *,
    name: str | None = None,
    title: str | None = None,
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
    open_world: bool = False,
    presets: Iterable[str] = (),
    timeout: float | None = None,
) -> Callable[[Callable[..., Any]], Tool]: ...


def tool(function: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Make a function a `Tool`; with or without parentheses.

    The name that was the function's is then the tool's. Where the function must stay callable, register it with
    `Toolkit.tool` instead, or make the tool beside it with `make_tool`.

    Args:
        function: see `make_tool`.
        options: the keywords of `make_tool`.

    Raises:
        ConfigError: a model could not use the function; the message names the parameter or what is missing.
    """
    if function is None:
        return lambda later: make_tool(later, **options)
    return make_tool(function)


def make_tool(
    function: Callable[..., Any],
    /,
    *,
    name: str | None = None,
    title: str | None = None,
    read_only: bool = False,
    destructive: bool = False,
    idempotent: bool = False,
    open_world: bool = False,
    presets: Iterable[str] = (),
    timeout: float | None = None,
) -> Tool:
    """A tool that calls `function`.

    The first paragraph of the docstring describes the tool; each parameter is described by its
    `Annotated[…, Field(description=…)]`, else by the docstring's section `Args:`. What the function gives back becomes
    the result: a `ToolResult` as it is, a text as text, anything else that JSON can say as compact JSON.

    A plain `def` runs on a thread, so it may block; when its caller is cancelled it still runs to its end, unheard.

    The tool raises `ToolError` only: the function's own as it is; another `ToolkitError` with the same sentence and
    that error as its cause; anything else as the class and message, with the traceback in the log.

    Args:
        function: `def` or `async def`, with a docstring and with annotations.
        name: the function's, if not given.
        title: the name in words, if not given.
        read_only: see `Tool`, as for all that follow.
        destructive: may delete or overwrite.
        idempotent: twice is the same as once.
        open_world: reaches beyond this machine's own store.
        presets: the sets of tools that it belongs to.
        timeout: seconds.

    Raises:
        ConfigError: a model could not use the function; the message names the parameter or what is missing.
    """
    if not inspect.isroutine(function):
        raise ConfigError(f"A tool is made of a function, not of {function!r}; define one with `def` or `async def`.")
    called = valid_name(name or function.__name__)
    description = docstring.summary(function)
    if not description:
        raise ConfigError(f"Tool {called}: the function has no docstring; say in one what it does and when to use it.")
    if timeout is not None and not timeout > 0:
        raise ConfigError(f"Tool {called}: its timeout is {timeout!r}; give it seconds above 0.")
    described = docstring.arguments(function)
    parameters = Parameters.of(function, tool=called, described=described, context=ToolContext)

    async def run(arguments: Json, context: ToolContext) -> ToolResult:
        injected = {parameters.injected: context} if parameters.injected else {}

        async def work() -> ToolResult:
            return result_of(await _call(function, {**parameters.check(called, arguments), **injected}))

        return await in_words(called, work())

    return Tool(
        name=called,
        title=title or called.replace("_", " ").capitalize(),
        description=description,
        parameters=parameters.schema,
        run=run,
        read_only=read_only,
        destructive=destructive,
        idempotent=idempotent,
        open_world=open_world,
        presets=frozenset(presets),
        timeout=timeout,
        check=partial(parameters.check, called),
    )


def valid_name(name: str) -> str:
    """`name`, if every host takes it as the name of a tool.

    Raises:
        ConfigError: it is not snake_case of at most 64 characters.
    """
    if not _NAME.fullmatch(name):
        raise ConfigError(f"{name!r} cannot name a tool; use snake_case of at most 64 characters, a letter first.")
    return name


async def in_words(who: str, work: Awaitable[_T]) -> _T:
    """What `work` gives; where it fails, a model can read why.

    Args:
        who: failed, for what is no error of the toolkit's own.
        work: is awaited.

    Raises:
        ToolError: its own as it is, another `ToolkitError` with the same sentence, anything else as the class and
            message, with the traceback in the log.
    """
    try:
        return await work
    except (ToolError, CassetteError):  # the whole question ends with what is not in a recording
        raise
    except ToolkitError as error:
        raise ToolError(str(error)) from error
    except (Exception, SystemExit) as error:  # a tool that exits must not end the server that it runs in
        _log.exception("%s failed.", who)
        raise ToolError(f"{who} failed: {redact(f'{type(error).__name__}: {error}')}".rstrip(": ")) from error


async def _call(function: Callable[..., Any], values: Mapping[str, Any]) -> Any:
    if inspect.iscoroutinefunction(function):
        return await function(**values)
    try:
        threads = _threads.get()
    except LookupError:
        threads = CapacityLimiter(_THREADS)
        _threads.set(threads)
    return await to_thread.run_sync(partial(function, **values), abandon_on_cancel=True, limiter=threads)


def result_of(value: Any) -> ToolResult:
    """What a function gave back, as a tool's answer; see `make_tool`."""
    if isinstance(value, ToolResult):
        return ToolResult(value.text, to_jsonable_python(value.data, inf_nan_mode="null"))
    if isinstance(value, str):
        return ToolResult(value, {"result": value})
    data = to_jsonable_python(value, inf_nan_mode="null")
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return ToolResult(text, data if isinstance(data, dict) else {"result": data})

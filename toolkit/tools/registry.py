"""The tools that there are: added by name, listed in that order, called by name."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias, TypeVar, overload

from toolkit.errors import ConfigError, Conflict, NotFound, ToolArgumentsError, choices
from toolkit.tools.complaints import nearest
from toolkit.tools.tool import Tool, ToolContext, ToolResult, make_tool, valid_name

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Tools: TypeAlias = list[Tool]  # `list` is a method below


class ToolRegistry:
    """Tools by name.

    Args:
        tools: the first ones.
    """

    def __init__(self, tools: Iterable[Tool] = ()) -> None:
        self._tools: dict[str, Tool] = {}
        for each in tools:
            self.add(each)

    def add(self, function_or_tool: Callable[..., Any] | Tool, /, **options: Any) -> Tool:
        """Register a tool, or a function as one, and give the tool.

        Args:
            function_or_tool: what a model may call.
            options: of a function, the keywords of `make_tool`; a `Tool` has its own and takes none.

        Raises:
            ConfigError: a model could not use it; the message says why.
            Conflict: there is a tool of that name.
        """
        if isinstance(function_or_tool, Tool):
            if options:
                raise ConfigError(
                    f"{', '.join(options)}: a tool that is made already takes no options; make it with them."
                )
            added = function_or_tool
            valid_name(added.name)
        else:
            added = make_tool(function_or_tool, **options)
        if added.name in self._tools:
            raise Conflict(f"There is a tool {added.name!r} already; remove it first or choose another name.")
        self._tools[added.name] = added
        return added

    @overload
    def tool(self, function: _Function, /) -> _Function: ...

    @overload
    def tool(self, /, **options: Any) -> Callable[[_Function], _Function]: ...

    def tool(self, function: Any = None, /, **options: Any) -> Any:
        """Register the decorated function and leave it as it is; with or without parentheses.

        Args:
            function: as for `add`, as are the `options`.
            options: the keywords of `make_tool`.
        """

        def register(later: Any) -> Any:
            self.add(later, **options)
            return later

        return register if function is None else register(function)

    def remove(self, name: str) -> None:
        """Take a tool out.

        Raises:
            NotFound: there is none of that name; the message has the nearest.
        """
        self.get(name)
        del self._tools[name]

    def get(self, name: str) -> Tool:
        """The tool `name`.

        Raises:
            NotFound: there is none; the message has the nearest name.
        """
        if name not in self._tools:
            raise NotFound(no_such("tool", name, self._tools))
        return self._tools[name]

    def list(self, names: Iterable[str] | None = None, *, preset: str | None = None, read_only: bool = False) -> _Tools:
        """Tools in the order in which they were added.

        Args:
            names: only these; None is all.
            preset: only those of this set. A tool that names no set is in every one: it is the user's own.
            read_only: only those that change nothing.

        Raises:
            NotFound: a name or a set that there is not.
        """
        wanted = None if names is None else {self.get(name).name for name in names}
        sets = sorted({each for tool in self._tools.values() for each in tool.presets})
        if preset is not None and preset not in sets:
            raise NotFound(no_such("preset", preset, sets))
        return [
            tool
            for tool in self._tools.values()
            if (wanted is None or tool.name in wanted)
            and (preset is None or not tool.presets or preset in tool.presets)
            and (tool.read_only or not read_only)
        ]

    async def call(self, name: str, arguments: Mapping[str, Any], context: ToolContext | None = None) -> ToolResult:
        """Check the arguments, call the tool and give what it answers.

        Raises:
            NotFound: there is no such tool; the message has the nearest name.
            ToolArgumentsError: the arguments do not fit; the message names each that is wrong.
            ToolError: the tool failed; what it failed with is the cause.
        """
        found = self.get(name)
        if not isinstance(arguments, Mapping):
            raise ToolArgumentsError(f"{name}: the arguments must be a JSON object.")
        return await found.run(dict(arguments), context or ToolContext())


def no_such(what: str, name: str, names: Iterable[str]) -> str:
    """The sentence that there is no `name`, with the nearest of `names`, else with all of them."""
    known = list(names)
    meant = nearest(name, known)
    if meant:
        return f"There is no {what} {name!r}; the nearest is {meant!r}."
    return f"There is no {what} {name!r}; {choices(known)}."

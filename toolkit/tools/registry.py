"""The tools that there are: added by name or brought by a source, listed in that order, called by name."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, TypeAlias, TypeVar, overload

from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, Conflict, NotFound, choices
from toolkit.tools.called import Call, OnCall
from toolkit.tools.complaints import nearest
from toolkit.tools.source import Attached, ToolSource, merge
from toolkit.tools.tool import Tool, ToolContext, ToolResult, make_tool, valid_name

WITHIN = 10.0
"""Seconds that sources may take to say what they have, where nobody says otherwise."""

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Tools: TypeAlias = Listing[Tool]  # `list` is a method below
_Sources: TypeAlias = list[Attached]
_Problems: TypeAlias = list[str]


class ToolRegistry:
    """Tools by name.

    Args:
        tools: the first ones.
        on_call: told after every call of a tool that there is; it never breaks the call.
    """

    def __init__(self, tools: Iterable[Tool] = (), *, on_call: OnCall | None = None) -> None:
        self._own: dict[str, Tool] = {}
        self._brought: dict[str, Tool] = {}
        self._sources: _Sources = []
        self._on_call = on_call
        self._problems: _Problems = []
        self._version = 0
        self._listening: set[asyncio.Event] = set()
        self._refreshing = asyncio.Lock()
        self._reloads: set[asyncio.Task[None]] = set()
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
        if added.name in self._own:
            raise Conflict(f"There is a tool {added.name!r} already; remove it first or choose another name.")
        self._own[added.name] = added
        self._merge(changed=True)
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
        """Take a tool of the program's own out.

        Raises:
            NotFound: there is none of that name; the message has the nearest.
            ConfigError: it comes from a source, which would bring it again.
        """
        if source := self.get(name).source if name not in self._own else "":
            raise ConfigError(f"The tool {name!r} comes from {source}; take it out there.")
        del self._own[name]
        self._merge(changed=True)

    def get(self, name: str) -> Tool:
        """The tool `name`.

        Raises:
            NotFound: there is none; the message has the nearest name, and says where sources were not asked yet.
        """
        found = self._own.get(name) or self._brought.get(name)
        if found:
            return found
        unknown = no_such("tool", name, [*self._own, *self._brought])
        if unasked := self._unasked():
            raise NotFound(f"{unknown} What {' and '.join(unasked)} has is not known yet; refresh the tools first.")
        raise NotFound(unknown)

    def list(self, names: Iterable[str] | None = None, *, preset: str | None = None, read_only: bool = False) -> _Tools:
        """Tools in the order in which they were added, those of sources last.

        Args:
            names: only these; None is all.
            preset: only those of this set. A tool that names no set is in every one: it is the user's own.
            read_only: only those that change nothing.

        Raises:
            NotFound: a name or a set that there is not.
        """
        wanted = None if names is None else {self.get(name).name for name in names}
        every = [*self._own.values(), *self._brought.values()]
        if preset is not None:
            sets = sorted({each for tool in every for each in tool.presets})
            if preset not in sets:
                raise NotFound(no_such("preset", preset, sets))
        return Listing(
            tool
            for tool in every
            if (wanted is None or tool.name in wanted)
            and (preset is None or not tool.presets or preset in tool.presets)
            and (tool.read_only or not read_only)
        )

    async def call(
        self,
        name: str,
        arguments: Mapping[str, Any],
        context: ToolContext | None = None,
        *,
        timeout: float | None = None,
    ) -> ToolResult:
        """Check the arguments, call the tool and give what it answers.

        Sources that were attached and not asked yet are asked, if no other tool has the name.

        Args:
            name: of the tool.
            arguments: a JSON object.
            context: on whose behalf.
            timeout: seconds; None is the tool's own limit, else a minute. When they are over a coroutine is cancelled,
                while a plain function runs on unheard; either finds `context.cancelled` set.

        Raises:
            NotFound: there is no such tool; the message has the nearest name.
            ToolArgumentsError: the arguments do not fit; the message names each that is wrong.
            ToolError: the tool failed, or took too long; what it failed with is the cause.
        """
        if name not in self._own and name not in self._brought and self._unasked():
            await self.refresh()
        return await Call(self.get(name), arguments, context, self._on_call).run(timeout)

    async def refused(self, name: str, arguments: Mapping[str, Any], context: ToolContext, why: str) -> None:
        """Tell `on_call` that a call was not allowed, and so not made.

        Args:
            name: of the tool.
            arguments: with which it was to be called.
            context: on whose behalf.
            why: one sentence.

        Raises:
            NotFound: there is no such tool.
        """
        await Call(self.get(name), arguments, context, self._on_call).refuse(why)

    def attach(self, source: ToolSource) -> None:
        """Have the tools of `source` too, from the next `refresh` on; the program's own win a name that both have."""
        self._sources.append(Attached(source, self._changed))

    async def refresh(self, within: float = WITHIN) -> _Problems:
        """Ask every source what it has, all at once.

        A source that fails or hangs hides no other: its problem is told, and what it gave before stays.

        Args:
            within: seconds.

        Returns:
            What is wrong, a sentence each.
        """
        until = asyncio.get_running_loop().time() + within
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until):
                await self._refreshing.acquire()
            try:
                await asyncio.gather(*(each.load(until) for each in self._sources))
                self._merge()
            finally:
                self._refreshing.release()
        return self.problems

    @property
    def problems(self) -> _Problems:
        """What was wrong with the sources when they were last asked, a sentence each."""
        return self._problems.copy()

    @property
    def version(self) -> int:
        """How often the list of tools has changed."""
        return self._version

    async def changes(self) -> AsyncIterator[int]:
        """The version, each time that it has changed; several changes at once are one."""
        seen, changed = self._version, asyncio.Event()
        self._listening.add(changed)
        try:
            while True:
                await changed.wait()
                changed.clear()
                if self._version != seen:
                    seen = self._version
                    yield seen
        finally:
            self._listening.discard(changed)

    async def close(self) -> None:
        """Close every source; its tools stay listed, and a refresh begins anew."""
        for task in self._reloads:
            task.cancel()
        await asyncio.gather(*self._reloads, return_exceptions=True)
        await asyncio.gather(*(each.close() for each in self._sources))

    def _unasked(self) -> _Problems:
        return [each.source.name for each in self._sources if not each.loaded]

    def _changed(self, source: Attached) -> None:
        task = asyncio.ensure_future(self._reload(source))
        self._reloads.add(task)
        task.add_done_callback(self._reloads.discard)

    async def _reload(self, source: Attached) -> None:
        async with self._refreshing:
            await source.load(asyncio.get_running_loop().time() + WITHIN)
            self._merge()

    def _merge(self, *, changed: bool = False) -> None:
        before = self._brought
        self._brought, self._problems = merge(self._sources, self._own)
        if changed or _listed(before) != _listed(self._brought):
            self._version += 1
            for each in self._listening:
                each.set()


def _listed(tools: Mapping[str, Tool]) -> "list[Tool]":
    """What a reader of the list sees: a source makes the same tools anew each time, and that is no change."""
    return [replace(tool, run=_unseen) for tool in tools.values()]


async def _unseen(_arguments: Any, _context: ToolContext) -> ToolResult:
    raise NotImplementedError


def no_such(what: str, name: str, names: Iterable[str]) -> str:
    """The sentence that there is no `name`, with the nearest of `names`, else with all of them."""
    known = list(names)
    meant = nearest(name, known)
    if meant:
        return f"There is no {what} {name!r}; the nearest is {meant!r}."
    return f"There is no {what} {name!r}; {choices(known)}."

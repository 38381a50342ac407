"""Tools that installed packages bring: the entry points of the group `toolkit.tools`."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from anyio import to_thread

from toolkit.errors import ConfigError, ToolkitError
from toolkit.tools.source import Given
from toolkit.tools.tool import Tool, make_tool

GROUP = "toolkit.tools"


class Packages:
    """A source of sources: one for each entry point of the group, so that a broken one hides no other.

    Nothing is looked for before the first `load`.

    Args:
        found: gives the entry points; by default those of what is installed.
    """

    def __init__(self, found: Callable[[], Iterable[EntryPoint]] | None = None) -> None:
        self.name = "packages"
        self._found = found or (lambda: entry_points(group=GROUP))
        self._given: list[Given] | None = None

    async def load(self) -> Sequence[Given]:
        """The entry points; what is installed while the process runs is not seen."""
        if self._given is None:
            self._given = [_Package(point) for point in await to_thread.run_sync(lambda: list(self._found()))]
        return self._given

    def watch(self, changed: Callable[[], None]) -> None:
        """What is installed does not change while the process runs."""

    async def close(self) -> None:
        """It holds nothing."""


class _Package:
    def __init__(self, point: EntryPoint) -> None:
        self.name = f"package:{point.dist.name if point.dist else point.name}"
        self._point = point
        self._tools: list[Tool] | None = None

    async def load(self) -> Sequence[Tool]:
        """Import it, on a thread: an import may take long."""
        if self._tools is None:
            self._tools = await to_thread.run_sync(self._import, abandon_on_cancel=True)
        return self._tools

    def watch(self, changed: Callable[[], None]) -> None:
        """Its tools do not change."""

    async def close(self) -> None:
        """It holds nothing."""

    def _import(self) -> list[Tool]:
        where = f"{self.name}, entry point {self._point.name!r}"
        try:
            return [_tool(each) for each in _list(self._point.load())]
        except ToolkitError as error:
            raise ConfigError(f"{where}: {error}") from error
        except (Exception, SystemExit) as error:
            said = f"{type(error).__name__}: {error}".rstrip(": ")
            raise ConfigError(f"{where} cannot be loaded ({said}); mend or uninstall the package.") from error


def _list(value: Any) -> list[Any]:
    """What an entry point names, as a list.

    A function without parameters is called and gives the list: a tool that takes none is made with `@tool`.
    """
    if callable(value) and not isinstance(value, Tool) and not inspect.signature(value).parameters:
        value = value()
    if isinstance(value, list | tuple):
        return list(value)
    return [value]


def _tool(value: Any) -> Tool:
    if isinstance(value, Tool):
        return value
    if not inspect.isroutine(value):
        raise ConfigError(f"{value!r} is neither a tool nor a function; give tools, functions, or a list of these.")
    return make_tool(value)

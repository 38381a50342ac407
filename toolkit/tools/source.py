"""Tools that come from somewhere else: a file, another server, an installed package."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeAlias, runtime_checkable

from toolkit.errors import ConfigError, ToolkitError
from toolkit.redaction import redact
from toolkit.tools.tool import Tool, valid_name

_log = logging.getLogger(__name__)


@runtime_checkable
class ToolSource(Protocol):
    """Gives tools, and may give other ones later.

    An implementer must not connect or read anything before `load`, and must end what it is doing when `load` is
    cancelled: that is how one that hangs is kept from holding up the others.

    Attributes:
        name: short, and different from every other's, e.g. `mcp:github`.
    """

    @property
    def name(self) -> str:
        """Said where a tool comes from, and in problems."""
        ...

    async def load(self) -> "Sequence[Given]":
        """What there is now: tools, and further sources, which are loaded next and on their own.

        Raises:
            ToolkitError: why there is nothing, in one sentence. What was given before stays.
        """
        ...

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed`, on the event loop, whenever `load` would give something else than it gave last."""
        ...

    async def close(self) -> None:
        """Let go of what `load` took hold of; harmless where that is nothing."""
        ...


Given: TypeAlias = Tool | ToolSource


@dataclass(slots=True, eq=False)
class Attached:
    """A source with what it gave last.

    Attributes:
        source: itself.
        changed: what it calls when it has other tools.
        tools: its own.
        parts: the sources that it gave.
        problem: why it gave nothing the last time, None if it did.
        loaded: it was asked, whatever came of it.
    """

    source: ToolSource
    changed: "Callable[[Attached], None]"
    tools: list[Tool] = field(default_factory=list)
    parts: "list[Attached]" = field(default_factory=list)
    problem: str | None = None
    loaded: bool = False

    def __post_init__(self) -> None:
        self.source.watch(lambda: self.changed(self))

    def family(self) -> "Iterator[Attached]":
        """It and every source that came of it."""
        yield self
        for part in self.parts:
            yield from part.family()

    async def load(self, until: float) -> None:
        """Ask the source, then those that it gave, all at once; a failure is kept as the problem.

        Args:
            until: by the clock of the event loop.
        """
        try:
            async with asyncio.timeout_at(until):
                given = await self.source.load()
        except TimeoutError:
            self.problem = f"{self.source.name} did not answer in time; its tools come when it does."
        except ToolkitError as error:
            self.problem = redact(str(error))
        except Exception as error:  # noqa: BLE001 - a source that is broken must not hide the others
            _log.exception("The tools of %s could not be loaded.", self.source.name)
            self.problem = redact(f"{self.source.name} failed: {type(error).__name__}: {error}".rstrip(": "))
        else:
            self.problem = None
            self.tools = [each for each in given if isinstance(each, Tool)]
            await self._take([each for each in given if not isinstance(each, Tool)])
        self.loaded = True
        await asyncio.gather(*(part.load(until) for part in self.parts))

    async def _take(self, sources: Sequence[ToolSource]) -> None:
        """Keep those that it gave before as they are, and let go of those that it gives no more."""
        known = {id(part.source): part for part in self.parts}
        self.parts = [known.get(id(each)) or Attached(each, self.changed) for each in sources]
        await asyncio.gather(*(part.close() for part in known.values() if part not in self.parts))

    async def close(self) -> None:
        """Close the source and those that it gave; a failure is logged."""
        closing = [each.source.close() for each in self.family()]
        for failure in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(failure, Exception):
                _log.error("%s could not be closed.", self.source.name, exc_info=failure)


def merge(sources: Sequence[Attached], taken: "dict[str, Tool]") -> tuple[dict[str, Tool], list[str]]:
    """The tools of all `sources` by name, and what is wrong with any, in sentences.

    Args:
        sources: those that stand first win a name.
        taken: the program's own tools, which win over all of them.
    """
    tools: dict[str, Tool] = {}
    problems: list[str] = []
    for each in (member for source in sources for member in source.family()):
        if each.problem:
            problems.append(each.problem)
        for tool in each.tools:
            holder = taken.get(tool.name) or tools.get(tool.name)
            origin = tool.source or each.source.name
            if holder:
                whose = f"that of {holder.source}" if holder.source else "the toolkit's own"
                problems.append(f"{origin} has a tool {tool.name!r} too; {whose} is used, rename the other.")
                continue
            try:
                tools[valid_name(tool.name)] = replace(tool, source=origin)
            except ConfigError as error:
                problems.append(f"{origin}: {error}")
    return tools, problems

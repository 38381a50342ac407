"""The toolkit behind the server: assembled when a list is first asked for, opened when a tool is first called."""

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Final

SOURCES_WITHIN = 3.0
"""Seconds that the first list waits for the tools of other servers."""

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit


_log = logging.getLogger(__name__)

SOURCES_WITHIN: Final = 3.0
"""Seconds that a host waits for the tools of other servers; those that come later are in the next list."""


class House:
    """One toolkit for every connection of this process.

    A host waits for the handshake, so nothing is imported or opened before it.

    Args:
        assemble: makes the toolkit; it must not open anything.
    """

    def __init__(self, assemble: "Callable[[], Toolkit]") -> None:
        self._assemble = assemble
        self._furnished = False
        self._resumed = False
        self._asking = asyncio.Lock()
        self._asked = False

    @cached_property
    def toolkit(self) -> "Toolkit":
        """The toolkit with all its tools and prompts; its database may not be open yet.

        Raises:
            ConfigError: a setting cannot be used as written.
        """
        return self._assemble()

    async def furnish(self) -> None:
        """Where a file names tools of others, have them before the tools are listed; the database is not needed."""
        if not self._furnished and self.toolkit.settings.tools_file:
            self._furnished = True
            await self.toolkit.tools.refresh(within=SOURCES_WITHIN)

    async def furnished(self) -> "Toolkit":
        """The toolkit with the tools that its sources have; its database may not be open yet.

        Raises:
            ConfigError: a setting cannot be used as written.
        """
        async with self._asking:
            if not self._asked:
                if self.toolkit.cassette:
                    self.toolkit.cassette.start()  # what sources say is recorded, and replayed
                for problem in await self.toolkit.tools.refresh(SOURCES_WITHIN):
                    _log.warning("%s", problem)
                self._asked = True
        return self.toolkit

    async def opened(self) -> "Toolkit":
        """The toolkit with its database open; the first time it goes on with what killed processes left unanswered.

        Raises:
            ConfigError: a setting cannot be used as written.
            DatabaseError: the database cannot be opened; the next call tries again.
        """
        await self.toolkit.start()
        if not self._resumed:
            self._resumed = True
            await self.toolkit.jobs.resume()
        return self.toolkit

    async def close(self) -> None:
        """Close the database; harmless where nothing was opened."""
        if "toolkit" in self.__dict__:
            await self.toolkit.close()

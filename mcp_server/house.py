"""The toolkit behind the server: assembled when a list is first asked for, opened when a tool is first called."""

import asyncio
import logging
from collections.abc import Callable
from functools import cached_property
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

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

    Attributes:
        furnished: set once the tools of others are there.
        has_keys: the database knows API keys, so that who calls over HTTP must bring one; None: it was not open yet.
    """

    def __init__(self, assemble: "Callable[[], Toolkit]") -> None:
        self._assemble = assemble
        self.has_keys: bool | None = None
        self._resumed = False
        self._curious: list[Callable[[Toolkit], object]] = []
        self._furnishing = asyncio.Lock()
        self.furnished = asyncio.Event()

    @cached_property
    def toolkit(self) -> "Toolkit":
        """The toolkit with all its tools and prompts; its database may not be open yet.

        Raises:
            ConfigError: a setting cannot be used as written.
        """
        tk = self._assemble()
        for hear in self._curious:
            hear(tk)
        return tk

    def tell(self, hear: "Callable[[Toolkit], object]") -> None:
        """Give `hear` the toolkit as soon as there is one, before it is opened."""
        if "toolkit" in self.__dict__:
            hear(self.toolkit)
        else:
            self._curious.append(hear)

    async def furnish(self) -> None:
        """Have the tools of others before tools are listed: of a file, of packages, of a folder of prompts.

        What is wrong with any goes to the log, once. A database that cannot be opened is no hindrance.

        Raises:
            ConfigError: a setting cannot be used as written.
        """
        if self.furnished.is_set():
            return
        async with self._furnishing:
            if self.furnished.is_set():
                return
            tk = self.toolkit
            from toolkit.tools.remote.packages import GROUP  # noqa: PLC0415 - before the handshake nothing is imported

            if tk.settings.tools_file or tk.settings.prompts_dir or entry_points(group=GROUP):
                if tk.cassette:
                    tk.cassette.start()  # what servers say is recorded, and replayed
                for problem in await tk.tools.refresh(SOURCES_WITHIN):
                    _log.warning("%s", problem)
            self.furnished.set()

    async def opened(self) -> "Toolkit":
        """The toolkit with its database open; the first time it goes on with what killed processes left unanswered.

        Raises:
            ConfigError: a setting cannot be used as written.
            DatabaseError: the database cannot be opened; the next call tries again.
        """
        await self.toolkit.start()
        self.has_keys = await self.toolkit.keys.any()
        if not self._resumed:
            self._resumed = True
            await self.toolkit.jobs.resume()
        return self.toolkit

    async def close(self) -> None:
        """Close the database; harmless where nothing was opened."""
        if "toolkit" in self.__dict__:
            await self.toolkit.close()

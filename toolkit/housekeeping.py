"""What has to be done now and then while a toolkit is open: forgetting what expired, and adding up."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Final

from toolkit.errors import DatabaseError
from toolkit.stamps import chance

FIRST: Final = 60.0
"""Seconds after the opening, so that a short program never pays for it."""
EVERY: Final = 300.0
"""Seconds between two rounds; chance moves each by a fifth, so that many processes do not come at once."""

_log = logging.getLogger(__name__)


class Housekeeping:
    """Runs chores in the background, one after the other. Several processes on one database may do so at once.

    Args:
        chores: by what they do, for the log.
        first: seconds until the first round.
        every: seconds between two rounds.
    """

    def __init__(
        self, chores: Mapping[str, Callable[[], Awaitable[object]]], *, first: float = FIRST, every: float = EVERY
    ) -> None:
        self._chores = chores
        self._first = first
        self._every = every
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin; harmless where it has begun."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="toolkit housekeeping")

    async def close(self) -> None:
        """Stop; a chore that is under way is left in the middle, and none minds."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def round(self) -> None:
        """Do every chore once; one that fails does not keep the others from being done."""
        for name, chore in self._chores.items():
            try:
                await chore()
            except DatabaseError as error:
                _log.warning("Housekeeping (%s) must wait: %s", name, error)
            except Exception:  # noqa: BLE001 - a mistake in one chore must not end the others
                _log.exception("Housekeeping (%s) failed.", name)

    async def _run(self) -> None:
        await asyncio.sleep(_about(self._first))
        while True:
            await self.round()
            await asyncio.sleep(_about(self._every))


def _about(seconds: float) -> float:
    return seconds * (0.8 + 0.4 * chance())

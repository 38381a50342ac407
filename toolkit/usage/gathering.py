"""Rows that nobody waits for: gathered for a moment, then written together.

A commit is a trip to the disk, which takes longer than most calls of tools. Such a call does not wait for its row.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from toolkit.db import Statement

SECONDS: Final = 0.05
"""How long a row may wait for others; a process that is killed meanwhile loses it."""

MOST: Final = 200
"""Rows that are written together at most."""


class Gathering:
    """Statements that wait for others.

    Args:
        write: begins to write a list, and does not wait for it.
    """

    def __init__(self, write: Callable[[Sequence[Statement]], object]) -> None:
        self._write = write
        self._rows: list[Statement] = []
        self._timer: asyncio.TimerHandle | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def add(self, rows: Sequence[Statement]) -> None:
        """Have `rows` written within a moment."""
        self._rows.extend(rows)
        if len(self._rows) >= MOST:
            self.let_go()
            return
        loop = asyncio.get_running_loop()
        if self._timer is None or self._loop is not loop:  # the timer of a loop that has ended never rings
            self._timer, self._loop = loop.call_later(SECONDS, self.let_go), loop

    def let_go(self) -> None:
        """Begin to write what is there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._rows:
            rows, self._rows = self._rows, []
            self._write(rows)

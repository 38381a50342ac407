"""Statements that took long: what they are, and how long they took."""

import logging
import re
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime

from toolkit.display.shown import Listing, Shown

KEPT = 100

_NAME = re.compile(
    r"""(?xi)
      \b(SELECT)\b .*? \bFROM\s+(?:"\w+"\.)?(\w+)
    | \b(INSERT\sINTO|UPDATE|DELETE\sFROM)\s+(?:"\w+"\.)?(\w+)
    """
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, repr=False)
class SlowQuery(Shown):
    """A statement that took longer than the limit.

    Attributes:
        name: its verb and first table, e.g. `UPDATE sessions`.
        milliseconds: from being sent until its rows were there.
        at: when that was.
        sql: its text without values.
    """

    name: str
    milliseconds: float
    at: datetime
    sql: str


class SlowQueries:
    """Keeps the last `KEPT` of them, counts all, and logs each.

    Args:
        limit: milliseconds; 0 keeps none.
    """

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._last: deque[SlowQuery] = deque(maxlen=KEPT)
        self.count = 0

    def note(self, sql: str, seconds: float) -> None:
        """Remember a statement that ran for `seconds`, if that is long; may be called from any thread."""
        if not self._limit or seconds * 1000 < self._limit:
            return
        # Not `stamps.now`: how long a database takes must not move a clock that is frozen.
        query = SlowQuery(name_of(sql), round(seconds * 1000, 1), datetime.now(UTC), " ".join(sql.split()))
        self.count += 1
        self._last.appendleft(query)
        _log.warning("Slow statement: %s took %.0f ms", query.name, query.milliseconds)

    def newest_first(self) -> Listing[SlowQuery]:
        """Those that are kept."""
        return Listing(self._last)


def name_of(sql: str) -> str:
    """Verb and first table of a statement, e.g. `INSERT INTO calls`, or its first word where it has no table."""
    words = " ".join(sql.split())
    match = _NAME.search(words)
    if match is None:
        return words.partition(" ")[0].upper()
    verb, table = (part for part in match.groups() if part)
    return f"{verb.upper()} {table}"

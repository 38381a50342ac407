"""Forgets what is old: sessions, rows of the ledger, events and jobs, a few at a time so that nobody has to wait."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from toolkit.display.card import Card
from toolkit.display.shown import Shown
from toolkit.usage.ledger import Ledger

BATCH = 500
"""Rows of one transaction at most."""

PAUSE = 0.05
"""Seconds between two transactions: SQLite's lock is not fair, and who waits for it must get a chance."""


Kind: TypeAlias = Literal["sessions", "calls", "events", "jobs"]
KINDS: tuple[Kind, ...] = ("sessions", "calls", "events", "jobs")
"""What can be forgotten."""


class Forgetful(Protocol):
    """A store that can forget what is old."""

    async def count_before(self, before: datetime) -> int:
        """How much `prune` would forget."""
        ...

    async def prune(self, before: datetime, limit: int) -> int:
        """Forget what is of `before` or earlier, in a transaction of at most `limit` rows; 0 when nothing is left."""
        ...


@dataclass(frozen=True, slots=True)
class Keeping:
    """The ledger, of which the single calls are forgotten and the sums are not."""

    ledger: Ledger

    async def count_before(self, before: datetime) -> int:
        """How many calls `prune` would forget."""
        return await self.ledger.count_before(before)

    async def prune(self, before: datetime, limit: int) -> int:
        """Forget some calls that are in the sums from then on."""
        return await self.ledger.prune(before, limit, keep_sums=True)


@dataclass(frozen=True, slots=True, repr=False)
class Forgotten(Shown):
    """What was forgotten.

    Attributes:
        before: everything of this moment or earlier.
        counts: how many, by what they are: one of `KINDS`.
    """

    before: datetime
    counts: Mapping[Kind, int]

    def _shown(self) -> Card:
        return Card("Forgotten", {str(kind): count for kind, count in self.counts.items()})


async def count(stores: Mapping[Kind, Forgetful], before: datetime) -> Forgotten:
    """What `prune` would forget; nothing is changed."""
    return Forgotten(before, {name: await store.count_before(before) for name, store in stores.items()})


async def prune(
    stores: Mapping[Kind, Forgetful],
    before: datetime,
    *,
    told: Callable[[Kind, int], None] = lambda _name, _count: None,
) -> Forgotten:
    """Forget what is of `before` or earlier, store by store.

    Each transaction touches at most `BATCH` rows, and a pause follows it: whoever writes meanwhile comes in between.
    What was forgotten stays so if it is interrupted; calling it again does the rest.

    Args:
        stores: what they keep to where it is kept.
        before: a moment; what is used or written from now on is newer.
        told: hears after each transaction how many of which were forgotten by now.
    """
    counts = dict.fromkeys(stores, 0)
    for name, store in stores.items():
        while forgotten := await store.prune(before, BATCH):
            counts[name] += forgotten
            told(name, counts[name])
            await asyncio.sleep(PAUSE)
    return Forgotten(before, counts)

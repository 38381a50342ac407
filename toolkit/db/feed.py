"""The change feed: what happened, told to listeners in any process.

The table `events` is the truth: an event is written in the same list as what it tells of. A listener reads the table
by itself, from a place of its own, and is only woken by the database; whoever writes neither knows nor waits for it.

On Postgres numbers are taken before the commit, so a smaller one may become visible after a larger one, and a
transaction that is undone leaves a gap for ever. Therefore a place is not one number, but a number and the gaps below
it. A gap is asked for again with every look, and given up once it has been seen for longer than any list may take.
"""

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import chain, repeat
from typing import Any, NamedTuple, TypeAlias

from toolkit.db.database import Database, Row, Statement, as_json, as_time
from toolkit.db.place import Gap, Place
from toolkit.db.statements import json_text
from toolkit.display.card import Card
from toolkit.display.shown import Shown
from toolkit.errors import ConfigError, DatabaseBusy, DatabaseError, DatabaseUnavailable
from toolkit.stamps import now

PAGE = 500
"""Events that a listener reads, and holds, at once."""

MOST_BODY = 64_000
"""Bytes of an event's body as JSON."""

GIVE_UP = 60.0
"""Seconds for which a listener waits for a number that it misses; no list of ours takes as long."""

MOST_GAPS = 400
"""Gaps that a listener looks into at once; while it has more, it reads nothing beyond them."""

_Wanted: TypeAlias = Callable[[Row], bool]

_PAUSES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds before asking again a database that is away
_RECENT = timedelta(minutes=5)  # who took a number longer ago will not commit it any more, clocks that differ included
_SIZES = (0, 8, 64, MOST_GAPS)  # gaps of one query; few sizes, so that the database has few statements to prepare
_BATCH = 1000  # rows of one DELETE, so that nobody waits long for it

_KIND = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)+")
_PATTERN = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.([a-z0-9_-]+|\*)")
_LONGEST = 200  # characters of a kind or a subject
_log = logging.getLogger(__name__)

# One text for all events, so that Postgres can write those of many lists together.
_TELL = """
INSERT INTO events (kind, subject, body, created_at) VALUES (:kind, :subject, :body, :created_at)
"""
_LAST = """
SELECT seq, previous
  FROM (SELECT seq, created_at, LAG(seq) OVER (ORDER BY seq) AS previous
          FROM (SELECT seq, created_at FROM events ORDER BY seq DESC LIMIT 2000) AS newest) AS pairs
 WHERE seq = (SELECT MAX(seq) FROM events)
    OR created_at > :since AND (seq > previous + 1 OR seq = (SELECT MIN(seq) FROM events))
 ORDER BY seq
"""
_PRUNE = """
DELETE FROM events
 WHERE seq IN (SELECT seq FROM events ORDER BY seq LIMIT :limit) AND created_at < :before
RETURNING seq
"""


@dataclass(frozen=True, slots=True, repr=False)
class Event(Shown):
    """Something that happened.

    Attributes:
        kind: what, e.g. `session.updated`; its first word is the family.
        subject: the id of what it happened to.
        body: ids and figures, as JSON has them.
        created_at: when its writer began to write it.
        seq: its number; larger ones were not always committed later.
        cursor: the place after this event, to go on from with `subscribe(after=…)`.
    """

    kind: str
    subject: str
    body: dict[str, Any]
    created_at: datetime
    seq: int
    cursor: str

    def _shown(self) -> Card:
        # Ids and times are other ones at each run.
        return Card(self.kind, {name: value for name, value in self.body.items() if isinstance(value, bool | int)})


def event(kind: str, subject: str, body: Mapping[str, Any]) -> Statement:
    """Tells of what the other statements of a list do; put it last, and it is told exactly if they are done.

    Args:
        kind: lower-case words joined by dots.
        subject: the id of what it happened to; events of one subject are told in order.
        body: a few ids and figures, of bounded length; never what was said. Only `Feed.publish` measures it.
    """
    return Statement(_TELL, {"kind": kind, "subject": subject, "body": dict(body), "created_at": now()}, wakes=True)


class Feed:
    """Tells what happened, and lets others listen; see `docs/events.md`.

    A listener holds no lock, no transaction and no queue that a writer would fill. It gets each event at least once,
    those of one subject in order.
    """

    def __init__(self, db: Database) -> None:
        self._db = db
        self._bells: set[_Bell] = set()

    def subscribe(
        self, *kinds: str, subject: str | None = None, after: str | None = None
    ) -> AsyncGenerator[Event, None]:
        """The events that happen, of this process and others, until the toolkit is closed.

        Without `after` it begins with what is committed after its first step, which is when the first event is asked
        for. To miss nothing, ask for the place before you act: `after=await tk.events.last()`.

        A database that goes away meanwhile is waited for.

        Args:
            kinds: which ones, e.g. `"generation.completed"`, or `"session.*"` for a family; none is all.
            subject: only those about this id.
            after: the `cursor` of an event, or a place that `last` gave: begin after it.

        Raises:
            ConfigError: a kind or a place that cannot be one.
            DatabaseError: the database cannot be read at the beginning, or fails in a way that waiting does not mend.
        """
        wanted = _filter(tuple(map(_checked_pattern, kinds)), subject)
        return self._listen(wanted, None if after is None else Place.parse(after))

    async def publish(self, kind: str, subject: str, body: Mapping[str, Any] | None = None) -> None:
        """Tell an event of another service, e.g. `cache.invalidate`; it is kept when this returns.

        Args:
            kind: lower-case words joined by dots, at least two.
            subject: the id of what it happened to, at most 200 characters.
            body: ids and figures, at most `MOST_BODY` bytes as JSON.

        Raises:
            ConfigError: one of them cannot be used.
        """
        if not _KIND.fullmatch(kind) or len(kind) > _LONGEST:
            raise ConfigError(f"{kind[:50]!r} is no kind of event; write it like cache.invalidate.")
        if not subject or len(subject) > _LONGEST:
            raise ConfigError(f"The subject {subject[:50]!r} cannot be used; give the id of what it happened to.")
        kept = dict(body or {})
        try:
            size = len(json_text("body", kept).encode())
        except DatabaseError as error:
            raise ConfigError(str(error)) from error
        if size > MOST_BODY:
            raise ConfigError(f"The body of the event {kind!r} is over {MOST_BODY // 1000} kB; send an id instead.")
        await self._db.write(event(kind, subject, kept), subject=subject)

    async def last(self) -> str:
        """The present place: `subscribe(after=…)` gives everything that is committed from now on."""
        return (await self._present()).cursor

    async def count_before(self, before: datetime) -> int:
        """How many events are older than a moment."""
        row = await self._db.fetch_one("SELECT COUNT(*) AS n FROM events WHERE created_at < :before", before=before)
        return int(row["n"]) if row else 0

    async def prune(self, before: datetime, limit: int = 10_000) -> int:
        """Forget events from before a moment, oldest first and a few at a time; gives their number.

        A listener that is still behind them misses them.

        Args:
            before: an aware datetime.
            limit: at most this many, at least 1; when fewer are gone, all are.
        """
        if limit < 1:
            raise ConfigError(f"`limit` must be at least 1 (got {limit}).")
        gone = 0
        while gone < limit:
            size = min(_BATCH, limit - gone)
            rows = await self._db.execute(_PRUNE, limit=size, before=before)
            gone += len(rows)
            if len(rows) < size:
                break
        return gone

    def close(self) -> None:
        """End every subscription; later ones begin anew."""
        for bell in list(self._bells):
            bell.end()

    async def _listen(self, wanted: _Wanted, place: Place | None) -> AsyncGenerator[Event, None]:
        bell = _Bell()
        self._bells.add(bell)
        waking = asyncio.create_task(self._wake(bell))
        try:
            place = place or await self._present()
            page: _Page | None = await self._read(place)
            while page is not None:
                for row in page.rows:
                    place.take(row["seq"])
                    if wanted(row):
                        yield _event(row, place.cursor)
                place.give_up(page.asked_at - GIVE_UP, until=page.until)
                # A page that had to leave something out is asked for again though nobody may ring.
                if len(page.rows) < PAGE and not await bell.wait(None if page.until is None else GIVE_UP / 60):
                    break
                page = await self._insist(place, bell)
        except (DatabaseUnavailable, DatabaseBusy):
            if not bell.ended:  # else it was closed while it was read
                raise
        finally:
            self._bells.discard(bell)
            waking.cancel()
            await asyncio.wait({waking})
            failure = None if waking.cancelled() else waking.exception()
        if failure:
            raise failure

    async def _wake(self, bell: "_Bell") -> None:
        """Ring whenever something may have been committed, until the database is closed."""
        try:
            for pause in _pauses():
                try:
                    async with aclosing(self._db.changes()) as changes:
                        async for _ in changes:
                            bell.ring()
                except (DatabaseUnavailable, DatabaseBusy):
                    await bell.end_within(pause)
                    if not bell.ended:
                        continue
                break
        finally:
            bell.end()

    async def _insist(self, place: Place, bell: "_Bell") -> "_Page | None":
        """The next page, however long the database is away; None once the subscription shall end."""
        told = False
        for pause in _pauses():
            if bell.ended:
                break
            try:
                return await self._read(place)
            except (DatabaseUnavailable, DatabaseBusy) as error:
                if pause != _PAUSES[0] and not told:  # not for the moment in which it is closed
                    told = True
                    _log.warning("The change feed waits for the database: %s", error)
                await bell.end_within(pause)
        return None

    async def _read(self, place: Place) -> "_Page":
        """The next page of what `place` lacks, in order, as it was in one moment.

        One statement asks for the gaps and for what is beyond: if an event is seen, those of its subject before it are.
        """
        asked_at = time.monotonic()
        gaps = place.gaps[:MOST_GAPS]
        skipped = len(place.gaps) > MOST_GAPS
        size = next(size for size in _SIZES if size >= len(gaps))
        ends = {"high": place.high, "beyond": 0 if skipped else PAGE, "page": PAGE}
        for n in range(size):
            ends[f"first{n}"], ends[f"last{n}"] = (gaps[n].first, gaps[n].last) if n < len(gaps) else (0, 0)
        rows = await self._db.fetch_all(_next_page(size), **ends)
        until = rows[-1]["seq"] if len(rows) == PAGE else gaps[-1].last if skipped else None
        return _Page(rows, asked_at, until)

    async def _present(self) -> Place:
        """After all that is committed; what others are just committing are gaps among the newest numbers."""
        rows = await self._db.fetch_all(_LAST, since=now() - _RECENT)
        seen = time.monotonic()
        gaps = (Gap((row["previous"] or 0) + 1, row["seq"] - 1, seen) for row in rows)
        return Place(rows[-1]["seq"] if rows else 0, tuple(gap for gap in gaps if gap.first <= gap.last))


class _Page(NamedTuple):
    """What a listener read at once; `until` is the largest number that it looked for, None if there was no limit."""

    rows: Sequence[Row]
    asked_at: float
    until: int | None


class _Bell:
    """Wakes one listener, on its own event loop; however often it is rung meanwhile, it is heard once."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._rung = asyncio.Event()
        self._gone = asyncio.Event()
        self.ended = False

    def ring(self) -> None:
        self._rung.set()

    def end(self) -> None:
        """Ring for the last time; from any thread."""
        self.ended = True
        with suppress(RuntimeError):  # the loop was closed: nobody listens any more
            self._loop.call_soon_threadsafe(self._end)

    async def wait(self, seconds: float | None) -> bool:
        """Until it is rung, or for so long; False if it was rung for the last time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._rung.wait()
        self._rung.clear()
        return not self.ended

    async def end_within(self, seconds: float) -> None:
        """A pause that the end cuts short."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._gone.wait()

    def _end(self) -> None:
        self._gone.set()
        self._rung.set()


@cache
def _next_page(gaps: int) -> str:
    """The query for the next events, with room for that many gaps.

    Each gap is a query of its own: joined with a list of gaps, Postgres reads the whole table where it lacks figures.
    """
    beyond = "seq > :high ORDER BY seq LIMIT :beyond"
    late = (f"seq BETWEEN :first{n} AND :last{n} ORDER BY seq LIMIT :page" for n in range(gaps))
    # Only numbers are put into the text.
    parts = (f"SELECT * FROM (SELECT * FROM events WHERE {part}) AS part" for part in (*late, beyond))  # noqa: S608
    return f"{' UNION ALL '.join(parts)} ORDER BY seq LIMIT :page"


def _pauses() -> Iterator[float]:
    return chain(_PAUSES, repeat(_PAUSES[-1]))


def _event(row: Row, cursor: str) -> Event:
    return Event(
        kind=row["kind"],
        subject=row["subject"],
        body=as_json(row["body"]),
        created_at=as_time(row["created_at"]),
        seq=row["seq"],
        cursor=cursor,
    )


def _filter(patterns: Sequence[str], subject: str | None) -> _Wanted:
    exact = frozenset(patterns)
    families = tuple(pattern.removesuffix("*") for pattern in patterns if pattern.endswith("*"))

    def wanted(row: Row) -> bool:
        kind: str = row["kind"]
        return (not patterns or kind in exact or kind.startswith(families)) and subject in (None, row["subject"])

    return wanted


def _checked_pattern(kind: str) -> str:
    if not _PATTERN.fullmatch(kind):
        raise ConfigError(f"{kind[:50]!r} is no kind of event; write it like session.updated, or session.* for all.")
    return kind

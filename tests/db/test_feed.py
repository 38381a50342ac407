"""The change feed: every event at least once, in order per subject, whatever writers and databases do."""

import asyncio
import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.db.rows import model
from tests.postgres import PostgresServer
from toolkit.db import Database, Statement, feed, open_database
from toolkit.db.feed import MOST_BODY, Event, Feed, event
from toolkit.db.place import MOST_NAMED, Place
from toolkit.errors import ConfigError, Conflict, DatabaseError, DatabaseUnavailable, NotFound
from toolkit.settings import Settings
from toolkit.stamps import freeze, now

TELL = """
INSERT INTO toolkit.events (kind, subject, body, created_at) VALUES ('held.back', $1, '{}', now()) RETURNING seq
"""
WRITER = """
import asyncio, sys
from tests.db.test_feed import write_and_undo
asyncio.run(write_and_undo(sys.argv[1], sys.argv[2]))
"""
SUBJECTS = ("ant", "bee", "cat", "dog")
TASKS, LISTS = 4, 60


@pytest.fixture
async def postgres(postgres_dsn: str) -> AsyncIterator[Database]:
    db = open_database(Settings(postgres_dsn))
    await db.open()
    await db.write(Statement("DELETE FROM events"), Statement("DELETE FROM models"))
    yield db
    await db.close()


@pytest.fixture
async def other(postgres_dsn: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    """Another program's connection."""
    connection = await asyncpg.connect(postgres_dsn)
    yield connection
    await connection.close()


async def take(events: AsyncGenerator[Event, None], count: int) -> list[Event]:
    async with asyncio.timeout(60):
        return [await anext(events) for _ in range(count)]


async def publish(db: Database, *numbers: int, subject: str = "x", kind: str = "test.done") -> None:
    for number in numbers:
        await Feed(db).publish(kind, subject, {"n": number})


def numbers(events: list[Event]) -> list[int]:
    return [each.body["n"] for each in events]


async def test_a_listener_gets_what_happens_after_its_first_step_in_order_and_nothing_older(db: Database) -> None:
    await publish(db, 0)
    async with aclosing(Feed(db).subscribe()) as events:
        first = asyncio.create_task(take(events, 1))
        while not first.done():  # until its first step is done, which nobody can see
            await publish(db, 1)
        assert numbers(await first) == [1]
        before = (await first)[0].seq
        await publish(db, 2, 3)
        got = [each async for each in _until(events, 3)]
    assert [each.seq for each in got] == sorted(each.seq for each in got)
    assert got[0].seq > before
    assert numbers(got)[-2:] == [2, 3]


async def _until(events: AsyncGenerator[Event, None], last: int) -> AsyncIterator[Event]:
    async with asyncio.timeout(60):
        async for each in events:
            yield each
            if each.body.get("n") == last:
                return


async def test_who_asks_for_the_place_before_acting_misses_nothing(db: Database) -> None:
    await publish(db, 1)
    place = await Feed(db).last()
    await publish(db, 2, 3)
    async with aclosing(Feed(db).subscribe(after=place)) as events:
        assert numbers(await take(events, 2)) == [2, 3]


async def test_an_event_says_what_happened_to_what_and_when(db: Database) -> None:
    body = {"n": 1, "cost": 0.5, "none": None, "list": ["ü", True]}
    with freeze():
        written_at = now()
    with freeze():
        await Feed(db).publish("cache.invalidate", "model-1", body)
    async with aclosing(Feed(db).subscribe(after="0")) as events:
        (got,) = await take(events, 1)
    assert (got.kind, got.subject, got.body, got.created_at) == ("cache.invalidate", "model-1", body, written_at)


async def test_a_listener_gets_only_the_kinds_and_the_subject_that_it_asked_for(db: Database) -> None:
    place = await Feed(db).last()
    for n, kind in enumerate(("session.created", "sessions.x", "model.updated", "session.turn.kept", "end.now")):
        await publish(db, n, kind=kind, subject="a")
        await publish(db, n + 10, kind=kind, subject="b")

    async def heard(*kinds: str, subject: str | None = None) -> list[int]:
        async with aclosing(Feed(db).subscribe(*kinds, "end.now", subject=subject, after=place)) as events:
            return numbers([each async for each in _until(events, 14 if subject == "b" else 4)])

    assert await heard("model.updated") == [2, 12, 4]
    assert await heard("session.*") == [0, 10, 3, 13, 4]
    assert await heard("session.*", "model.updated", subject="b") == [10, 12, 13, 14]


@pytest.mark.parametrize(
    "kind", ["", "*", "session", "session.", ".*", "Session.Created", "session*", "a b.c", "a.*.b"]
)
def test_a_kind_that_cannot_be_one_is_refused_at_once(kind: str) -> None:
    with pytest.raises(ConfigError, match="no kind of event; write it like"):
        Feed(open_database(Settings("sqlite://"))).subscribe(kind)


@pytest.mark.parametrize("place", ["", "x", "-1", "1~2", "9~5-4", "9~2-3~3-4", "9~2-9", "9" * 19, "٣", "1~" * 9])
def test_a_place_that_cannot_be_one_is_refused_at_once(place: str) -> None:
    with pytest.raises(ConfigError, match="no place in the feed; give an event's cursor"):
        Feed(open_database(Settings("sqlite://"))).subscribe(after=place)


async def test_what_cannot_be_told_is_refused_in_a_sentence(db: Database) -> None:
    tell = Feed(db).publish
    with pytest.raises(ConfigError, match="over 64 kB; send an id instead"):
        await tell("test.done", "x", {"text": "x" * MOST_BODY})
    with pytest.raises(ConfigError, match="over 64 kB"):
        await tell("test.done", "x", {"text": "ü" * (MOST_BODY // 2)})
    with pytest.raises(ConfigError, match="'done' is no kind of event"):
        await tell("done", "x")
    for subject in ("", "x" * 201):
        with pytest.raises(ConfigError, match=r"The subject .* cannot be used"):
            await tell("test.done", subject)
    with pytest.raises(ConfigError, match="cannot be kept as JSON"):
        await tell("test.done", "x", {"x": {1, 2}})
    await tell("test.done", "x", {"text": "ü" * (MOST_BODY // 2 - 10)})
    assert len(await db.fetch_all("SELECT seq FROM events")) == 1


async def test_an_event_is_told_exactly_if_what_it_tells_of_is_done(db: Database) -> None:
    place = await Feed(db).last()
    missing = Statement("DELETE FROM models WHERE id = 'x' RETURNING id", unmatched=NotFound("No model."))
    with pytest.raises(NotFound):
        await db.write(missing, event("test.done", "a", {"n": 1}))
    await db.write(model("a"))
    with pytest.raises(Conflict):
        await db.write(event("test.done", "a", {"n": 2}), model("a"))
    await db.write(model("b"), event("test.done", "b", {"n": 3}))

    async with aclosing(Feed(db).subscribe(after=place)) as events:
        assert numbers(await take(events, 1)) == [3]


async def test_going_on_from_any_event_gives_all_that_came_after_it(db: Database) -> None:
    place = await Feed(db).last()
    await publish(db, *range(6))
    async with aclosing(Feed(db).subscribe(after=place)) as events:
        got = await take(events, 6)
    for n, each in enumerate(got[:-1]):
        async with aclosing(Feed(db).subscribe(after=each.cursor)) as events:
            assert numbers(await take(events, 5 - n)) == list(range(n + 1, 6))


async def test_a_listener_that_is_far_behind_reads_page_by_page(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "PAGE", 7)
    await db.write(*(event("test.done", "x", {"n": n}) for n in range(50)))
    async with aclosing(Feed(db).subscribe(after="0")) as events:
        assert numbers(await take(events, 50)) == list(range(50))


async def test_many_holes_are_looked_into_at_once(db: Database) -> None:
    place = await Feed(db).last()
    await db.write(*(event("test.done", "x", {"n": n}) for n in range(700)))
    kept = "SELECT seq FROM events WHERE (seq - (SELECT MIN(seq) FROM events)) % 2 = 1 ORDER BY seq"
    await db.execute(f"DELETE FROM events WHERE seq NOT IN ({kept})")
    async with aclosing(Feed(db).subscribe(after=place)) as events:
        assert numbers(await take(events, 350)) == list(range(1, 700, 2))
        await publish(db, 700)  # asked for together with 350 gaps
        assert numbers(await take(events, 1)) == [700]


async def test_a_listener_with_too_many_holes_waits_for_them_before_it_reads_on(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_GAPS", 8)
    monkeypatch.setattr(feed, "PAGE", 10)
    monkeypatch.setattr(feed, "GIVE_UP", 0.5)
    place = await Feed(db).last()
    await db.write(*(event("test.done", "x", {"n": n}) for n in range(120)))
    first = "SELECT MIN(seq) FROM events"
    await db.execute(f"DELETE FROM events WHERE (seq - ({first})) % 2 = 0 AND seq <> ({first})")
    async with aclosing(Feed(db).subscribe(after=place)) as events:
        assert numbers(await take(events, 61)) == [0, *range(1, 120, 2)]


async def test_a_smaller_number_that_is_committed_late_is_told_late_and_never_skipped(
    postgres: Database, other: "asyncpg.Connection[Any]"
) -> None:
    place = await Feed(postgres).last()
    async with aclosing(Feed(postgres).subscribe(after=place)) as events:
        transaction = other.transaction()
        await transaction.start()
        held_back = await other.fetchval(TELL, "late")
        await publish(postgres, 1, 2)
        early = await take(events, 2)
        assert held_back < early[0].seq
        await transaction.commit()
        await publish(postgres, 3)
        late = await take(events, 2)
    assert [each.subject for each in late] == ["late", "x"]

    async with aclosing(Feed(postgres).subscribe(after=early[1].cursor)) as events:
        again = await take(events, 2)
    assert [each.subject for each in again] == ["late", "x"], "who goes on from there has not had the late one"


async def test_what_is_being_committed_when_a_listener_comes_is_told(
    postgres: Database, other: "asyncpg.Connection[Any]"
) -> None:
    transaction = other.transaction()
    await transaction.start()
    await other.fetchval(TELL, "late")
    await publish(postgres, 1)
    place = await Feed(postgres).last()
    async with aclosing(Feed(postgres).subscribe()) as events:
        first = asyncio.create_task(take(events, 1))
        while not first.done():  # until its first step is done, which nobody can see
            await publish(postgres, 2)
        await transaction.commit()
        await publish(postgres, 3)
        rest = [each async for each in _until(events, 3)]
    assert "late" in [each.subject for each in rest]
    async with aclosing(Feed(postgres).subscribe(after=place)) as events:
        again = [each.body.get("n") async for each in _until(events, 3)]
    assert [again[0], again[1], again[-1]] == [None, 2, 3], "and the place of that moment repeats nothing"


async def test_what_is_undone_holds_nobody_up_and_is_given_up(
    postgres: Database, other: "asyncpg.Connection[Any]", monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(postgres, 0)
    place = await Feed(postgres).last()
    async with aclosing(Feed(postgres).subscribe(after=place)) as events:
        transaction = other.transaction()
        await transaction.start()
        undone = await other.fetchval(TELL, "undone")
        await transaction.rollback()
        await publish(postgres, 1)
        (got,) = await take(events, 1)
        assert got.cursor.endswith(f"~{undone}-{undone}"), "it is waited for"
        monkeypatch.setattr(feed, "GIVE_UP", 0.0)
        for n in (2, 3):
            await publish(postgres, n)
            (got,) = await take(events, 1)
    assert got.cursor == str(got.seq), "it is no longer waited for"


async def test_thousands_beyond_a_gap_are_told_once_and_the_gap_too_when_it_is_filled(
    postgres: Database, other: "asyncpg.Connection[Any]"
) -> None:
    place = await Feed(postgres).last()
    async with aclosing(Feed(postgres).subscribe(after=place)) as events:
        transaction = other.transaction()
        await transaction.start()
        await other.fetchval(TELL, "late")
        for start in range(0, 3000, 500):
            await postgres.write(*(event("test.done", "x", {"n": n}) for n in range(start, start + 500)))
        assert numbers(await take(events, 3000)) == list(range(3000))
        await transaction.commit()
        await publish(postgres, 3000)
        assert [each.subject for each in await take(events, 2)] == ["late", "x"]


async def write_and_undo(url: str, name: str) -> None:
    """What each of two processes does: lists about a few subjects, every third of which is undone."""
    db = open_database(Settings(url))
    touch = "UPDATE models SET priority = priority + 1 WHERE name = :name RETURNING id"
    never = Statement("DELETE FROM models WHERE id = 'none' RETURNING id", unmatched=NotFound("undone"))

    async def write(task: int) -> None:
        for number in range(LISTS):
            subject = SUBJECTS[(task + number) % len(SUBJECTS)]
            statements = [
                Statement(touch, {"name": subject}),
                event("test.done", subject, {"by": f"{name}{task}", "n": number}),
            ]
            try:
                undo = [never] if number % 3 == 0 else []
                await db.write(*statements, *undo, subject=subject if task % 2 else None)
            except NotFound:
                assert undo

    await asyncio.gather(*(write(task) for task in range(TASKS)))
    await db.close()


async def test_of_two_processes_that_write_and_undo_every_event_is_told_once_and_each_subject_in_order(
    database_url: str,
) -> None:
    db = open_database(Settings(database_url))
    before = await Feed(db).last()
    await db.write(*(model(subject) for subject in SUBJECTS))
    wanted = 2 * TASKS * (LISTS - LISTS // 3)
    async with aclosing(Feed(db).subscribe("test.*")) as events:
        reading = asyncio.create_task(take(events, wanted))
        await asyncio.sleep(0)
        writers = [
            await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, database_url, name) for name in "ab"
        ]
        assert [await writer.wait() for writer in writers] == [0, 0]
        got = await reading
        await publish(db, 0, subject="end")
        (end,) = await take(events, 1)

    assert end.subject == "end", "nothing is told twice"
    rows = await db.fetch_all("SELECT seq FROM events WHERE kind = 'test.done' AND subject <> 'end' ORDER BY seq")
    assert sorted(each.seq for each in got) == [row["seq"] for row in rows]
    for subject in SUBJECTS:  # who touches its row first also takes the smaller number
        seqs = [each.seq for each in got if each.subject == subject]
        assert seqs == sorted(seqs)
        assert len(seqs) == wanted // len(SUBJECTS)
    async with aclosing(Feed(db).subscribe(after=before)) as events:
        again = await take(events, wanted + 1)
    assert [each.seq for each in again] == [*(row["seq"] for row in rows), end.seq]
    await db.close()


async def test_a_listener_that_does_not_listen_holds_nobody_up(postgres_dsn: str) -> None:
    db = open_database(Settings(postgres_dsn, max_connections=1))
    await db.execute("DELETE FROM events")
    place = await Feed(db).last()
    async with aclosing(Feed(db).subscribe(after=place)) as events:
        await publish(db, 0)
        assert numbers(await take(events, 1)) == [0]
        for start in range(1, 3001, 500):  # it reads nothing of these, and the only connection is free
            await db.write(*(event("test.done", "x", {"n": n}) for n in range(start, start + 500)))
        assert numbers(await take(events, 3000)) == list(range(1, 3001))
    await db.close()


async def test_a_listener_that_leaves_leaves_no_task_behind(db: Database) -> None:
    def tasks() -> list[str]:
        coroutines = [task.get_coro() for task in asyncio.all_tasks()]
        return [repr(it) for it in coroutines if it is not None and it.cr_code.co_filename == feed.__file__]  # type: ignore[union-attr]  # asyncio's are coroutines

    place = await Feed(db).last()
    events = Feed(db).subscribe(after=place)
    await publish(db, 1, 2)
    async for _ in events:
        assert tasks()
        break
    await events.aclose()
    assert tasks() == []

    waiting = asyncio.create_task(take(Feed(db).subscribe(), 1))
    while not tasks():  # noqa: ASYNC110 - a first step has no event
        await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait({waiting})
    assert tasks() == []


async def test_closing_the_feed_ends_those_that_wait_and_those_that_read(db: Database) -> None:
    tells = Feed(db)
    reading, waiting = tells.subscribe(after="0"), tells.subscribe()
    await publish(db, 1)
    await take(reading, 1)
    wait = asyncio.create_task(anext(waiting, None))
    await asyncio.sleep(0.05)
    tells.close()
    async with asyncio.timeout(20):
        assert await wait is None
        assert [each async for each in reading] == []
        async with aclosing(tells.subscribe(after="0")) as events:
            assert numbers(await take(events, 1)) == [1], "later ones begin anew"


async def test_an_end_of_the_feed_cuts_the_wait_for_a_database_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "_PAUSES", (3600.0,))
    db = open_database(Settings("sqlite://"))
    tells = Feed(db)
    await publish(db, 1)
    async with aclosing(tells.subscribe(after="0")) as events:
        await take(events, 1)
        await db.close()
        end = asyncio.create_task(anext(events, None))
        await asyncio.sleep(0.05)
        tells.close()
        async with asyncio.timeout(20):
            assert await end is None


async def test_a_database_that_cannot_be_read_at_the_beginning_is_an_error_at_once() -> None:
    db = open_database(Settings("postgresql://nobody@127.0.0.1:1/none"))
    for after in (None, "0"):
        with pytest.raises(DatabaseError):
            await anext(Feed(db).subscribe(after=after))


async def test_a_server_that_goes_away_and_comes_back_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    server = await asyncio.to_thread(PostgresServer)
    try:
        db = open_database(Settings(server.dsn))
        await publish(db, 0)
        async with aclosing(Feed(db).subscribe(after="0")) as events:
            assert numbers(await take(events, 1)) == [0]
            reading = asyncio.create_task(take(events, 2))
            await asyncio.to_thread(server.crash)
            await publish(db, 1)
            await asyncio.to_thread(server.crash)
            await publish(db, 2)
            assert numbers(await reading) == [1, 2]
        await db.close()
    finally:
        await asyncio.to_thread(server.remove)
    assert sum("The change feed waits" in record.message for record in caplog.records) <= 2


class Away:
    """A database that cannot be read for a while."""

    def __init__(self, db: Database, times: int) -> None:
        self._db = db
        self.times = times
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def fetch_all(self, *args: Any, **values: Any) -> Any:
        self.asked += 1
        if 1 < self.asked <= self.times:
            raise DatabaseUnavailable("No connection to the database x (refused); check that it is up.")
        return await self._db.fetch_all(*args, **values)


async def test_one_warning_says_that_a_database_is_away_however_long(
    db: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_PAUSES", (0.001, 0.002))
    away = Away(db, times=30)
    with caplog.at_level(logging.WARNING):
        async with aclosing(Feed(away).subscribe(after="0")) as events:
            reading = asyncio.create_task(take(events, 1))
            while away.asked < 10:  # noqa: ASYNC110 - the listener is the work
                await asyncio.sleep(0.001)
            await publish(db, 1)
            assert numbers(await reading) == [1]
    assert [r.message for r in caplog.records if "change feed" in r.message] == [
        "The change feed waits for the database: No connection to the database x (refused); check that it is up."
    ]


async def test_pruning_forgets_the_oldest_first_and_no_newer_ones(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "_BATCH", 4)
    with freeze():
        start = now()
        await publish(db, *range(10))
        half = now()
        await publish(db, *range(10, 20))
    tells = Feed(db)

    async def kept() -> list[int]:
        async with aclosing(tells.subscribe(after="0")) as events:
            return numbers([each async for each in _until(events, 19)])

    assert await tells.prune(start) == 0
    assert await tells.prune(half, limit=3) == 3
    assert await kept() == list(range(3, 20))
    assert await tells.prune(half) == 7
    assert await tells.prune(half) == 0
    assert await kept() == list(range(10, 20))
    place = await tells.last()
    assert await tells.prune(half + timedelta(days=1)) == 10
    await publish(db, 20)
    async with aclosing(tells.subscribe(after=place)) as events:
        assert numbers(await take(events, 1)) == [20], "numbers are never used twice"
    with pytest.raises(ConfigError, match="at least 1"):
        await tells.prune(half, limit=0)


@given(st.permutations(range(1, 40)), st.integers(1, 39))
def test_a_place_as_text_never_skips_what_was_not_had(order: list[int], had: int) -> None:
    place = Place(0)
    for seq in order[:had]:
        place.take(seq)
        place.take(seq)
    missing = {n for gap in place.gaps for n in range(gap.first, gap.last + 1)}
    assert set(range(1, place.high + 1)) - missing == set(order[:had])
    again = Place.parse(place.cursor)
    assert (again.high, [(g.first, g.last) for g in again.gaps]) == (
        place.high,
        [(g.first, g.last) for g in place.gaps],
    )


def test_a_place_with_very_many_gaps_goes_back_to_the_first() -> None:
    place = Place(100)
    for n in range(MOST_NAMED + 1):
        place.take(102 + 2 * n)
    assert place.cursor == "100"
    place.take(101)
    assert place.cursor.startswith(f"{place.high}~103-103~")


def test_a_gap_is_given_up_only_once_it_was_looked_for_long_enough() -> None:
    place = Place(0)
    place.take(3)
    seen = place.gaps[0].seen
    place.give_up(seen - 0.001, until=None)
    assert place.cursor == "3~1-2"
    place.give_up(seen + 0.001, until=1)
    assert place.cursor == "3~1-2", "not all of it was looked for"
    place.take(1)
    place.give_up(seen, until=None)
    assert place.cursor == "3", "a part is as old as the whole"

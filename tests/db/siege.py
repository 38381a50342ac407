"""A database that is written to by processes which are killed, again and again, and looked at after each time."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

from tests.db.books import Books, Kept, kept_in_file, kept_in_schema
from tests.db.killing import DurableServer, Job, Zygote, opened_by
from tests.db.lists import Worker

Look: TypeAlias = Callable[[], Awaitable[Kept]]
TOGETHER = 6  # processes in every second round; one in the others


@dataclass(slots=True)
class Tally:
    """What came of a siege.

    Attributes:
        kills: processes that were alive when they were killed.
        early: those of them that were killed before any list of theirs was acknowledged: opening, migrating, beginning.
        lists: acknowledged ones.
        rows: that the database kept in the end.
        complaints: what is wrong; nothing, if nothing acknowledged was lost and nothing is half there.
        seconds: that it took.
    """

    kills: int = 0
    early: int = 0
    lists: int = 0
    rows: int = 0
    complaints: list[str] = field(default_factory=list)
    seconds: float = 0.0


async def besiege(zygote: Zygote, base: Job, rounds: int) -> Tally:
    """Write to the database of `base`, new at first, from processes that are killed; look at it after each round.

    Args:
        zygote: forks them.
        base: its URL, its schema, and the seed of everything that is left to chance.
        rounds: of one process and of several in turn.
    """
    chance, books, tally = random.Random(base.seed), Books(), Tally()
    look = looking_at(base)
    begun = time.monotonic()
    for number in range(rounds):
        jobs = _round(base, number, chance)
        ends = await asyncio.to_thread(zygote.run, jobs)
        for job, end in zip(jobs, ends, strict=True):
            books.take(end.told)
            tally.kills += end.killed and not end.stuck
            tally.early += end.killed and not any(line.startswith("A ") for line in end.told)
            if end.stuck or not end.killed:
                tally.complaints.append(f"{job} was {'stuck' if end.stuck else 'gone'} before it was killed")
        kept = await look()
        tally.complaints += [f"round {number}: {complaint}" for complaint in books.complaints(kept)]
        tally.rows = sum(map(len, kept.rows.values()))
        if tally.complaints:
            break
    tally.lists = len(books.acknowledged)
    tally.complaints += await _still_works(base, books, look)
    tally.seconds = time.monotonic() - begun
    return tally


def looking_at(base: Job) -> Look:
    """Reads what the database of `base` keeps."""
    if base.url.startswith("sqlite"):
        path = Path(base.url.removeprefix("sqlite:///"))

        async def look() -> Kept:
            return await asyncio.to_thread(kept_in_file, path)

        return look
    return lambda: kept_in_schema(base.url, base.schema)


def _round(base: Job, number: int, chance: random.Random) -> Sequence[Job]:
    jobs = []
    for n in range(TOGETHER if number % 2 else 1):
        early = chance.random() < (0.7 if number < 2 else 0.2)
        after = 0 if early else chance.randint(1, 60)
        then = chance.uniform(0, 0.06 if early else 0.03)
        jobs.append(
            Job(
                "write", base.url, f"s{base.seed}r{number}c{n}", chance.randrange(1 << 30), base.schema, "", after, then
            )
        )
    return jobs


async def _still_works(base: Job, books: Books, look: Look) -> list[str]:
    """Write once more, by a process that is not killed, and ask the database itself whether it is sound."""
    told: list[str] = []
    db = opened_by(base)
    await Worker(db, f"s{base.seed}last.1-1", base.seed, told.append).write(5)
    problems = await db.check()
    await db.close()
    books.take(told)
    return [*map(str, problems), *books.complaints(await look())]


async def crash_under_load(server: DurableServer, crashes: int, seed: int) -> Tally:
    """Write to a server that is killed again and again; every list must be acknowledged, and be there once."""
    chance, books, tally, told = random.Random(seed), Books(), Tally(), list[str]()
    base = Job("write", server.dsn, f"s{seed}", seed)
    db, enough, begun = opened_by(base), asyncio.Event(), time.monotonic()
    await db.open()
    workers = [Worker(db, f"s{seed}.1-{n}", n, told.append) for n in range(16)]
    writing = asyncio.gather(*(worker.write(1_000_000, enough) for worker in workers), return_exceptions=True)
    for number in range(crashes):
        wanted = len(told) + 400 + chance.randrange(100)
        while len(told) < wanted and not writing.done():  # noqa: ASYNC110 - the writers are the work
            await asyncio.sleep(0.001)
        if writing.done():
            break
        if number % 3:
            await asyncio.wait_for(server.kill_one_that_commits(), 30)
        else:
            await asyncio.to_thread(server.crash)
        tally.kills += 1
    enough.set()
    errors = [error for error in await writing if error]
    tally.complaints += [f"a writer was told: {type(error).__name__}: {error}" for error in errors]
    await db.close()
    books.take(told)
    kept = await looking_at(base)()
    tally.complaints += books.complaints(kept)
    tally.lists, tally.rows = len(books.acknowledged), sum(map(len, kept.rows.values()))
    tally.seconds = time.monotonic() - begun
    return tally

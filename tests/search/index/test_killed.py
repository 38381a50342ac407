"""A process that is killed while it writes or seals leaves an index that says what the documents say."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.search.index.killing import EMBEDDER, WORDS
from tests.search.index.shelf import expected, found, prepared, vectors_of
from toolkit.db import Database, open_database
from toolkit.search.index import CollectionState, Index
from toolkit.search.keeping import Prepared
from toolkit.search.store import DocumentStore
from toolkit.settings import Settings

ROOT = Path(__file__).parent.parent.parent.parent


class Forking:
    """The forking process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def run(self, **job: Any) -> list[Any]:
        """Run a job until it was killed, or has ended; gives what it told."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{json.dumps(job)}\n".encode())
        told: list[Any] = json.loads(await self._process.stdout.readline())
        assert not [line for line in told if line[0] == "error"], told
        return told


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = open_database(Settings(database_url))
    await database.open()
    yield database
    await database.close()


@pytest.fixture
async def forking(database_url: str) -> AsyncIterator[Forking]:
    pipe = asyncio.subprocess.PIPE
    command = (sys.executable, "-m", "tests.search.index.killing", database_url)
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, cwd=ROOT)
    yield Forking(process)
    assert process.stdin
    process.stdin.close()
    await process.wait()


async def kept(db: Database) -> dict[str, Prepared]:
    """The documents that the tables hold."""
    rows = await db.fetch_all(
        """
        SELECT documents.source, chunks.text
          FROM documents
          JOIN chunks ON chunks.document_id = documents.id
         ORDER BY documents.source, chunks.position
        """
    )
    texts: dict[str, list[str]] = {}
    for row in rows:
        texts.setdefault(row["source"], []).append(row["text"])
    return {source: prepared(source, *own) for source, own in texts.items()}


async def check(db: Database, index: Index | None = None) -> CollectionState:
    """The index says what the documents say, to who looks for the first time as to who has looked before."""
    there = await kept(db)
    right = {query: expected(there, query) for query in (WORDS[0], "heron water roof")}
    for each in (index, Index(db)):
        if each:
            (state,) = await each.sync(["default"])
            assert {query: await found(state, query) for query in right} == right
            assert state.living == sum(len(own.chunks) for own in there.values())
            cosines = state.semantic(vectors_of([5]).rows[0] / 127)
            assert int((~np.isnan(cosines)).sum()) == state.vectors == state.living - state.pending
    lost = await db.fetch_all(
        "SELECT segment FROM postings WHERE segment NOT IN (SELECT id FROM segments) GROUP BY segment"
    )
    assert lost == []  # whoever has the lease next must be able to sweep them
    return state


async def expire(db: Database) -> None:
    """Let the lease of the dead end."""
    await db.execute("UPDATE collections SET sealing_until = NULL")


async def test_a_sealing_that_is_killed_at_any_step_changes_nothing_or_is_done(db: Database, forking: Forking) -> None:
    store, survivor = DocumentStore(db), Index(db)
    for round_ in range(2):
        texts = [[f"{WORDS[n]} {WORDS[-n]} {round_}" for n in range(1, 5)] for _ in range(3)]
        await store.put_many([prepared(f"d{round_ + n}", *own) for n, own in enumerate(texts)])
        (state,) = await store.index.sync(["default"])
        hashes = state.unembedded(9).hashes
        await store.index.keep_vectors("default", EMBEDDER, hashes, vectors_of(hashes))
        vectors = (await check(db, survivor)).vectors
        for at in range(1, 20):
            (told,) = await forking.run(work="seal", at=at)
            assert (await check(db, survivor)).vectors == vectors
            if not told[1]:  # it came to its end
                break
            await expire(db)
        assert at > 4
    assert await store.index.seal("default") is False  # there is nothing left to do
    await store.put(prepared("last", "heron"))
    await expire(db)
    assert await store.index.seal("default")
    await check(db, survivor)
    assert await db.fetch_all("SELECT id FROM segments WHERE state = 'building'") == []
    assert await db.fetch_all("SELECT id FROM vector_blocks WHERE state = 'building'") == []


async def test_what_was_acknowledged_is_found_after_every_kill(db: Database, forking: Forking) -> None:
    survivor = Index(db)
    sure: dict[str, list[str] | None] = {}
    for seed, seconds in enumerate((0.05, 0.2, 0.0, 0.1)):
        told = await forking.run(work="write", seed=seed, at=seconds)
        assert told.pop() == ["killed", True]
        sure |= dict(told)
        await check(db, survivor)
        there = await kept(db)
        for source, texts in sure.items():
            if texts is not None:  # else it was under way: it is there as it was before, or as it was to be
                assert [chunk.text for chunk in there[source].chunks] == texts
        await expire(db)
    assert len(sure) >= 3

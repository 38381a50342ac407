"""A log is folded into segments by one process at a time, and nobody who searches notices."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from tests.search.index.shelf import expected, found, prepared
from toolkit import stamps
from toolkit.db import Database
from toolkit.errors import DatabaseBusy
from toolkit.search.index import CollectionState, Index, folding, lease, sealing
from toolkit.search.keeping import Prepared
from toolkit.search.store import DocumentStore

THERE = {f"{n}": prepared(f"{n}", f"heron number{n} in the marsh", f"stork {n}") for n in range(12)}


@pytest.fixture
async def store(db: Database) -> AsyncIterator[DocumentStore]:
    documents = DocumentStore(db)
    await documents.put_many(list(THERE.values()))
    yield documents
    await documents.index.close()


@pytest.fixture
async def reader(db: Database) -> AsyncIterator[Index]:
    index = Index(db)
    yield index
    await index.close()


async def state_of(index: Index) -> CollectionState:
    (state,) = await index.sync(["default"])
    return state


async def rows(db: Database, table: str) -> list[Any]:
    """How many rows there are by state."""
    found_ = await db.fetch_all(f"SELECT state, COUNT(*) AS n FROM {table} GROUP BY state ORDER BY state")
    return [(row["state"], row["n"]) for row in found_]


async def check(index: Index, there: dict[str, Prepared]) -> None:
    state = await state_of(index)
    for query in ("heron number3", "stork marsh", "absent"):
        assert await found(state, query) == expected(there, query)


async def later(db: Database, seconds: float = 61.0) -> None:
    """Let time pass for what was replaced."""
    for table in ("segments", "vector_blocks"):
        at = stamps.now() - timedelta(seconds=seconds)
        await db.execute(f"UPDATE {table} SET changed_at = :at", at=at)


async def test_sealing_changes_nothing_that_is_found(store: DocumentStore, reader: Index, db: Database) -> None:
    await check(reader, THERE)
    assert await store.index.seal("default")
    for index in (store.index, reader, Index(db)):
        await check(index, THERE)
        state = await state_of(index)
        assert [len(piece) for piece in state.pieces] == [24]
        assert state.pieces[0].stored
    log = await db.fetch_all("SELECT kind FROM search_log")
    assert [row["kind"] for row in log] == ["sealed"]
    assert not await store.index.seal("default")


async def test_what_comes_later_is_found_beside_what_is_sealed(store: DocumentStore, reader: Index) -> None:
    await store.index.seal("default")
    there = dict(THERE)
    for source in ("3", "new"):
        there[source] = prepared(source, f"heron {source} flies")
        await store.put(there[source])
        await check(reader, there)
    await store.remove_document(there.pop("5").id)
    await check(reader, there)
    await store.index.seal("default")
    for index in (reader, Index(store._db)):
        await check(index, there)
        state = await state_of(index)
        assert (len(state), state.living) == (26, 22)  # a larger segment is not made anew for a few


async def test_small_segments_are_joined_and_large_ones_are_left(
    store: DocumentStore, reader: Index, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "MOST_CHUNKS", 24)
    await store.index.seal("default")
    full = (await state_of(reader)).pieces[0].stored
    there = dict(THERE)
    for n in range(100, 112):
        there[f"{n}"] = prepared(f"{n}", f"heron number{n}")
        await store.put(there[f"{n}"])
        await store.index.seal("default")
        state = await state_of(reader)
        assert state.pieces[0].stored == full
        assert len(state.pieces) <= 1 + 5
    await check(reader, there)
    await check(Index(db), there)


async def test_a_segment_in_which_many_are_dead_is_made_anew_and_an_empty_one_goes(
    store: DocumentStore, reader: Index, db: Database
) -> None:
    await store.index.seal("default")
    there = dict(THERE)
    for n in range(3):
        await store.remove_document(there.pop(f"{n}").id)
    await store.index.seal("default")
    state = await state_of(reader)
    assert (len(state), state.living) == (24, 18)
    for n in range(3, 6):
        await store.remove_document(there.pop(f"{n}").id)
    await store.index.seal("default")
    state = await state_of(reader)
    assert (len(state), state.living) == (12, 12)
    await check(reader, there)
    await check(Index(db), there)
    for each in there.values():
        await store.remove_document(each.id)
    await store.index.seal("default")
    assert len(await state_of(reader)) == 0
    assert await found(await state_of(reader), "heron") == {}
    assert await rows(db, "segments") == [("gone", 2)]


async def test_more_than_a_segment_holds_becomes_several(
    store: DocumentStore, reader: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folding, "MOST_CHUNKS", 10)
    monkeypatch.setattr("toolkit.search.index.draft.JOINED", 9)
    await store.index.seal("default")
    there = dict(THERE)
    for n in range(20, 26):
        there[f"{n}"] = prepared(f"{n}", *(f"heron {n} {m}" for m in range(3)))
        await store.put(there[f"{n}"])
    await store.index.seal("default")
    assert sorted(len(piece) for piece in (await state_of(reader)).pieces) == [9, 9, 24]
    await check(reader, there)


async def test_what_was_replaced_is_deleted_when_no_search_reads_it_any_more(
    store: DocumentStore, reader: Index, db: Database
) -> None:
    await store.index.seal("default")
    old = await state_of(reader)
    await store.put_many([prepared(f"new {n}", "heron") for n in range(20)])
    await store.index.seal("default")
    assert await rows(db, "segments") == [("gone", 1), ("live", 1)]
    assert await found(old, "heron number3") == expected(THERE, "heron number3")  # a search that began before
    await later(db)
    await reader.housekeeping()
    assert await rows(db, "segments") == [("live", 1)]
    kept = await db.fetch_all("SELECT DISTINCT segment FROM postings")
    assert [row["segment"] for row in kept] == [row["id"] for row in await db.fetch_all("SELECT id FROM segments")]
    with pytest.raises(DatabaseBusy, match="search again"):
        await found(old, "stork marsh")
    assert await found(old, "heron number3")  # what it had read it still knows


async def test_only_one_of_several_seals(store: DocumentStore, reader: Index, db: Database) -> None:
    done = await asyncio.gather(*(index.seal("default") for index in (store.index, reader, Index(db), Index(db))))
    assert sorted(done) == [False, False, False, True]
    assert await rows(db, "segments") == [("live", 1)]


async def test_others_write_while_it_is_sealed(store: DocumentStore, reader: Index) -> None:
    there = dict(THERE)

    async def write() -> None:
        for n in range(30):
            source = f"{n % 15}"
            there[source] = prepared(source, f"heron number{n} stork")
            await store.put(there[source])

    async def seal() -> None:
        for _ in range(6):
            await reader.seal("default")
            await state_of(store.index)

    await asyncio.gather(write(), seal(), seal())
    for index in (store.index, reader, Index(store._db)):
        await check(index, there)


async def test_a_lease_that_was_lost_ends_the_sealing_without_a_trace(
    store: DocumentStore, reader: Index, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = sealing.Sealing._write_segment

    async def slow(*arguments: Any) -> int:
        own_id = await write(*arguments)
        await db.execute("UPDATE collections SET sealing_until = NULL")  # it was not renewed in time
        assert await lease.take(db, "default")
        return own_id

    monkeypatch.setattr(sealing.Sealing, "_write_segment", slow)
    assert not await store.index.seal("default")
    monkeypatch.undo()
    assert await rows(db, "segments") == [("building", 1)]
    await check(reader, THERE)
    assert not await store.index.seal("default")  # the other one has it still
    await db.execute("UPDATE collections SET sealing_until = :now", now=stamps.now())
    assert await store.index.seal("default")
    assert await rows(db, "segments") == [("live", 1)]
    await check(reader, THERE)


async def test_a_log_of_many_rows_is_folded_by_who_makes_it_long(
    store: DocumentStore, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.search.index.index.LONG", 10)
    there = dict(THERE)
    for n in range(25):
        there[f"{n}"] = prepared(f"{n}", f"heron {n}")
        await store.put(there[f"{n}"])
        await store.index.tidy("default")
        length = await db.fetch_one("SELECT COUNT(*) AS n FROM search_log")
        assert length
        assert length["n"] <= 12
    await check(store.index, there)


async def test_what_others_left_unfolded_is_folded_by_the_housekeeping(
    store: DocumentStore, reader: Index, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put(prepared("one", "heron", collection="small"))
    monkeypatch.setattr(sealing, "LARGE", 20)
    await reader.housekeeping()
    live = await db.fetch_all("SELECT collection FROM segments WHERE state = 'live'")
    assert [row["collection"] for row in live] == ["default"]
    await check(store.index, THERE)


async def test_nothing_is_left_of_a_collection_that_was_removed(
    store: DocumentStore, reader: Index, db: Database
) -> None:
    await store.index.seal("default")
    await store.put(prepared("later", "heron"))
    await store.remove_collection("default")
    for table in ("collections", "search_log", "segments", "postings", "vector_blocks", "chunks", "documents"):
        assert await db.fetch_all(f"SELECT 1 AS there FROM {table}") == [], table
    assert await reader.sync(["default"]) == []


async def test_a_collection_that_is_removed_while_it_is_sealed_stays_removed(
    store: DocumentStore, reader: Index, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    merged = sealing.Sealing._merged

    async def slow(*arguments: Any) -> Any:
        await store.remove_collection("default")
        await store.put(THERE["1"])
        return await merged(*arguments)

    monkeypatch.setattr(sealing.Sealing, "_merged", slow)
    assert not await reader.seal("default")
    monkeypatch.undo()
    await check(reader, {"1": THERE["1"]})
    await check(store.index, {"1": THERE["1"]})
    await later(db)
    await reader.housekeeping()
    assert await db.fetch_all("SELECT id FROM segments") == []

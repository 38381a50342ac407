"""Vectors are kept once for each text, found by every process, and made by one at a time."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.search.index.shelf import DIMENSION, found, prepared, vector_of, vectors_of
from toolkit.db import Database
from toolkit.errors import NotFound
from toolkit.search.index import CollectionState, Index, loading, tables
from toolkit.search.store import DocumentStore

ONE, TWO = "tests/one", "tests/two"


@pytest.fixture
async def store(db: Database) -> AsyncIterator[DocumentStore]:
    documents = DocumentStore(db)
    await documents.put_many([prepared(name, f"{name} fish", f"{name} nest") for name in ("heron", "stork", "crane")])
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


async def embed(index: Index, n: int = 100, embedder: str = ONE) -> NDArray[np.uint64]:
    """Keep the vectors of at most `n` texts that lack one."""
    hashes = (await state_of(index)).unembedded(n).hashes
    assert await index.keep_vectors("default", embedder, hashes, vectors_of(hashes))
    return hashes


def check(state: CollectionState) -> None:
    """Every chunk that has a vector has its own."""
    hashes, alive = np.asarray(state.hashes), np.asarray(state.alive)
    query = vector_of(1)
    cosines = state.semantic(query)
    assert len(cosines) == len(state)
    there = ~np.isnan(cosines)
    assert state.vectors == int(there.sum())
    assert not (there & ~alive).any()
    expected = [float(vector_of(number) @ query) for number in hashes[there].tolist()]
    assert np.allclose(cosines[there], expected, atol=0.03)
    own = state.vectors_of(np.arange(len(state)))
    assert np.isnan(own[~there]).all()
    assert np.allclose([row @ query for row in own[there]], expected, atol=0.03)


async def test_vectors_are_found_by_every_process_as_soon_as_they_are_kept(store: DocumentStore, reader: Index) -> None:
    state = await state_of(reader)
    assert (state.embedder, state.dimension, state.pending, state.vectors) == (None, None, 6, 0)
    assert np.isnan(state.semantic(vector_of(1))).all()
    await embed(store.index, 4)
    state = await state_of(reader)
    assert (state.embedder, state.dimension, state.pending, state.vectors) == (ONE, DIMENSION, 2, 4)
    check(state)
    await embed(store.index)
    state = await state_of(reader)
    assert (state.pending, state.vectors) == (0, 6)
    check(state)
    assert not len(state.unembedded(10).hashes)


async def test_what_lacks_a_vector_is_told_oldest_first_and_once_for_each_text(store: DocumentStore) -> None:
    await store.put(prepared("again", "heron fish", "new words"))
    state = await state_of(store.index)
    todo = state.unembedded(100)
    assert todo.chunk_ids[:6] == state.chunk_ids(range(6))
    assert len(todo.hashes) == len(set(todo.hashes.tolist())) == 7
    assert state.pending == 8
    assert state.unembedded(3).chunk_ids == todo.chunk_ids[:3]
    skipped = state.unembedded(2, skip=todo.hashes[:3])
    assert skipped.hashes.tolist() == todo.hashes[3:5].tolist()


async def test_a_text_that_stays_keeps_its_vector_and_only_what_changed_needs_a_new_one(
    store: DocumentStore, reader: Index
) -> None:
    await embed(store.index)
    await state_of(reader)
    await store.put(prepared("heron", "heron fish", "heron sleeps"))
    await store.put(prepared("copy", "stork nest"))
    for index in (reader, Index(store._db)):
        state = await state_of(index)
        assert (state.pending, state.living, state.vectors) == (1, 7, 6)
        (text,) = await index.texts(state.unembedded(9).chunk_ids)
        assert text.text == "heron sleeps"
        check(state)


async def test_vectors_of_another_embedder_are_not_kept(store: DocumentStore, reader: Index) -> None:
    await embed(store.index, 2)
    hashes = (await state_of(reader)).unembedded(2).hashes
    assert not await reader.keep_vectors("default", TWO, hashes, vectors_of(hashes))
    other = vectors_of(hashes)
    assert not await reader.keep_vectors("default", ONE, hashes, other._replace(rows=other.rows[:, :4]))
    assert not await reader.keep_vectors("nowhere", ONE, hashes, other)
    state = await state_of(reader)
    assert (state.embedder, state.vectors) == (ONE, 2)


async def test_vectors_outlive_sealing_and_a_new_start(store: DocumentStore, reader: Index) -> None:
    await embed(store.index, 3)
    await store.index.seal("default")
    await embed(store.index, 2)
    await store.index.seal("default")
    await embed(store.index, 1)
    for index in (store.index, reader, Index(store._db)):
        state = await state_of(index)
        assert (state.pending, state.vectors) == (0, 6)
        check(state)
    blocks = await store._db.fetch_all("SELECT vectors FROM vector_blocks WHERE state = 'live'")
    assert [row["vectors"] for row in blocks] == [5]


async def test_a_reader_that_was_away_while_all_was_sealed_catches_up(store: DocumentStore, reader: Index) -> None:
    await embed(store.index, 2)
    await state_of(reader)
    await embed(store.index, 2)
    await store.put(prepared("heron", "heron fish", "heron sleeps"))
    await embed(store.index, 1)
    await store.index.seal("default")
    await embed(store.index, 1)
    state = await state_of(reader)
    assert (state.pending, state.vectors) == ((await state_of(Index(store._db))).pending, state.vectors)
    check(state)


async def test_vectors_that_no_chunk_needs_any_more_are_dropped(
    store: DocumentStore, reader: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.search.index.sides.SPARE", 1)
    await embed(store.index)
    await store.index.seal("default")
    await state_of(reader)
    for name in ("heron", "stork"):
        await store.remove_document(prepared(name).id)
    await store.index.seal("default")
    blocks = await store._db.fetch_all("SELECT vectors FROM vector_blocks WHERE state = 'live'")
    assert sum(row["vectors"] for row in blocks) == 2
    for index in (reader, store.index, Index(store._db)):
        state = await state_of(index)
        assert (state.living, state.vectors) == (2, 2)
        check(state)
        assert state.side
        assert len(state.side.matrix) == 2


async def test_of_many_vectors_the_first_search_does_not_wait(
    store: DocumentStore, reader: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    await embed(store.index, 4)
    await store.index.seal("default")
    await embed(store.index, 1)
    monkeypatch.setattr(loading, "MANY", 3)
    state = await state_of(reader)
    assert not state.loaded
    assert np.isnan(state.semantic(vector_of(1))).all()
    assert len(await found(state, "heron")) == 2
    await store.put(prepared("later", "ibis"))
    whole = await (await state_of(reader)).ready()
    assert whole.loaded
    assert (await state.ready()).loaded
    assert (whole.vectors, whole.pending) == (5, 2)
    check(whole)
    await reader.close()


async def test_a_text_is_claimed_by_one_at_a_time(store: DocumentStore, reader: Index) -> None:
    hashes = (await state_of(reader)).unembedded(100).hashes
    mine = await store.index.claim("default", ONE, hashes[:3], seconds=100)
    assert mine.tolist() == hashes[:3].tolist()
    theirs = await reader.claim("default", ONE, hashes, seconds=100)
    assert theirs.tolist() == hashes[3:].tolist()
    assert not len(await store.index.claim("default", ONE, hashes, seconds=100))
    await reader.release("default", ONE, hashes)  # only what is his
    assert (await store.index.claim("default", ONE, hashes, seconds=100)).tolist() == hashes[3:].tolist()
    assert (await reader.claim("default", TWO, hashes, seconds=1)).tolist() == hashes.tolist()


async def test_a_claim_ends_with_its_time_or_with_the_vector(store: DocumentStore, reader: Index) -> None:
    hashes = (await state_of(reader)).unembedded(100).hashes
    await store.index.claim("default", ONE, hashes[:2], seconds=-1)
    assert (await reader.claim("default", ONE, hashes[:2], seconds=100)).tolist() == hashes[:2].tolist()
    await store.index.keep_vectors("default", ONE, hashes[:2], vectors_of(hashes[:2]))
    assert await store._db.fetch_all("SELECT * FROM embedding_claims") == []
    assert not len(await reader.claim("default", ONE, hashes[:2], seconds=100))  # they have their vectors
    assert await store._db.fetch_all("SELECT * FROM embedding_claims") == []


async def test_two_workers_at_once_never_make_a_vector_twice(db: Database) -> None:
    store = DocumentStore(db)
    await store.put_many([prepared(f"{n}", f"text number {n}") for n in range(60)])
    made: list[int] = []

    async def work(index: Index) -> None:
        while len(todo := (await state_of(index)).unembedded(7).hashes):
            mine = await index.claim("default", ONE, todo, seconds=60)
            made.extend(mine.tolist())
            await asyncio.sleep(0)
            await index.keep_vectors("default", ONE, mine, vectors_of(mine))
            if not len(mine):
                await asyncio.sleep(0.001)

    await asyncio.gather(*(work(Index(db)) for _ in range(3)))
    assert len(made) == len(set(made)) == 60
    check(await state_of(store.index))


async def test_another_embedder_takes_over_when_its_vectors_are_whole(store: DocumentStore, reader: Index) -> None:
    await embed(store.index)
    await store.index.set_embedder("default", TWO)
    state = await state_of(reader)
    assert (state.embedder, state.next_embedder, state.pending, state.vectors) == (ONE, TWO, 6, 6)
    check(state)
    await embed(reader, 4, TWO)
    await store.put(prepared("later", "ibis"))
    hashes = (await state_of(reader)).unembedded(9).hashes
    assert await reader.keep_vectors("default", ONE, hashes[-1:], vectors_of(hashes[-1:]))  # it is still searched
    state = await state_of(store.index)
    assert (state.embedder, state.next_embedder, state.pending, state.vectors) == (ONE, TWO, 3, 7)
    await store.index.seal("default")
    await embed(store.index, 9, TWO)
    for index in (reader, store.index, Index(store._db)):
        state = await state_of(index)
        assert (state.embedder, state.next_embedder, state.pending, state.vectors) == (TWO, None, 0, 7)
        check(state)
    await store.index.seal("default")
    rows = await store._db.fetch_all("SELECT DISTINCT embedder FROM vector_blocks WHERE state = 'live'")
    assert [row["embedder"] for row in rows] == [TWO]


async def test_what_was_read_before_others_moved_on_takes_nothing_back(store: DocumentStore, reader: Index) -> None:
    old = (await tables.collections(store._db, ["default"]))["default"]
    await embed(store.index, 3)
    state = await state_of(reader)
    assert await reader._states.current(old) is state
    assert await state_of(reader) is state
    check(state)


async def test_an_embedder_is_chosen_at_once_where_there_are_no_vectors_yet(store: DocumentStore) -> None:
    await store.index.set_embedder("default", TWO)
    await store.index.set_embedder("default", ONE)
    state = await state_of(store.index)
    assert (state.embedder, state.next_embedder) == (ONE, None)
    with pytest.raises(NotFound, match="There is no collection 'nowhere'"):
        await store.index.set_embedder("nowhere", ONE)


async def test_a_change_of_mind_goes_back_to_the_vectors_that_are_there(store: DocumentStore, reader: Index) -> None:
    await embed(store.index)
    await store.index.set_embedder("default", TWO)
    await embed(store.index, 2, TWO)
    await store.index.set_embedder("default", ONE)
    state = await state_of(reader)
    assert (state.embedder, state.next_embedder, state.pending) == (ONE, None, 0)
    check(state)

"""What was acknowledged is found by the next search, in every process, at a cost that does not depend on the rest."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.search.index.shelf import expected, found, prepared
from toolkit.db import Database, open_database
from toolkit.search.index import CollectionState, Index
from toolkit.search.index import bodies as bodies_of
from toolkit.search.ingest import Documents
from toolkit.search.keeping import Prepared
from toolkit.search.store import DocumentStore
from toolkit.settings import Settings

WORDS = ["heron", "stork", "egret", "crane", "ibis", "fish", "water", "roof", "nest", "marsh", "wing", "river"]


@pytest.fixture
async def store(db: Database) -> AsyncIterator[DocumentStore]:
    documents = DocumentStore(db)
    yield documents
    await documents.index.close()


@pytest.fixture
async def reader(db: Database) -> AsyncIterator[Index]:
    """Another index over the same database, as another process has it."""
    index = Index(db)
    yield index
    await index.close()


async def state_of(index: Index, key: str = "default") -> CollectionState:
    (state,) = await index.sync([key])
    return state


async def test_a_document_is_found_as_soon_as_it_is_kept(store: DocumentStore, reader: Index) -> None:
    assert await reader.sync(["default"]) == []
    await store.put(prepared("a", "Herons fish.", "Storks nest on roofs."))
    state = await state_of(reader)
    assert (len(state), state.living, state.pending, state.vectors, state.version) == (2, 2, 2, 0, 1)
    assert set(await found(state, "storks")) == {state.chunk_ids([1])[0]}
    await store.put(prepared("b", "A stork in the water."))
    assert len(await found(await state_of(reader), "stork")) == 2
    assert len(await found(state, "stork")) == 1  # what was handed out stays as it was


async def test_a_changed_or_removed_document_is_not_found_by_its_old_words(store: DocumentStore, reader: Index) -> None:
    one, two = prepared("a", "Herons fish.", "Storks nest."), prepared("b", "Herons sleep.")
    await store.put_many([one, two])
    await state_of(reader)
    changed = prepared("a", "Egrets fish.")
    await store.put(changed)
    state = await state_of(reader)
    for query in ("herons", "storks", "egrets fish"):
        assert await found(state, query) == expected({"a": changed, "b": two}, query), query
    await store.remove_document(two.id)
    state = await state_of(reader)
    assert await found(state, "herons") == {}
    assert (state.living, state.pending) == (1, 1)
    assert await found(state, "egrets") == expected({"a": changed}, "egrets")


async def test_a_document_without_text_takes_its_old_words_away(store: DocumentStore, reader: Index) -> None:
    await store.put(prepared("a", "Herons fish."))
    await store.put(prepared("a"))
    assert await found(await state_of(reader), "herons") == {}


async def test_documents_that_are_replaced_by_others_are_gone(store: DocumentStore, reader: Index) -> None:
    old, new = prepared("old", "Herons fish."), prepared("new", "Herons fish there.")
    await store.put(old)
    await store.put(Prepared(**{n: getattr(new, n) for n in Prepared.__slots__} | {"replaces": (old.id,)}))
    assert set(await found(await state_of(reader), "herons")) == {f"{new.id}-1"}


async def test_collections_know_nothing_of_each_other(store: DocumentStore, reader: Index) -> None:
    await store.put(prepared("a", "Herons fish.", collection="one"))
    await store.put(prepared("a", "Herons sleep.", collection="two"))
    one, two = await reader.sync(["one", "two", "three"])
    assert (one.key, two.key) == ("one", "two")
    assert len(await found(one, "herons")) == len(await found(two, "herons")) == 1
    assert await found(one, "sleep") == {}


async def test_several_collections_are_ranked_as_if_they_were_one(store: DocumentStore, reader: Index) -> None:
    documents = {
        (key, source): prepared(source, f"heron {source} " * n, collection=key)
        for n, (key, source) in enumerate([("one", "stork"), ("two", "crane"), ("two", "egret")], 1)
    }
    for each in documents.values():
        await store.put(each)
    states = await reader.sync(["one", "two"])
    scores = await reader.lexical(states, states[0].analyser.query("heron crane"))
    together = {
        own: round(float(score), 4)
        for state, own_scores in zip(states, scores, strict=True)
        for own, score in zip(state.chunk_ids(range(len(state))), own_scores, strict=True)
    }
    assert together == expected({f"{k}{s}": d for (k, s), d in documents.items()}, "heron crane")


async def test_a_removed_collection_is_gone_and_may_begin_anew(store: DocumentStore, reader: Index) -> None:
    for n in range(3):
        await store.put(prepared(f"{n}", "Herons fish."))
    await store.index.seal("default")
    old = await state_of(reader)
    await store.remove_collection("default")
    assert await reader.sync(["default"]) == []
    for n in range(4):
        await store.put(prepared(f"new {n}", "Herons sleep."))
    state = await state_of(reader)
    assert state.version <= old.version + 1
    assert len(await found(state, "herons")) == 4
    assert await found(state, "fish") == {}


async def test_whatever_is_done_in_whatever_order_every_reader_finds_what_is_there(db: Database) -> None:
    chance = random.Random(7)
    stores = [DocumentStore(db), DocumentStore(db)]
    readers = [Index(db), Index(db)]
    there: dict[str, Prepared] = {}
    for step in range(60):
        store = chance.choice(stores)
        kind = chance.random()
        if kind < 0.6 or not there:
            names = chance.sample([f"d{n}" for n in range(12)], chance.choice([1, 1, 1, 4]))
            texts = [[" ".join(chance.choices(WORDS, k=6)) for _ in range(chance.randint(0, 3))] for _ in names]
            several = [prepared(name, *own) for name, own in zip(names, texts, strict=True)]
            await store.put_many(several)
            there |= dict(zip(names, several, strict=True))
        elif kind < 0.8:
            await store.remove_document(there.pop(chance.choice(list(there))).id)
        elif kind < 0.9:
            gone = chance.sample(list(there), min(2, len(there)))
            await store.forget("default", "", [there.pop(name).id for name in gone])
        else:
            await store.index.seal("default")
        if step % 3 == 0:
            index = chance.choice(readers)
            if step % 12 == 0:
                readers[readers.index(index)] = index = Index(db)  # one that was just started
            query = " ".join(chance.sample(WORDS, 2))
            state = await state_of(index)
            assert await found(state, query) == expected(there, query), step
            assert state.living == sum(len(each.chunks) for each in there.values())


async def test_a_search_without_news_asks_the_database_once(
    store: DocumentStore, reader: Index, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(5):
        await store.put(prepared(f"{n}", f"Herons fish {n}."))
    await state_of(reader)
    asked: list[str] = []
    fetch = db.fetch_all

    async def counted(sql: Any, /, **values: Any) -> Any:
        asked.append(str(sql))
        return await fetch(sql, **values)

    monkeypatch.setattr(db, "fetch_all", counted)
    await found(await state_of(reader), "herons")
    assert len(asked) == 1
    await store.put(prepared("new", "Herons fish."))
    asked.clear()
    await found(await state_of(reader), "herons")
    assert len(asked) == 2


async def test_an_update_reads_and_takes_in_only_what_is_new(
    store: DocumentStore, reader: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put_many([prepared(f"{n}", "Herons fish.") for n in range(200)])
    before = await state_of(reader)
    read: list[int] = []
    to_words = bodies_of.to_words

    def counted(body: bytes) -> Any:
        segments = to_words(body)
        read.append(sum(map(len, segments)))
        return segments

    monkeypatch.setattr("toolkit.search.index.bodies.to_words", counted)
    await store.put(prepared("7", "Storks fish."))
    after = await state_of(reader)
    assert read == [1]
    assert after.pieces[0].segment is before.pieces[0].segment


async def test_many_small_writes_make_few_pieces(store: DocumentStore, reader: Index) -> None:
    for n in range(70):
        await store.put(prepared(f"{n}", f"heron number{n}"))
        if n % 9 == 0:
            state = await state_of(reader)
            assert len(state.pieces) <= 8
            assert len(await found(state, "heron")) == n + 1


async def test_a_long_log_is_read_in_parts_and_whole(
    store: DocumentStore, reader: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.search.index.tables._ROWS", 4)
    for n in range(11):
        one, old = prepared(f"{n}", f"heron number{n}"), prepared(f"old {n}", "stork")
        await store.put(old)
        # One version with two rows: words, and what is gone.
        await store.put(Prepared(**{k: getattr(one, k) for k in Prepared.__slots__} | {"replaces": (old.id,)}))
        if n % 4 == 0:
            await state_of(reader)
    for index in (reader, Index(store._db)):
        state = await state_of(index)
        assert (len(await found(state, "heron")), len(await found(state, "stork")), state.version) == (11, 0, 22)


async def test_searches_at_once_share_one_reading(
    store: DocumentStore, reader: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put(prepared("a", "Herons fish."))
    loads = 0
    load = asyncio.to_thread

    async def counted(*arguments: Any) -> Any:
        nonlocal loads
        loads += arguments[0].__name__ == "_made"
        return await load(*arguments)

    monkeypatch.setattr("toolkit.search.index.loading.asyncio.to_thread", counted)
    states = await asyncio.gather(*(state_of(reader) for _ in range(20)))
    assert loads == 1
    assert all(state is states[0] for state in states)


async def test_a_reading_that_fails_leaves_nothing_behind(
    store: DocumentStore, reader: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put(prepared("a", "Herons fish."))
    await state_of(reader)
    await store.put_many([prepared("a", "Storks nest."), prepared("b", "Cranes dance.")])
    with monkeypatch.context() as broken:
        broken.setattr("toolkit.search.index.draft.Draft._add", lambda *_: (_ for _ in ()).throw(MemoryError()))
        with pytest.raises(MemoryError):
            await state_of(reader)
    state = await state_of(reader)
    assert (len(await found(state, "herons")), len(await found(state, "storks cranes"))) == (0, 2)


def test_several_threads_with_loops_of_their_own_may_use_one_index(tmp_path: Any) -> None:
    db = open_database(Settings(f"sqlite:///{tmp_path / 'a.db'}"))
    store = DocumentStore(db)
    failures: list[BaseException] = []

    async def work(number: int) -> None:
        for n in range(12):
            await store.put(prepared(f"{number}-{n}", f"heron t{number} n{n}"))
            state = await state_of(store.index)
            assert f"{prepared(f'{number}-{n}').id}-1" in await found(state, f"t{number}")
            if n % 5 == 4:
                await store.index.seal("default")
        await store.index.close()

    def run(number: int) -> None:
        try:
            asyncio.run(work(number))
        except BaseException as error:  # noqa: BLE001 - raised again in pytest's thread
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []

    async def end() -> None:
        state = await state_of(store.index)
        assert len(await found(state, "heron")) == 48
        await store.index.close()
        await db.close()

    asyncio.run(end())


async def test_columns_give_some_or_all_of_their_values(store: DocumentStore) -> None:
    for n in range(4):
        await store.put(prepared(f"{n}", *(f"heron {n} {m}" for m in range(n + 1))))
    await store.index.seal("default")
    await store.put(prepared("later", "heron", "stork"))
    state = await state_of(store.index)
    docs = np.asarray(state.docs)
    order = np.array([len(state) - 1, 0, 3, 3])
    assert state.docs[order].tolist() == docs[order].tolist()
    assert np.asarray(state.positions).dtype == np.int32
    assert len(state.hashes) == len(docs) == len(state) == 12
    with pytest.raises(IndexError):
        state.docs[np.array([len(state)])]
    mask = state.among(np.unique(docs[:3]))
    assert mask.tolist() == np.isin(docs, docs[:3]).tolist()


async def test_the_texts_of_chunks_come_in_the_order_in_which_they_are_asked_for(store: DocumentStore) -> None:
    one = prepared("a", "Herons fish.", "Storks nest.")
    await store.put(one)
    texts = await store.index.texts([f"{one.id}-2", "nonsense", f"{one.id}-1"])
    assert [(each.id, each.title, each.text) for each in texts] == [
        (f"{one.id}-2", "", "Storks nest."),
        (f"{one.id}-1", "", "Herons fish."),
    ]
    assert await store.index.texts([]) == []


async def test_what_one_program_keeps_another_finds_with_its_next_search(database_url: str) -> None:
    one, two = (open_database(Settings(database_url)) for _ in range(2))
    store, reader = DocumentStore(one), Index(two)
    there: dict[str, Prepared] = {}
    for n in range(8):
        there[f"{n % 5}"] = prepared(f"{n % 5}", f"heron number{n}")
        await store.put(there[f"{n % 5}"])
        assert await found(await state_of(reader), "heron") == expected(there, "heron")
        if n % 3 == 0:
            await reader.seal("default")
    await store.remove_document(there.pop("0").id)
    assert await found(await state_of(reader), "heron") == expected(there, "heron")
    await asyncio.gather(store.close(), reader.close())
    await asyncio.gather(one.close(), two.close())


async def test_two_programs_that_ingest_the_same_folder_at_once_keep_each_file_once(
    database_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    for n in range(25):
        (folder / f"{n}.txt").write_text(f"heron number{n}")
    databases = [open_database(Settings(database_url)) for _ in range(2)]
    stores = [Documents(db) for db in databases]
    await asyncio.gather(*(store.ingest(folder) for store in stores))
    for store in stores:
        state = await state_of(store.index)
        assert (state.living, len(await found(state, "heron"))) == (25, 25)
        assert (await store.ingest(folder)).unchanged == 25
    for store, db in zip(stores, databases, strict=True):
        await store.close()
        await db.close()

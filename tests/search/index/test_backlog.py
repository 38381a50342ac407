"""What was ingested before its words were indexed is indexed when it is first needed, once, and whatever happens."""

import asyncio
from typing import Any

import pytest

from tests.search.index.shelf import expected, found, prepared
from toolkit.db import Database
from toolkit.errors import DatabaseUnavailable
from toolkit.search.index import CollectionState, Index, backlog
from toolkit.search.index.building import analyser, code, segments
from toolkit.search.store import DocumentStore
from toolkit.search.words.analyser import Analyser

THERE = {f"{n:02}": prepared(f"{n:02}", f"herons number{n} nest", f"stork {n}") for n in range(20)}


@pytest.fixture
async def old(db: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database as an earlier version left it: documents and chunks, and nothing else."""
    store = DocumentStore(db)
    await store.put_many(list(THERE.values()))
    await db.execute("DELETE FROM search_log")
    await db.execute("UPDATE collections SET analysed = '', version = 0")
    await db.execute("UPDATE documents SET analysed = ''")
    monkeypatch.setattr(backlog, "_DOCUMENTS", 6)
    return db


async def state_of(index: Index) -> CollectionState:
    (state,) = await index.sync(["default"])
    return state


async def analysed(db: Database) -> set[str]:
    rows = await db.fetch_all("SELECT DISTINCT analysed FROM documents")
    return {row["analysed"] for row in rows}


async def check(index: Index, there: Any = THERE, language: str = "en") -> None:
    state = await state_of(index)
    for query in ("herons number7", "storks", "absent"):
        assert await found(state, query) == expected(there, query, language)


async def test_documents_of_an_earlier_version_are_found_by_the_first_search(old: Database) -> None:
    await check(Index(old))
    assert await analysed(old) == {code("en")}
    row = await old.fetch_one("SELECT analysed, version FROM collections")
    assert row == {"analysed": code("en"), "version": 4}
    await check(Index(old))


async def test_several_that_search_for_the_first_time_at_once_index_once(old: Database) -> None:
    await asyncio.gather(*(check(Index(old)) for _ in range(4)))
    row = await old.fetch_one("SELECT version FROM collections")
    assert row == {"version": 4}


async def test_what_was_broken_off_goes_on_where_it_was(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    kept, batches = backlog.Backlog._kept, 0

    async def failing(*arguments: Any) -> bool:
        nonlocal batches
        batches += 1
        if batches == 3:
            raise DatabaseUnavailable("It was unplugged.")
        return await kept(*arguments)

    monkeypatch.setattr(backlog.Backlog, "_kept", failing)
    with pytest.raises(DatabaseUnavailable, match="unplugged"):
        await state_of(Index(old))
    assert await analysed(old) == {"", code("en")}
    await check(Index(old))
    assert batches == 2 + 1 + 2


async def test_a_document_that_is_changed_or_goes_while_it_is_indexed_is_not_brought_back(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, store = dict(THERE), DocumentStore(old)
    changed = prepared("03", "egrets dance")
    done = False

    async def meanwhile() -> None:
        await store.put(changed)
        await store.remove_document(there.pop("04").id)

    loop = asyncio.get_running_loop()

    def slow(*arguments: Any) -> Any:
        nonlocal done
        if not done:
            done = True
            asyncio.run_coroutine_threadsafe(meanwhile(), loop).result(20)
        return segments(*arguments)

    monkeypatch.setattr(backlog, "segments", slow)
    there["03"] = changed
    index = Index(old)
    await state_of(index)
    assert done
    await check(index, there)
    await check(Index(old), there)


async def test_new_documents_are_found_beside_those_that_wait(old: Database) -> None:
    store = DocumentStore(old)
    there = THERE | {"new": prepared("new", "herons")}
    await store.put(there["new"])
    await check(store.index, there)


async def test_another_version_of_the_analyser_indexes_everything_anew(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await check(Index(old))
    monkeypatch.setattr(Analyser, "VERSION", Analyser.VERSION + 1)
    index = Index(old)
    await check(index)
    assert await analysed(old) == {code("en")}
    assert (await state_of(index)).living == 40


async def test_a_program_of_an_earlier_version_beside_it_leaves_work_that_is_done(
    old: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, there = Analyser.VERSION, dict(THERE)
    monkeypatch.setattr(Analyser, "VERSION", before + 1)
    index = Index(old)
    await check(index)
    monkeypatch.setattr(Analyser, "VERSION", before)
    there["05"] = prepared("05", "herons of old")
    await DocumentStore(old).put(there["05"])
    monkeypatch.setattr(Analyser, "VERSION", before + 1)
    await check(index, there)
    assert await analysed(old) == {code("en")}


async def test_another_language_takes_all_words_anew(old: Database) -> None:
    store = DocumentStore(old)
    there = {"a": prepared("a", "Die Häuser der Reiher"), "b": prepared("b", "Ein Haus")}
    await store.put_many(list(there.values()))
    await store.configure("default", language="de-AT")
    state = await state_of(store.index)
    assert state.language == "de"
    assert set(await found(state, "hauses")) == {f"{each.id}-1" for each in there.values()}
    await store.put(prepared("c", "Den Häusern"))
    await DocumentStore(old).put(prepared("d", "Des Hauses"))  # one that thinks it English
    state = await state_of(store.index)
    assert len(await found(state, "Haus")) == 4
    assert state.analyser is analyser("de")


async def test_a_search_does_not_wait_for_ever(old: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "PATIENCE", 0.0)
    index = Index(old)
    assert len(await state_of(index)) < 40
    monkeypatch.setattr(backlog, "PATIENCE", 30.0)
    await check(index)
    await index.close()


async def test_the_housekeeping_does_not_wait_for_a_search(old: Database) -> None:
    store = DocumentStore(old)
    await store.tend()
    assert await analysed(old) == {code("en")}
    await check(store.index)


async def test_without_documents_the_housekeeping_needs_no_index(db: Database) -> None:
    store = DocumentStore(db)
    await store.tend()
    await store.close()
    assert store._index is None

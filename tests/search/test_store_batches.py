"""Documents are kept in batches, and each as if it had come alone."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.search.index.shelf import found, prepared
from toolkit.db import Database, Rows, as_json
from toolkit.errors import Conflict
from toolkit.search import gathering
from toolkit.search.documents import Document
from toolkit.search.gathering import Gathering
from toolkit.search.ingest import Documents
from toolkit.search.keeping import Written
from toolkit.search.ready import Ready, ready
from toolkit.search.store import DocumentStore


async def sources(db: Database) -> list[str]:
    return [row["source"] for row in await db.fetch_all("SELECT source FROM documents ORDER BY source")]


async def told(db: Database) -> list[tuple[str, str]]:
    rows = await db.fetch_all("SELECT kind, body FROM events ORDER BY seq")
    return [(row["kind"].partition(".")[2], as_json(row["body"])["source"]) for row in rows]


async def test_a_batch_is_one_commit_and_each_document_is_told_of(db: Database) -> None:
    store = DocumentStore(db)
    await store.put(prepared("b", "old text"))
    before = db.pool_stats().commits
    await store.put_many([prepared(name, f"text of {name}") for name in "abc"])
    assert db.pool_stats().commits == before + 1
    assert sorted((await told(db))[1:]) == [("added", "a"), ("added", "c"), ("changed", "b")]
    (state,) = await store.index.sync(["default"])
    assert (state.version, state.living) == (2, 3)


async def test_of_two_with_one_id_the_last_is_kept_and_nothing_is_nothing(db: Database) -> None:
    store = DocumentStore(db)
    await store.put_many([])
    await store.put_many([prepared("a", "first"), prepared("a", "second", "third")])
    rows = await db.fetch_all("SELECT text FROM chunks ORDER BY position")
    assert [row["text"] for row in rows] == ["second", "third"]
    assert await told(db) == [("added", "a")]


async def test_one_that_cannot_be_kept_does_not_keep_the_others_from_it(db: Database) -> None:
    store = DocumentStore(db)
    await store.put(replace(prepared("b", "theirs"), root="/theirs", path="/theirs/b"))
    mine = [replace(prepared(name, "mine"), root="/mine", path=f"/mine/{name}") for name in "abc"]
    with pytest.raises(Conflict, match="has another document called 'b'"):
        await store.put_many(mine)
    rows = await db.fetch_all("SELECT source, root FROM documents ORDER BY source")
    assert [(row["source"], row["root"]) for row in rows] == [("a", "/mine"), ("b", "/theirs"), ("c", "/mine")]
    (state,) = await store.index.sync(["default"])
    assert (len(await found(state, "mine")), len(await found(state, "theirs"))) == (2, 1)


async def test_a_file_may_take_over_what_was_made_of_itself(db: Database) -> None:
    store = DocumentStore(db)
    await store.put(replace(prepared("docs/a", "text"), root="/docs/a", path="/docs/a"))
    await store.put(replace(prepared("docs/a", "text"), root="/docs", path="/docs/a"))
    assert (await db.fetch_all("SELECT root FROM documents")) == [{"root": "/docs"}]


async def test_an_error_in_the_middle_leaves_nothing_of_the_batch(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, write = DocumentStore(db), db.write

    async def broken(*statements: Any, **rest: Any) -> Any:
        spoilt = Rows("chunks", {"id": "TEXT"}, [("x",)])
        return await write(*(spoilt if isinstance(s, Rows) and s.table == "chunks" else s for s in statements), **rest)

    monkeypatch.setattr(db, "write", broken)
    with pytest.raises(Exception, match="constraint"):
        await store.put_many([prepared(name, "text") for name in "ab"])
    monkeypatch.undo()
    assert await sources(db) == []
    assert await told(db) == []
    assert await store.index.sync(["default"]) == []


async def test_many_writers_of_one_collection_at_once_lose_nothing(db: Database) -> None:
    stores = [DocumentStore(db) for _ in range(3)]

    async def write(number: int) -> None:
        for n in range(6):
            several = [prepared(f"{number}-{n}-{m}", f"heron t{number}") for m in range(3)]
            await stores[number % 3].put_many([*several, prepared("shared", f"last {number} {n}")])

    await asyncio.gather(*(write(number) for number in range(6)))
    (state,) = await stores[0].index.sync(["default"])
    assert (state.version, state.living) == (36, 6 * 6 * 3 + 1)
    assert len(await found(state, "heron")) == 108
    shared = await stores[0].document(prepared("shared").id)
    assert len(await found(state, "last")) == shared.chunks == 1


class Recorded:
    """Keeps slowly, and notes what it was given."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.kept: list[str] = []
        self.at_once = self.most = 0

    async def keep(self, batch: Ready) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        await asyncio.sleep(0.01)
        self.batches.append([each.id for each in batch.documents])
        self.at_once -= 1

    async def told(self, each: Written) -> None:
        self.kept.append(each.id)


async def test_what_is_ready_is_kept_together_and_no_batch_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST_CHUNKS", 10)
    monkeypatch.setattr(gathering, "MOST_DOCUMENTS", 4)
    monkeypatch.setattr(gathering, "_WAITING", 40)
    recorded = Recorded()
    several = [prepared(f"{n}", *["x"] * (25 if n == 7 else 1 + n % 4)) for n in range(40)]
    sizes = {each.id: len(each.chunks) for each in several}
    together = Gathering(recorded.keep, recorded.told)
    async with together.open():
        for each in several:
            await together.add(ready([each]))
    assert sorted(recorded.kept) == sorted(sizes)
    assert [own for batch in recorded.batches for own in batch if own in sizes] != []
    assert all(len(batch) <= 4 for batch in recorded.batches)
    assert all(sum(sizes[own] for own in batch) <= 10 for batch in recorded.batches if len(batch) > 1)
    assert len(recorded.batches) < 25
    assert recorded.most == gathering.KEEPERS


async def test_what_cannot_be_kept_ends_the_gathering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "_WAITING", 1)

    async def fail(_: object) -> None:
        raise Conflict("taken")

    async def gather() -> None:
        together = Gathering(fail, Recorded().told)
        async with together.open():
            for n in range(100):
                await together.add(ready([prepared(f"{n}", "x")]))

    with pytest.raises(ExceptionGroup) as caught:
        await gather()
    assert caught.group_contains(Conflict, match="taken")


async def test_many_given_documents_are_kept_in_few_commits(db: Database) -> None:
    documents = Documents(db)
    await documents.ingest(Document("first", "Text."))
    before = db.pool_stats().commits
    report = await documents.ingest([Document(f"{n}", f"Text number {n}.") for n in range(300)])
    assert (report.added, report.chunks) == (300, 300)
    assert db.pool_stats().commits - before <= 12
    assert len(await told(db)) == 301


async def test_a_large_ingest_is_folded_when_it_is_done(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toolkit.search.index.index.LARGE", 20)
    await Documents(db).ingest([Document(f"{n}", f"Text number {n}.") for n in range(30)])
    assert await db.fetch_all("SELECT chunks FROM segments WHERE state = 'live'") == [{"chunks": 30}]
    assert [row["kind"] for row in await db.fetch_all("SELECT kind FROM search_log")] == ["sealed"]

"""What belongs to a person is as good as not there for everybody else."""

from pathlib import Path

import pytest

from tests.search.index.shelf import found
from toolkit.db import Database, as_json
from toolkit.errors import ConfigError, NotFound
from toolkit.search.collection import key_of, name_of, owner_of
from toolkit.search.cutting.chunker import document_id
from toolkit.search.documents import Document, Status
from toolkit.search.ingest import Documents
from toolkit.search.store import DocumentStore

ADA, BOB = "ada", "bob@example.org"


@pytest.fixture
async def documents(db: Database) -> Documents:
    """A collection of everyone's, one of Ada's, and one of each that is called alike."""
    store = Documents(db)
    await store.ingest(Document("rules", "Everyone's herons."), collection="handbook")
    await store.ingest(Document("diary", "Ada's herons."), collection="notes", owner=ADA)
    await store.ingest(Document("diary", "Bob's herons."), collection="notes", owner=BOB)
    await store.ingest(Document("own", "Ada's rules."), collection="handbook", owner=ADA)
    return store


def own_id(name: str, source: str, owner: str | None = None) -> str:
    return document_id(key_of(name, owner), source)


def test_a_key_says_what_it_is_called_and_whose_it_is() -> None:
    assert (key_of("a", None), name_of("a"), owner_of("a")) == ("a", "a", None)
    key = key_of("a", BOB)
    assert (name_of(key), owner_of(key)) == ("a", BOB)
    with pytest.raises(ConfigError, match="cannot name a collection"):
        key_of(key, None)


async def test_each_sees_everyone_s_collections_and_his_own(documents: Documents) -> None:
    async def seen(owner: str | None) -> list[tuple[str, str | None]]:
        return [(info.name, info.owner) for info in await documents.collections(owner=owner)]

    assert await seen(ADA) == [("handbook", None), ("handbook", ADA), ("notes", ADA)]
    assert await seen(BOB) == [("handbook", None), ("notes", BOB)]
    assert await seen("eve") == [("handbook", None)]
    assert len(await seen(None)) == 4
    assert [each.key for each in await documents.find(None, "eve")] == ["handbook"]
    assert len(await documents.find(None, None)) == 4


async def test_a_name_is_one_s_own_collection_before_everyone_s(documents: Documents) -> None:
    async def key(name: str, owner: str | None) -> str:
        (one,) = await documents.find([name], owner)
        return one.key

    assert await key("handbook", ADA) == key_of("handbook", ADA)
    assert await key("handbook", BOB) == "handbook"
    assert await key("notes", BOB) == key_of("notes", BOB)
    with pytest.raises(NotFound, match=r"There is no collection 'notes'; there is 'handbook'\."):
        await documents.find(["notes"], "eve")
    with pytest.raises(NotFound, match="There is no collection 'notes'"):
        await documents.find(["notes"], None)


async def test_what_others_have_is_not_found_by_id_either(documents: Documents) -> None:
    diary = own_id("notes", "diary", ADA)
    assert (await documents.document(diary, owner=ADA)).collection == "notes"
    (chunk,) = await documents.chunk(f"{diary}-1", owner=ADA)
    assert chunk.collection == "notes"
    assert (await documents.document(diary)).text == "Ada's herons."
    for owner in (BOB, "eve", ""):
        with pytest.raises(NotFound, match="There is no document"):
            await documents.document(diary, owner=owner)
        with pytest.raises(NotFound, match="There is no chunk"):
            await documents.chunk(f"{diary}-1", owner=owner)
        with pytest.raises(NotFound, match="There is no document"):
            await documents.remove_document(diary, owner=owner)
        with pytest.raises(NotFound):
            await documents.remove_collection("notes", owner=owner if owner != BOB else "eve")
    assert (await documents.document(own_id("handbook", "rules"), owner="eve")).text == "Everyone's herons."


async def test_everyone_s_documents_are_not_removed_by_one_person(documents: Documents) -> None:
    with pytest.raises(NotFound):
        await documents.remove_document(own_id("handbook", "rules"), owner=ADA)
    assert await documents.remove_collection("handbook", owner=ADA) == 1  # his own
    with pytest.raises(NotFound):
        await documents.remove_collection("handbook", owner=ADA)
    assert [info.owner for info in await documents.collections()] == [None, ADA, BOB]
    await documents.remove_document(own_id("notes", "diary", ADA), owner=ADA)
    assert await documents.remove_collection("handbook") == 1


async def test_the_status_counts_what_may_be_seen(documents: Documents) -> None:
    assert await documents.status(owner=ADA) == Status(3, 3, 3)
    assert await documents.status(owner="eve") == Status(1, 1, 1)
    assert await documents.status("notes", owner=BOB) == Status(1, 1, 1)
    assert await documents.status() == Status(4, 4, 4)
    with pytest.raises(NotFound):
        await documents.status("notes", owner="eve")


async def test_the_words_of_one_are_not_counted_with_those_of_another(documents: Documents) -> None:
    states = await documents.index.sync([key_of("notes", ADA), key_of("notes", BOB)])
    for state, owner in zip(states, (ADA, BOB), strict=True):
        assert (state.name, state.owner, state.living) == ("notes", owner, 1)
        assert set(await found(state, "herons")) == {f"{own_id('notes', 'diary', owner)}-1"}


async def test_listeners_are_told_the_name_and_not_the_key(documents: Documents, db: Database) -> None:
    await documents.remove_collection("notes", owner=ADA)
    rows = await db.fetch_all("SELECT kind, body FROM events ORDER BY seq")
    assert {as_json(row["body"])["collection"] for row in rows} == {"handbook", "notes"}
    assert [row["kind"] for row in rows].count("document.removed") == 1


async def test_a_private_folder_is_brought_up_to_date_by_itself(documents: Documents, tmp_path: Path) -> None:
    folder = tmp_path / "docs"
    folder.mkdir()
    (folder / "a.md").write_text("Herons.")
    for owner in (None, ADA):
        assert (await documents.ingest(folder, collection="files", owner=owner)).added == 1
    (folder / "a.md").unlink()
    assert (await documents.ingest(folder, collection="files", owner=ADA)).removed == 1
    assert [info.owner for info in await documents.collections() if info.name == "files"] == [None]


async def test_a_collection_may_be_configured_before_it_has_documents(db: Database) -> None:
    store = DocumentStore(db)
    await store.configure("notes", language="de", embedder="tests/one", owner=ADA)
    assert await store.collections() == []
    with pytest.raises(ConfigError, match="cannot be analysed"):
        await store.configure("notes", language="xx")
    with pytest.raises(NotFound, match="Nothing has been ingested yet"):
        await store.find(["notes"], ADA)
    await Documents(db).ingest(Document("a", "Die Häuser."), collection="notes", owner=ADA)
    (one,) = await store.find(["notes"], ADA)
    assert (one.language, one.embedder) == ("de", "tests/one")

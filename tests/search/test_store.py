"""What is kept, and how it is asked for."""

import pytest

from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound
from toolkit.search.cutting.chunker import MOST, document_id
from toolkit.search.documents import Document, Status
from toolkit.search.ingest import Documents
from toolkit.search.retriever import Retriever

LINE = "word " * 160
LONG = "\n\n".join(f"Paragraph {number}. {LINE}" for number in range(1, 13))


@pytest.fixture
def documents(db: Database) -> Documents:
    return Documents(db)


async def test_the_status_counts_documents_and_chunks(documents: Documents) -> None:
    assert await documents.status() == Status(0, 0, 0)
    await documents.ingest([Document("a", LONG), Document("b", "Text.")], collection="one")
    await documents.ingest(Document("a", "Text."), collection="two")
    assert await documents.status("one") == Status(documents=2, chunks=13, pending=13)
    assert await documents.status() == Status(documents=3, chunks=14, pending=14)


async def test_collections_are_listed_by_name_with_the_time_of_the_last_change(documents: Documents) -> None:
    assert await documents.collections() == []
    for name in ("b", "a"):
        await documents.ingest(Document("x", "Text."), collection=name)
    before = await documents.collections()
    assert [(info.name, info.documents, info.chunks) for info in before] == [("a", 1, 1), ("b", 1, 1)]
    await documents.ingest(Document("y", "Text."), collection="a")
    after = await documents.collections()
    assert after[0].updated_at > before[0].updated_at
    assert after[1].updated_at == before[1].updated_at
    assert after[0].updated_at.tzinfo is not None


async def test_a_chunk_is_found_with_its_neighbors_in_order(documents: Documents) -> None:
    await documents.ingest([Document("a", LONG), Document("b", LONG)])
    own = document_id("default", "a")
    assert [chunk.position for chunk in await documents.chunk(f"{own}-5")] == [5]
    around = await documents.chunk(f"{own}-2", neighbors=3)
    assert [(chunk.id, chunk.source) for chunk in around] == [(f"{own}-{n}", "a") for n in range(1, 6)]
    (chunk,) = await documents.chunk(f"{own}-12")
    assert (chunk.lines, chunk.text) == ((23, 23), f"Paragraph 12. {LINE}")


@pytest.mark.parametrize("wanted", ["", "nonsense", "aaaaaaaaaaaa-1", "a\0b", "\ud800", "' OR 1=1 --"])
async def test_a_chunk_or_document_that_is_not_there_is_told(documents: Documents, wanted: str) -> None:
    await documents.ingest(Document("a", "Text."))
    with pytest.raises(NotFound, match="There is no chunk"):
        await documents.chunk(wanted)
    with pytest.raises(NotFound, match="There is no document"):
        await documents.document(wanted)
    with pytest.raises(NotFound, match="There is no document"):
        await documents.remove_document(wanted)


@pytest.mark.parametrize("neighbors", [-1, 21])
async def test_the_number_of_neighbors_is_bounded(documents: Documents, neighbors: int) -> None:
    with pytest.raises(ConfigError, match="it must be 0 to 20"):
        await documents.chunk("x", neighbors)


async def test_a_document_comes_back_with_every_line_on_its_number(documents: Documents) -> None:
    text = f"\n\n# Guide\n\n\n{LONG}\n\n\n## More\n\n" + "x" * (3 * MOST) + "\n\nEnd.\n"
    await documents.ingest(Document("a", text, "Title", "markdown", metadata={"lang": "en", "n": [1, None]}))
    kept = await documents.document(document_id("default", "a"))
    assert kept.text == text.rstrip("\n")
    assert (kept.source, kept.title, kept.kind, kept.language, kept.root) == ("a", "Title", "markdown", None, "")
    assert kept.metadata == {"lang": "en", "n": [1, None]}
    assert kept.chunks > 12
    assert kept.created_at == kept.updated_at


async def test_an_update_keeps_the_time_of_creation(documents: Documents) -> None:
    own = document_id("default", "a")
    await documents.ingest(Document("a", "One."))
    first = await documents.document(own)
    await documents.ingest(Document("a", "Two."))
    second = await documents.document(own)
    assert second.created_at == first.created_at
    assert second.updated_at > first.updated_at


async def test_a_removed_document_is_not_found_any_more(documents: Documents, db: Database) -> None:
    await documents.ingest([Document("a", "Herons."), Document("b", "Herons.")])
    await documents.remove_document(document_id("default", "a"))
    assert [hit.source for hit in await Retriever(db).search("herons")] == ["b"]
    assert len(await db.fetch_all("SELECT id FROM chunks")) == 1


async def test_a_document_that_now_belongs_to_another_root_is_not_forgotten(documents: Documents) -> None:
    await documents.ingest(Document("a", "Herons."))
    own = document_id("default", "a")
    assert await documents.forget("default", "/another/root", [own]) == 0
    assert await documents.status() == Status(1, 1, 1)
    assert await documents.forget("default", "", [own]) == 1
    assert await documents.status() == Status(0, 0)


async def test_a_removed_collection_leaves_the_others(documents: Documents, db: Database) -> None:
    await documents.ingest([Document("a", "Herons."), Document("b", "Herons.")], collection="one")
    await documents.ingest(Document("a", "Herons."), collection="two")
    assert await documents.remove_collection("one") == 2
    assert [hit.collection for hit in await Retriever(db).search("herons")] == ["two"]
    assert await documents.status() == Status(1, 1, 1)


async def test_an_unknown_collection_is_told_with_what_there_is(documents: Documents) -> None:
    for ask in (documents.status, documents.remove_collection):
        with pytest.raises(NotFound, match="Nothing has been ingested yet; add documents first"):
            await ask("x")
    await documents.ingest(Document("a", "Text."), collection="birds")
    for ask in (documents.status, documents.remove_collection):
        with pytest.raises(NotFound, match=r"There is no collection 'x'; there is 'birds'\."):
            await ask("x")


@pytest.mark.parametrize("paragraphs", [1, 9, 10, 11, 49, 50, 51, 127])
async def test_any_number_of_chunks_is_kept_in_order(documents: Documents, db: Database, paragraphs: int) -> None:
    await documents.ingest(Document("a", "\n\n".join(f"P{n} {LINE}" for n in range(paragraphs))))
    rows = await db.fetch_all("SELECT position, text FROM chunks ORDER BY position")
    assert [row["text"].split()[0] for row in rows] == [f"P{n}" for n in range(paragraphs)]
    assert [row["position"] for row in rows] == list(range(1, paragraphs + 1))

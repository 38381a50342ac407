"""Pages of hits: what goes on where the last one ended, what differs, and what stands around a hit."""

from collections.abc import Sequence

import pytest

from tests.search.concepts import Concepts, embed_all, embedders
from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound
from toolkit.search.documents import Document, Hit
from toolkit.search.ingest import Documents
from toolkit.search.retriever import MOST_HITS, Retriever


def sources(hits: list[Hit]) -> list[str]:
    return [hit.source for hit in hits]


async def filled(db: Database, count: int = 12) -> Documents:
    documents = Documents(db)
    await documents.ingest([Document(f"d{n:02}", "heron " * (count - n) + "word " * (n + 1)) for n in range(count)])
    return documents


async def test_pages_go_on_until_everything_was_shown(db: Database) -> None:
    retriever = Retriever(db, await filled(db))
    everything = await retriever.search("heron", top_k=12)
    assert everything.cursor is None
    pages, cursor = [], None
    while True:
        page = await retriever.search("heron", top_k=5, cursor=cursor)
        pages.append(page)
        cursor = page.cursor
        if cursor is None:
            break
    assert [len(page) for page in pages] == [5, 5, 2]
    assert [hit for page in pages for hit in page] == list(everything)


async def test_what_is_added_or_removed_meanwhile_shows_nothing_twice_and_hides_nothing(db: Database) -> None:
    documents = await filled(db)
    retriever = Retriever(db, documents)
    first = await retriever.search("heron", top_k=4)
    await documents.ingest([Document(f"new{n}", "heron heron heron") for n in range(3)])
    (last,) = [hit for hit in await retriever.search("heron", top_k=20) if hit.source == "d11"]
    await documents.remove_document(last.document_id)
    shown, cursor = sources(first), first.cursor
    while cursor:
        page = await retriever.search("heron", top_k=4, cursor=cursor)
        shown += sources(page)
        assert all(0 <= hit.score <= 1 for hit in page)
        cursor = page.cursor
    assert len(shown) == len(set(shown))
    assert set(shown) == {f"d{n:02}" for n in range(11)} | {"new0", "new1", "new2"}


async def test_a_cursor_belongs_to_its_search(db: Database) -> None:
    retriever = Retriever(db, await filled(db))
    cursor = (await retriever.search("heron")).cursor
    for other in (
        {"query": "word"},
        {"query": "heron", "where": {"kind": "text"}},
        {"query": "heron", "mode": "lexical"},
    ):
        with pytest.raises(ConfigError, match="belongs to another search"):
            await retriever.search(**{"cursor": cursor, **other})  # type: ignore[arg-type]
    assert len(await retriever.search("heron", top_k=3, neighbors=1, highlight=False, cursor=cursor)) == 3
    with pytest.raises(ConfigError, match="cannot be read"):
        await retriever.search("heron", cursor="page 2")


async def test_hits_that_say_the_same_give_way_to_others(db: Database) -> None:
    concepts = Concepts()
    documents = Documents(db)
    texts = {
        "a": "heron heron fish",
        "b": "heron heron fish again",
        "c": "heron heron fish once more",
        "d": "A heron nests on chimneys at dawn.",
    }
    await documents.ingest([Document(source, text) for source, text in texts.items()])
    for retriever in (Retriever(db, documents), Retriever(db, documents, embedders(concepts))):
        assert "d" not in sources(await retriever.search("heron", top_k=2))
        different = await retriever.search("heron", top_k=2, diversity=0.7)
        assert "d" in sources(different)
        assert [hit.score for hit in different] == sorted((hit.score for hit in different), reverse=True)
        rest = await retriever.search("heron", top_k=5, diversity=0.7, cursor=different.cursor)
        assert sorted(sources(different) + sources(rest)) == ["a", "b", "c", "d"]
        await embed_all(documents.index, "default", concepts)


async def test_neighbors_are_given_with_a_hit(db: Database) -> None:
    documents = Documents(db)
    await documents.ingest(Document("long.txt", "\n\n".join(f"P{n} " + "word " * 200 for n in range(5))))
    retriever = Retriever(db, documents)
    (hit,) = await retriever.search("P0", neighbors=2)
    assert [chunk.text.split()[0] for chunk in hit.neighbors] == ["P1", "P2"]
    (hit,) = await retriever.search("P3", neighbors=2)
    assert [chunk.text.split()[0] for chunk in hit.neighbors] == ["P1", "P2", "P4"]
    assert {(chunk.source, chunk.collection) for chunk in hit.neighbors} == {("long.txt", "default")}
    assert (await retriever.search("P3"))[0].neighbors == ()


async def test_the_words_of_a_query_are_marked_in_any_form(db: Database) -> None:
    documents = Documents(db)
    await documents.ingest(Document("heron.md", "Herons fish.\nA heron_nest is high.", metadata={"lang": "en"}))
    (hit,) = await Retriever(db, documents).search("heron fishing")
    assert [hit.text[start:end] for start, end in hit.highlights] == ["Herons", "fish", "heron"]
    assert hit.parts.coverage == 1.0
    assert hit.metadata == {"lang": "en"}
    assert (await Retriever(db, documents).search("heron", highlight=False))[0].highlights == ()


async def test_a_reranker_decides_the_order(db: Database) -> None:
    retriever = Retriever(db, await filled(db))
    asked: list[tuple[str, int]] = []

    def fewest_herons(query: str, texts: Sequence[str]) -> list[float]:
        asked.append((query, len(texts)))
        return [-text.count("heron") for text in texts]

    hits = await retriever.search("heron", top_k=3, rerank=fewest_herons)
    assert sources(hits) == ["d11", "d10", "d09"]
    assert [hit.parts.reranked for hit in hits] == [-1.0, -2.0, -3.0]
    assert (hits[0].score, hits[1].score) == (1.0, 0.9091)
    assert asked == [("heron", 12)]
    more = await retriever.search("heron", top_k=3, rerank=fewest_herons, cursor=hits.cursor)
    assert sources(more) == ["d08", "d07", "d06"]
    with pytest.raises(ConfigError, match="There is no reranker 'best'"):
        await retriever.search("heron", rerank="best")


async def test_collections_count_as_much_as_they_are_given(db: Database) -> None:
    documents = Documents(db)
    for name in ("one", "two"):
        await documents.ingest(Document(name, "A heron wades."), collection=name)
    retriever = Retriever(db, documents)
    hits = await retriever.search("heron", collection={"one": 1, "two": 0.5})
    assert [(hit.source, hit.score, hit.parts.weight) for hit in hits] == [("one", 1.0, 1.0), ("two", 0.5, 0.5)]
    hits = await retriever.search("heron", collection={"one": 1, "two": 4})
    assert [(hit.source, hit.score) for hit in hits] == [("two", 1.0), ("one", 0.25)]


async def test_a_word_that_is_common_in_one_collection_counts_the_same_in_another(db: Database) -> None:
    documents = Documents(db)
    await documents.ingest([Document(f"a{n}", "heron heron word") for n in range(20)], collection="birds")
    await documents.ingest([Document("b", "heron heron word"), Document("c", "word")], collection="mixed")
    hits = await Retriever(db, documents).search("heron", top_k=30, mode="lexical")
    assert len({hit.score for hit in hits}) == 1


async def test_all_pages_together_end_somewhere(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_HITS == 1_000
    monkeypatch.setattr("toolkit.search.finding.MOST_HITS", 8)
    retriever = Retriever(db, await filled(db))
    first = await retriever.search("heron", top_k=4)
    second = await retriever.search("heron", top_k=4, cursor=first.cursor)
    assert (len(second), second.cursor) == (4, None)


async def test_what_is_somebody_elses_is_not_found(db: Database) -> None:
    documents = Documents(db)
    await documents.ingest(Document("all", "A heron wades."), collection="open")
    await documents.ingest(Document("ada", "A heron wades."), collection="notes", owner="ada")
    await documents.ingest(Document("bob", "A heron wades."), collection="notes", owner="bob")
    retriever = Retriever(db, documents)
    found = {str(owner): sources(await retriever.search("heron", owner=owner)) for owner in (None, "ada", "bob", "eve")}
    assert {owner: sorted(names) for owner, names in found.items()} == {
        "None": ["ada", "all", "bob"],
        "ada": ["ada", "all"],
        "bob": ["all", "bob"],
        "eve": ["all"],
    }
    (hit,) = await retriever.search("heron", collection="notes", owner="ada")
    assert (hit.source, hit.collection) == ("ada", "notes")
    with pytest.raises(NotFound, match=r"There is no collection 'notes'; there is 'open'\."):
        await retriever.search("heron", collection="notes", owner="eve")

"""Searches by meaning: where it is known, where it is made on the spot, and where there is none."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.search.concepts import Concepts, embed_all, embedders
from toolkit.db import Database
from toolkit.errors import CassetteMiss, ConfigError
from toolkit.search import meaning
from toolkit.search.documents import Document
from toolkit.search.ingest import Documents
from toolkit.search.retriever import Retriever

BIRDS = [
    Document("heron.md", "A heron fishes at dawn and stands very still."),
    Document("stork.md", "A stork nests on chimneys."),
    Document("car.md", "The car stands still at dawn; its engine is cold."),
    Document("town.md", "The town stands on a hill, very still."),
]


@pytest.fixture
def concepts() -> Concepts:
    return Concepts()


@pytest.fixture
async def documents(db: Database) -> Documents:
    documents = Documents(db)
    await documents.ingest(BIRDS)
    return documents


@pytest.fixture
async def retriever(db: Database, documents: Documents, concepts: Concepts) -> AsyncIterator[Retriever]:
    retriever = Retriever(db, documents, embedders(concepts))
    yield retriever
    await retriever.close()


async def test_a_question_in_other_words_finds_what_means_the_same(
    retriever: Retriever, documents: Documents, concepts: Concepts
) -> None:
    await embed_all(documents.index, "default", concepts)
    hits = await retriever.search("waders angling")
    assert hits[0].source == "heron.md"
    assert (hits[0].parts.lexical, hits[0].parts.embedder) == (0.0, "concepts")
    assert (hits[0].parts.semantic or 0) > 0.6
    assert hits.note == ""


async def test_what_is_neither_near_nor_shares_a_word_is_no_hit(
    retriever: Retriever, documents: Documents, concepts: Concepts
) -> None:
    await embed_all(documents.index, "default", concepts)
    assert [hit.source for hit in await retriever.search("storks")] == ["stork.md"]
    assert await retriever.search("zeppelin", mode="lexical") == []


async def test_the_mode_says_what_is_compared(retriever: Retriever, documents: Documents, concepts: Concepts) -> None:
    await embed_all(documents.index, "default", concepts)
    by_words = await retriever.search("waders stand still", mode="lexical")
    assert {hit.source for hit in by_words} == {"heron.md", "car.md", "town.md"}
    assert all(hit.parts.semantic is None and hit.parts.weights == (1.0, 0.0) for hit in by_words)
    by_meaning = await retriever.search("waders stand still", mode="semantic", top_k=1)
    assert (by_meaning[0].source, by_meaning[0].parts.weights) == ("heron.md", (0.0, 1.0))
    assert by_meaning[0].parts.lexical is None
    both = await retriever.search("waders stand still", top_k=1)
    assert (both[0].source, both[0].parts.weights) == ("heron.md", (0.3, 0.7))
    assert both[0].parts.explained.startswith("0.30 × words ")


async def test_meaning_alone_reads_no_words_once_every_chunk_has_one(
    retriever: Retriever, documents: Documents, concepts: Concepts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def asked(*_: object) -> list[object]:
        raise AssertionError("words were looked up")

    await embed_all(documents.index, "default", concepts)
    monkeypatch.setattr(documents.index, "lexical", asked)
    assert (await retriever.search("waders angling", mode="semantic", top_k=1))[0].source == "heron.md"
    await documents.ingest(Document("new.md", "A new one."))
    with pytest.raises(AssertionError, match="words were looked up"):
        await retriever.search("waders angling", mode="semantic")


async def test_the_best_chunks_by_words_are_ranked_by_meaning_at_once_and_their_vectors_kept(
    retriever: Retriever, documents: Documents, concepts: Concepts
) -> None:
    hits = await retriever.search("waders stand still")
    assert hits[0].source == "heron.md"
    assert (hits[0].parts.estimated, hits.note) == (False, "")
    await retriever.close()  # waits for what is being kept
    (state,) = await documents.index.sync(["default"])
    assert (state.embedder, state.vectors, state.pending) == ("concepts", 3, 1)
    asked = len(concepts.asked)
    again = await retriever.search("waders stand still")
    assert [hit.chunk_id for hit in again] == [hit.chunk_id for hit in hits]
    assert [hit.score for hit in again] == pytest.approx([hit.score for hit in hits], abs=0.005)
    assert len(concepts.asked) == asked, "neither the query nor a chunk is embedded again"


async def test_only_the_best_by_words_are_embedded_during_a_search(
    db: Database, concepts: Concepts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "AT_ONCE", 5)
    monkeypatch.setattr("toolkit.search.finding.AT_ONCE", 5)
    documents = Documents(db)
    await documents.ingest([Document(f"d{n}", f"A heron {'stands ' * n} number{n}.") for n in range(20)])
    hits = await Retriever(db, documents, embedders(concepts)).search("heron", top_k=20)
    assert len(hits) == 20
    assert sum("heron" in text and "number" in text for text in concepts.asked) == 5
    assert sum(hit.parts.estimated for hit in hits) == 15


async def test_a_collection_that_is_embedded_in_part_is_ranked_as_a_whole(
    db: Database, concepts: Concepts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.search.finding.AT_ONCE", 0)
    documents = Documents(db)
    for n in range(8):  # one after the other: the first ones are embedded
        await documents.ingest(Document(f"d{n}", "heron " * (n + 1) + "word " * (8 - n)))
    await embed_all(documents.index, "default", concepts, share=0.5)
    hits = await Retriever(db, documents, embedders(concepts)).search("heron", top_k=8)
    assert [hit.source for hit in hits] == [f"d{n}" for n in reversed(range(8))]
    assert [hit.parts.estimated for hit in hits] == [True] * 4 + [False] * 4


async def test_what_comes_too_late_is_kept_for_the_next_search(
    retriever: Retriever, documents: Documents, concepts: Concepts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolkit.search.finding.WITHIN", 0.02)
    go_on = threading.Event()
    concepts.before = lambda texts: None if texts == ["waders stand still"] else go_on.wait(10)
    hits = await retriever.search("waders stand still")
    assert len(hits) == 3
    assert all(hit.parts.estimated for hit in hits)
    go_on.set()
    (state,) = await documents.index.sync(["default"])
    for _ in range(500):
        if state.vectors == 3:
            break
        await asyncio.sleep(0.01)
        (state,) = await documents.index.sync(["default"])
    assert state.vectors == 3
    assert (await retriever.search("waders stand still"))[0].source == "heron.md"


async def test_a_changed_document_is_not_ranked_by_what_it_meant_before(
    retriever: Retriever, documents: Documents, concepts: Concepts
) -> None:
    await embed_all(documents.index, "default", concepts)
    await documents.ingest(Document("stork.md", "An old automobile stands here."))
    assert "stork.md" not in [hit.source for hit in await retriever.search("klapperstorch")]
    hits = await retriever.search("automobile")
    assert hits[0].source == "stork.md"
    assert hits[0].parts.semantic == pytest.approx(0.99, abs=0.02)


async def test_where_no_meaning_can_be_had_words_rank_and_the_hits_say_so(
    retriever: Retriever, concepts: Concepts, caplog: pytest.LogCaptureFixture
) -> None:
    def down(_texts: object) -> None:
        raise ConfigError("the model's file is missing")

    concepts.before = down
    with caplog.at_level(logging.WARNING):
        for mode in ("hybrid", "semantic", "hybrid"):
            hits = await retriever.search("stork nests", mode=mode)
            assert [hit.source for hit in hits] == ["stork.md"]
            assert (hits[0].parts.lexical, hits[0].parts.semantic, hits[0].parts.embedder) == (1.0, None, None)
            assert "the model's file is missing" in hits.note
    assert len([r for r in caplog.records if "Only words are compared" in r.message]) == 1


async def test_an_embedder_that_failed_rests_and_is_asked_again_later(
    retriever: Retriever, concepts: Concepts, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[object] = []

    def down(texts: object) -> None:
        tries.append(texts)
        raise ConfigError("away")

    concepts.before = down
    for _ in range(3):
        await retriever.search("stork")
    assert len(tries) == 1
    concepts.before = lambda _texts: None
    assert (await retriever.search("stork")).note != ""
    now = time.monotonic
    monkeypatch.setattr("toolkit.search.meaning.time.monotonic", lambda: now() + meaning.REST + 1)
    assert (await retriever.search("stork")).note == ""


async def test_without_an_embedder_the_hits_say_so(db: Database, documents: Documents) -> None:
    hits = await Retriever(db, documents).search("stork")
    assert [hit.source for hit in hits] == ["stork.md"]
    assert hits.note == "Only words are compared: there is no embedder."
    assert (await Retriever(db, documents).search("stork", mode="lexical")).note == ""


async def test_an_identifier_is_found_as_it_is_written_before_what_means_the_same(
    db: Database, concepts: Concepts
) -> None:
    documents = Documents(db)
    await documents.ingest(
        [
            Document("other", "heron nest heron nest, the nest of the heron; a home for waders"),
            Document("wanted", "Filler of all kinds goes on and on. See heron_nest for more of this and of that."),
        ]
    )
    await embed_all(documents.index, "default", concepts)
    retriever = Retriever(db, documents, embedders(concepts))
    for query in ("heron_nest", '"see heron_nest"', "`heron_nest()`"):
        hits = await retriever.search(query)
        assert hits[0].source == "wanted", query
        assert (hits[0].parts.exact, hits[1].parts.exact) == (1.0, 0.0)


async def test_other_ways_to_say_it_find_more(db: Database, documents: Documents) -> None:
    async def rewriter(query: str) -> list[str]:
        return [f"{query} chimneys", "stork nests", "", query]

    plain = Retriever(db, documents)
    with pytest.raises(ConfigError, match="rewrite=True needs a language model"):
        await plain.search("klapperstorch", rewrite=True)
    assert await plain.search("klapperstorch") == []
    rewriting = Retriever(db, documents, rewriter=rewriter)
    assert [hit.source for hit in await rewriting.search("klapperstorch", rewrite=True)] == ["stork.md"]
    assert await rewriting.search("klapperstorch") == []


async def test_a_rewriter_that_fails_costs_only_its_words(
    db: Database, documents: Documents, caplog: pytest.LogCaptureFixture
) -> None:
    async def rewriter(_query: str) -> list[str]:
        raise ConfigError("no model answers")

    hits = await Retriever(db, documents, rewriter=rewriter).search("stork", rewrite=True)
    assert [hit.source for hit in hits] == ["stork.md"]
    assert "The query was not rewritten: no model answers" in caplog.text


async def test_an_embedder_that_makes_other_vectors_than_before_is_told_and_words_rank(
    db: Database, documents: Documents, concepts: Concepts
) -> None:
    await embed_all(documents.index, "default", concepts)
    others = embedders(concepts)
    others.register("concepts", lambda texts: [[1.0, float(len(text))] for text in texts])
    hits = await Retriever(db, documents, others).search("stork")
    assert [hit.source for hit in hits] == ["stork.md"]
    assert hits.note == (
        "Only words are compared in 'default': its vectors have 8 dimensions, and concepts makes 2; "
        "name another embedder for it."
    )


async def test_a_stack_trace_is_a_query(retriever: Retriever, documents: Documents, concepts: Concepts) -> None:
    await embed_all(documents.index, "default", concepts)
    trace = "Traceback (most recent call last):\n" + '  File "stork.py", line 7, in nest\n' * 5_000
    assert (await retriever.search(trace))[0].source == "stork.md"
    assert max(map(len, concepts.asked)) <= 8_000


async def test_searches_at_the_same_time_make_a_vector_once(
    retriever: Retriever, concepts: Concepts, monkeypatch: pytest.MonkeyPatch
) -> None:
    searched, keep = asyncio.Event(), meaning.Meanings._keep

    async def later(*args: Any) -> None:  # else a search that looked before would come when they are kept
        await searched.wait()
        await keep(*args)

    monkeypatch.setattr(meaning.Meanings, "_keep", later)
    await asyncio.gather(*(retriever.search("waders stand still") for _ in range(5)))
    searched.set()
    passages = [text for text in concepts.asked if text != "waders stand still"]
    assert len(passages) == len(set(passages)) == 3


async def test_where_passages_cannot_be_embedded_the_query_still_counts(
    retriever: Retriever, documents: Documents, concepts: Concepts
) -> None:
    def few(texts: Sequence[str]) -> None:
        tries.append(len(texts))
        if len(texts) > 1:
            raise ConfigError("too many")

    tries: list[int] = []
    concepts.before = few
    for query in ("waders stand still", "still standing"):
        hits = await retriever.search(query)
        assert len(hits) == 3
        assert all(hit.parts.estimated for hit in hits)
    assert tries == [1, 3, 1], "the passages are not tried again at once, a query is"
    concepts.before = lambda _texts: None
    await embed_all(documents.index, "default", concepts)
    assert (await retriever.search("waders stand still"))[0].source == "heron.md"


async def test_a_query_that_takes_too_long_is_ranked_by_words(
    retriever: Retriever, concepts: Concepts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meaning, "QUERY_WITHIN", 0.01)
    go_on = threading.Event()
    concepts.before = lambda _texts: go_on.wait(10)
    hits = await retriever.search("stork")
    go_on.set()
    assert [hit.source for hit in hits] == ["stork.md"]
    assert hits.note == "Only words are compared: nothing came within 0.01 seconds"


async def test_a_filter_holds_for_meanings_too(retriever: Retriever, documents: Documents, concepts: Concepts) -> None:
    for _ in range(2):
        for mode in ("hybrid", "semantic"):
            hits = await retriever.search("waders at dawn", where={"source": ["car.md", "town.md"]}, mode=mode)
            assert "car.md" in [hit.source for hit in hits]
            assert {hit.source for hit in hits} <= {"car.md", "town.md"}
        await embed_all(documents.index, "default", concepts)


async def test_other_ways_to_say_it_mean_something_too(db: Database, documents: Documents, concepts: Concepts) -> None:
    async def rewriter(_query: str) -> list[str]:
        return ["klapperstorch"]

    await embed_all(documents.index, "default", concepts)
    retriever = Retriever(db, documents, embedders(concepts), rewriter=rewriter)
    assert "stork.md" in [hit.source for hit in await retriever.search("xyzzy", rewrite=True)]
    assert "stork.md" not in [hit.source for hit in await retriever.search("xyzzy")]


async def test_what_was_embedded_during_a_search_counts_for_its_diversity(
    retriever: Retriever, documents: Documents
) -> None:
    await documents.ingest([Document("again.md", "A heron fishes at dawn and stands very still, as herons do.")])
    plain = await retriever.search("waders stand still", top_k=2)
    assert {hit.source for hit in plain} == {"heron.md", "again.md"}
    await retriever.close()
    await documents.ingest(Document("third.md", "That heron fishes at dawn and stands still."))
    different = await retriever.search("waders stand still", top_k=2, diversity=0.6)
    assert len({hit.source for hit in different} & {"heron.md", "again.md", "third.md"}) == 1


async def test_a_replay_that_lacks_a_vector_fails(retriever: Retriever, concepts: Concepts) -> None:
    def miss(texts: Sequence[str]) -> None:
        if len(texts) > 1 or not asked:
            raise CassetteMiss("not recorded")

    asked: list[str] = []
    concepts.before = miss
    with pytest.raises(CassetteMiss):
        await retriever.search("waders stand still")
    asked.append("now passages")
    with pytest.raises(CassetteMiss):
        await retriever.search("waders stand still")

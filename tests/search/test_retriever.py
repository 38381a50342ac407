"""From a question to the chunks that fit it."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound
from toolkit.search.documents import Document, Hit
from toolkit.search.ingest import Documents
from toolkit.search.retriever import Retriever

BIRDS = [
    Document("heron.md", "# Herons\n\nA heron fishes at dawn and stands very still.", "Herons", "markdown"),
    Document(
        "stork.md", "# Storks\n\nA stork nests on chimneys.", "Storks", "markdown", metadata={"lang": "en", "n": 1}
    ),
    Document("storch.md", "# Störche\n\nEin Storch nistet auf dem Kamin; stork.", "Störche", metadata={"lang": "de"}),
]
CODE = Document(
    "search.py",
    'class AllModelsFailed(Exception):\n    """Every candidate was tried."""\n\n\n'
    "def semantic_search(top_k):\n    return router.complete(top_k)\n",
    kind="code",
    language="python",
)


@pytest.fixture
async def retriever(db: Database) -> Retriever:
    await Documents(db).ingest([*BIRDS, CODE])
    return Retriever(db)


def sources(hits: list[Hit]) -> list[str]:
    return [hit.source for hit in hits]


async def test_a_question_finds_the_chunk_that_answers_it(retriever: Retriever) -> None:
    best = (await retriever.search("Where do the storks build their nests?"))[0]
    assert (best.source, best.title, best.heading, best.lines, best.score, best.collection) == (
        *("stork.md", "Storks", "Storks", (1, 3), 1.0, "default"),
    )
    assert best.chunk_id == f"{best.document_id}-1"
    assert best.text == "# Storks\n\nA stork nests on chimneys."


async def test_scores_are_shares_of_the_best_and_fall(retriever: Retriever) -> None:
    scores = [hit.score for hit in await retriever.search("stork nests dawn")]
    assert scores[0] == 1.0
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 and round(score, 4) == score for score in scores)


async def test_identifiers_find_the_code(retriever: Retriever) -> None:
    for query in (
        *("AllModelsFailed", "semantic_search", "what does semantic_search do?", "allmodelsfailed", "router.complete"),
        *("`semantic_search()`", "semantic search", "complete(top_k)"),
    ):
        assert sources(await retriever.search(query))[:1] == ["search.py"], query


async def test_word_forms_and_accents_do_not_matter(retriever: Retriever) -> None:
    assert sources(await retriever.search("fishing heron"))[:1] == ["heron.md"]
    assert sources(await retriever.search("storche"))[:1] == ["storch.md"]


async def test_equally_good_hits_come_in_the_same_order_every_time(retriever: Retriever, db: Database) -> None:
    await Documents(db).ingest([Document(f"same{n}", "Egrets wade.") for n in range(20)])
    hits = await retriever.search("egrets", top_k=20)
    assert {hit.score for hit in hits} == {1.0}
    assert [hit.chunk_id for hit in hits] == sorted(hit.chunk_id for hit in hits)
    assert (await retriever.search("egrets", top_k=7)) == hits[:7]


async def test_a_search_stays_in_the_collections_that_it_is_given(retriever: Retriever, db: Database) -> None:
    for name in ("one", "two", "three"):
        await Documents(db).ingest(Document("x", "Egrets wade."), collection=name)
    found = {
        str(where): sorted(hit.collection for hit in await retriever.search("egrets", collection=where))
        for where in (None, "one", ["one", "three"], [])
    }
    assert found == {
        "None": ["one", "three", "two"],
        "one": ["one"],
        "['one', 'three']": ["one", "three"],
        "[]": [],
    }


async def test_a_filter_is_a_condition_on_the_document(retriever: Retriever) -> None:
    cases: list[tuple[dict[str, Any], list[str]]] = [
        ({"lang": "en"}, ["stork.md"]),
        ({"lang": "de"}, ["storch.md"]),
        ({"kind": "markdown"}, ["stork.md"]),
        ({"kind": "text", "lang": "de"}, ["storch.md"]),
        ({"kind": "markdown", "lang": "de"}, []),
        ({"source": "stork.md"}, ["stork.md"]),
        ({"title": "Störche"}, ["storch.md"]),
        ({"n": 1}, ["stork.md"]),
        ({"n": 1.0}, ["stork.md"]),
        ({"n": True}, []),
        ({"n": "1"}, []),
        ({"n": None}, ["storch.md"]),
        ({"n": {"$gte": 1}}, ["stork.md"]),
        ({"language": "python"}, []),
        ({"lang' OR 1=1 --": "en"}, []),
        ({"lang": ["de", "fr"]}, ["storch.md"]),
        ({}, ["storch.md", "stork.md"]),
    ]
    found = [(where, sorted(sources(await retriever.search("stork", where=where)))) for where, _ in cases]
    assert found == cases


async def test_a_filter_that_is_none_is_told_in_words(retriever: Retriever) -> None:
    wrong: list[Any] = [{"lang": object()}, {"lang": {"not": "en"}}, {"lang": "\0"}, "en"]
    for where in wrong:
        with pytest.raises(ConfigError, match=r"^where "):
            await retriever.search("stork", where=where)


async def test_a_filter_finds_what_a_hundred_better_hits_would_hide(retriever: Retriever, db: Database) -> None:
    await Documents(db).ingest([Document(f"better{n}", "stork stork stork") for n in range(100)])
    assert sources(await retriever.search("stork", top_k=1, where={"lang": "en"})) == ["stork.md"]


async def test_a_document_may_be_asked_for_more_hits_than_a_statement_takes_ids(db: Database) -> None:
    line = "heron " + "word " * 160
    await Documents(db).ingest(Document("a", "\n\n".join(f"{line}{n}" for n in range(700))))
    hits = await Retriever(db).search("heron", top_k=1000)
    assert len({hit.chunk_id for hit in hits}) == 700


async def test_a_query_that_nothing_fits_gives_nothing(retriever: Retriever) -> None:
    assert await retriever.search("zeppelin") == []
    assert await retriever.search("who is it") == []


async def test_an_unknown_collection_is_told_with_what_there_is(retriever: Retriever) -> None:
    for where in ("birds", ["default", "birds"]):
        with pytest.raises(NotFound, match=r"There is no collection 'birds'; there is 'default'\."):
            await retriever.search("stork", collection=where)


async def test_an_empty_index_says_how_to_fill_it(db: Database) -> None:
    for where in (None, "birds"):
        with pytest.raises(NotFound, match="Nothing has been ingested yet; add documents first"):
            await Retriever(db).search("stork", collection=where)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    query=st.one_of(
        st.text(max_size=200),
        st.lists(
            st.sampled_from(
                [
                    *(
                        '"',
                        "'",
                        "*",
                        "NEAR(",
                        ")",
                        "AND",
                        "OR",
                        "NOT",
                        "heading:",
                        "-",
                        "^",
                        "{",
                        "}",
                        "!",
                        "&",
                        "|",
                        "<->",
                    ),
                    *(
                        "\\",
                        ":*",
                        ":a",
                        "%",
                        ";",
                        "--",
                        "stork",
                        "stork's",
                        "\0",
                        "\ud800",
                        "a_b",
                        "É",
                        "ß",
                        "北京",
                        "½",
                    ),
                ]
            ),
            max_size=12,
        ).map(" ".join),
    )
)
async def test_any_query_is_safe(retriever: Retriever, query: str) -> None:
    try:
        hits = await retriever.search(query)
    except ConfigError as error:
        assert "no words" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert all(0 <= hit.score <= 1 for hit in hits)


async def test_a_pasted_page_is_a_query_too(retriever: Retriever) -> None:
    page = " ".join(f"word{n}" for n in range(50_000))
    assert sources(await retriever.search(f"stork chimneys {page}"))[:1] == ["stork.md"]

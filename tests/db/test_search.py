"""The word index of each database."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.db.rows import add_chunks
from toolkit.db import Database, Statement
from toolkit.db.words import STOP_WORDS, phrases

TEXTS = (
    ("Guide › Install", "Run pip install toolkit and restart the host."),
    ("class Router", "The circuit breaker opens after repeated failures."),
    ("Café", "A résumé of naïve façades in São Paulo."),
    ("", "self.router.complete(request) in toolkit/db/sqlite.py, see config.py <b>bold</b>."),
    ("Breakers", "Electric breakers; circuit diagrams; circuit boards; circuits, circuits."),
    ("日本語", "検索 エンジン は 速い"),
    ("Städte", "Straße nach Москва, 한국어 문서"),
)


async def found(db: Database, *terms: str, collections: Sequence[str] | None = None, top_k: int = 10) -> list[str]:
    """Ids of the matches, best first."""
    return [match.chunk_id for match in await db.lexical.match(terms, collections=collections, top_k=top_k)]


@pytest.fixture
async def index(db: Database) -> Database:
    await add_chunks(db, TEXTS)
    return db


async def test_any_of_the_words_is_enough_and_more_of_them_are_better(index: Database) -> None:
    assert await found(index, "circuit", "breaker", "failures") == ["default-2", "default-5"]
    assert set(await found(index, "pip", "failures")) == {"default-1", "default-2"}


async def test_scores_are_larger_for_better_matches_and_positive(index: Database) -> None:
    matches = await index.lexical.match(["circuit", "breaker", "failures"], collections=None, top_k=10)
    assert [m.score for m in matches] == sorted((m.score for m in matches), reverse=True)
    assert all(m.score > 0 for m in matches)
    assert matches[0].score > matches[1].score


async def test_stems_accents_paths_and_every_script_are_found(index: Database) -> None:
    expected = {
        1: ("INSTALLED", "installs"),
        2: ("failure", "Failures!"),
        3: ("cafe", "CAFÉ", "resume", "re\u0301sume\u0301", "sao"),
        4: ("complete", "router.complete", "config", "sqlite.py", "toolkit/db/sqlite.py", "bold"),
        6: ("検索",),
        7: ("städte", "Stadte", "Москва", "москва", "한국어"),
    }
    for chunk, terms in expected.items():
        for term in terms:
            assert f"default-{chunk}" in await found(index, term), term


async def test_parts_of_a_compound_term_must_stand_together(index: Database) -> None:
    assert await found(index, "complete.router") == []
    assert await found(index, "circuit-breaker") == ["default-2"]


async def test_a_word_in_the_heading_counts_more_than_one_in_the_text(db: Database) -> None:
    await add_chunks(db, [("about pears", "apples grow here"), ("about apples", "pears grow here")])
    assert await found(db, "apples") == ["default-2", "default-1"]


async def test_a_rare_word_counts_more_than_a_common_one(db: Database) -> None:
    await add_chunks(db, [("", f"common filler number{n}") for n in range(30)] + [("", "rare filler number30")])
    assert (await found(db, "common", "rare"))[0] == "default-31"


async def test_a_word_said_again_counts_again(db: Database) -> None:
    await add_chunks(db, [("", "alpha one two three"), ("", "omega one two three")])
    assert await found(db, "alpha", "omega", "omega") == ["default-2", "default-1"]
    assert await found(db, "alpha", "alpha", "omega") == ["default-1", "default-2"]


async def test_equal_matches_come_in_the_order_of_their_ids_and_only_as_many_as_asked(db: Database) -> None:
    await add_chunks(db, [("", "these words are equal")] * 12)
    expected = sorted(f"default-{n}" for n in range(1, 13))
    assert await found(db, "equal", top_k=50) == expected
    assert await found(db, "equal", top_k=5) == expected[:5]


async def test_only_the_collections_asked_for_are_searched(db: Database) -> None:
    for collection in ("a", "b", 'c\'s "x"'):
        await add_chunks(db, [("", "shared word")], collection=collection)
    assert await found(db, "shared", collections=["b"]) == ["b-1"]
    assert await found(db, "shared", collections=['c\'s "x"', "a"]) == ["a-1", 'c\'s "x"-1']
    assert await found(db, "shared", collections=["none"]) == []
    assert await found(db, "shared", collections=[]) == []
    assert len(await found(db, "shared")) == 3


async def test_a_query_without_a_word_that_says_something_finds_nothing(index: Database) -> None:
    silent: tuple[list[str], ...] = (
        [],
        [""],
        ["   "],
        ["the"],
        ["The,", "and", "IS"],
        ["to be or not to be"],
        ["!!!", "—", "\0"],
        ["\ud800"],
    )
    for terms in silent:
        assert await found(index, *terms) == [], terms


HOSTILE = (
    "'", '"', "''", '"""', "\\", "a\\", "circuit'", 'circuit"', "circuit\\", "circuit:*", "circuit*", "^circuit",
    "circuit & !breaker", "(circuit", "circuit)", "NEAR(circuit, 2)", "heading:circuit", "{circuit}", "-circuit",
    "circuit <-> x", "circuit; DROP TABLE chunks", "circuit\0", "cir\ud83dcuit", "%circuit_", ":circuit", "$1 circuit",
    "circuit\n\t", "circuit\u200b", "🙂 circuit", "' | 'circuit", "circuit':A",
)  # fmt: skip


async def test_no_character_is_an_operator(index: Database) -> None:
    for term in HOSTILE:
        await found(index, term)
        assert "default-2" in await found(index, term, "failures"), term


async def test_a_pasted_page_is_a_query_too(index: Database) -> None:
    page = " ".join(f"word{n}" for n in range(3000)).split()
    assert await found(index, "failures", *page) == ["default-2"]
    assert await found(index, *["failures"] * 5000) == ["default-2"]
    await found(index, "circuit " * 5000)


async def test_the_index_follows_every_change_of_the_chunks(index: Database) -> None:
    await index.execute("UPDATE chunks SET text = 'entirely different' WHERE id = 'default-2'")
    assert await found(index, "failures") == []
    assert await found(index, "different") == ["default-2"]
    await index.execute("DELETE FROM chunks WHERE id = 'default-2'")
    assert await found(index, "different") == []
    await index.write(Statement("DELETE FROM documents"))
    assert await found(index, "circuit", "pip", "cafe") == []


async def test_many_queries_at_once_get_each_their_own_answer(index: Database) -> None:
    queries = {"pip": 1, "failures": 2, "cafe": 3, "config": 4}
    results = await asyncio.gather(*(found(index, term) for term in list(queries) * 20))
    assert results == [[f"default-{chunk}"] for chunk in queries.values()] * 20


async def test_the_stop_words_are_those_of_postgres(db: Database) -> None:
    if db.dialect == "postgres":
        kept = await db.fetch_all(
            """
            SELECT word FROM jsonb_array_elements_text(:words) AS word
             WHERE to_tsvector('english', word) <> CAST('' AS TSVECTOR)
            """,
            words=sorted(STOP_WORDS),
        )
        assert kept == []


def test_phrases_are_counted_cleaned_and_limited() -> None:
    assert phrases(["Hello", "hello", "HELLO", "hello", "x.y"]) == [("Hello", 3), ("x y", 1)]
    assert phrases(["the", "The end"]) == [("The end", 1)]
    assert len(phrases([f"w{n}" for n in range(200)])) == 64

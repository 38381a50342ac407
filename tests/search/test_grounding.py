"""Passages to answer from."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from toolkit.models.tokens import count_text
from toolkit.search.documents import Chunk, Hit, Parts
from toolkit.search.embedding import BUNDLED
from toolkit.search.grounding import MOST_CHARACTERS, MOST_PASSAGES, ground, relevant


def hit(document: str, position: int, lines: tuple[int, int], text: str = "") -> Hit:
    text = text or f"{document}{position}"
    return Hit(f"{document}-{position}", document, f"{document}.md", document, "", lines, text, 1.0, "default")


def chunk(document: str, position: int, lines: tuple[int, int], text: str = "") -> Chunk:
    text = text or f"{document}{position}"
    return Chunk(
        f"{document}-{position}", document, "default", position, "", text, *lines, source=f"{document}.md", title=""
    )


def passages(hits: Sequence[Hit], tokens: int = 5_000) -> list[tuple[str, tuple[str, ...], tuple[int, int], str]]:
    found = ground("q", hits, "x", tokens=tokens).passages
    return [(each.chunk_id, each.chunk_ids, each.lines, each.text) for each in found]


def test_chunks_that_follow_each_other_are_one_passage() -> None:
    hits = [hit("a", 4, (20, 25)), hit("b", 1, (1, 3)), hit("a", 2, (10, 14)), hit("a", 3, (16, 19))]
    assert passages(hits) == [
        ("a-4", ("a-2", "a-3", "a-4"), (10, 25), "a2\n\na3\na4"),
        ("b-1", ("b-1",), (1, 3), "b1"),
    ]


@pytest.mark.parametrize(
    "other",
    [hit("a", 3, (9, 12)), hit("a", 2, (5, 9)), hit("a", 2, (40, 50)), hit("b", 2, (6, 9)), hit("a", 1, (1, 5))],
    ids=["not the next", "on a shared line", "far away", "of another document", "before it"],
)
def test_other_chunks_stay_apart(other: Hit) -> None:
    first = hit("a", 1, (1, 5)) if other.chunk_id != "a-1" else hit("a", 3, (7, 9))
    assert [chunks for _, chunks, _, _ in passages([first, other])] == [(first.chunk_id,), (other.chunk_id,)]


def test_neighbors_come_after_all_hits_and_join_them() -> None:
    near = (chunk("a", 1, (1, 1)), chunk("a", 2, (2, 2)), chunk("a", 4, (4, 4)))
    hits = [replace(hit("a", 3, (3, 3)), neighbors=near), hit("b", 1, (1, 1))]
    assert [chunks for _, chunks, _, _ in passages(hits)] == [("a-1", "a-2", "a-3", "a-4"), ("b-1",)]


def test_passages_fit_into_the_tokens_and_chunks_stay_whole() -> None:
    long, short = "word " * 300, "word " * 30
    hits = [hit("a", 1, (1, 1), long), hit("b", 1, (1, 1), long), hit("c", 1, (1, 1), short)]
    found = ground("q", hits, "x", tokens=350).passages
    assert [(each.chunk_id, each.text) for each in found] == [("a-1", long), ("c-1", short)]
    assert sum(count_text(each.text) for each in found) <= 350


def test_a_neighbor_that_does_not_fit_leaves_out_what_lies_behind_it() -> None:
    near = (chunk("a", 2, (2, 2), "word " * 300), chunk("a", 3, (3, 3)))
    assert [chunks for _, chunks, _, _ in passages([replace(hit("a", 1, (1, 1)), neighbors=near)], 100)] == [("a-1",)]


def test_the_best_hit_is_read_however_long_it_is() -> None:
    ((_, chunks, _, text),) = passages([hit("a", 1, (1, 1), "x" * 10_000)], tokens=10)
    assert (chunks, len(text)) == (("a-1",), MOST_CHARACTERS)


def test_hits_are_bounded_in_number() -> None:
    assert len(passages([hit(f"d{n}", 1, (1, 1)) for n in range(20)])) == MOST_PASSAGES


def test_a_page_is_named_instead_of_lines() -> None:
    grounding = ground("q", [replace(hit("a", 1, (1, 9)), place="page 3", heading="Birds")], "x")
    assert grounding.sources[0].title == "a.md, page 3, Birds"


def compared(semantic: float, coverage: float, embedder: str = BUNDLED, exact: float | None = None) -> Hit:
    parts = Parts(semantic=semantic, coverage=coverage, embedder=embedder, exact=exact)
    return replace(hit("a", 1, (1, 1)), parts=parts)


@pytest.mark.parametrize(
    ("hits", "speaks"),
    [
        ([compared(0.1, 0.2), compared(0.29, 0.59)], False),
        ([compared(0.1, 0.2), compared(0.31, 0.0)], True),
        ([compared(0.1, 0.2), compared(0.0, 0.6)], True),
        ([compared(0.1, 0.2, exact=1.0)], True),
        ([compared(0.1, 0.2, "openai/text-embedding-3-small")], True),
        ([hit("a", 1, (1, 1))], True),
    ],
)
def test_documents_that_speak_of_something_else_are_no_passages(hits: list[Hit], speaks: bool) -> None:
    assert relevant(hits) is speaks
    assert bool(ground("q", hits, "x").passages) is speaks

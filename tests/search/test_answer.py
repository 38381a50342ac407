"""Questions put to a model with passages, and what its answer cites."""

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.messages import BEFORE_QUESTION, NOT_IN_SOURCES, Delta, Message, Reply, question_of
from toolkit.search.answer import Answer, Citation, answer_of, cite, ground, streamed
from toolkit.search.documents import Hit


def hit(number: int, text: str = "A heron fishes.", heading: str = "Birds") -> Hit:
    return Hit(f"doc{number}-1", f"doc{number}", "birds.md", "Birds", heading, (number, number + 4), text, 1.0, "b")


def reply(text: str) -> Reply:
    return Reply(Message("assistant", text), "model", (), "call")


GROUNDING = ground("What fishes?", [hit(1), hit(2), hit(3)], "x")


def cited(text: str) -> list[int]:
    return [citation.number for citation in cite(reply(text), GROUNDING).citations]


def test_the_model_reads_instructions_then_numbered_passages_then_the_question() -> None:
    grounding = ground(" What fishes? ", [hit(1), hit(2, "A stork nests.", "")], "Be short.")
    assert grounding.messages == (
        Message("system", "Be short."),
        Message(
            "user",
            "Passages:\n\n[1] birds.md, lines 1–5, Birds\nA heron fishes.\n\n[2] birds.md, lines 2–6\nA stork nests."
            "\n\nQuestion: What fishes?",
        ),
    )
    assert [(source.id, source.text) for source in grounding.sources] == [
        ("doc1-1", "A heron fishes."),
        ("doc2-1", "A stork nests."),
    ]


@given(st.text(), st.text())
def test_the_question_can_be_found_again_whatever_the_passages_say(question: str, passage: str) -> None:
    if BEFORE_QUESTION in question:
        return
    grounding = ground(question, [hit(1, f"{passage}{BEFORE_QUESTION}{passage}")], "x")
    assert question_of(grounding.messages) == question.strip()


def test_the_question_of_a_conversation_is_what_the_user_said_last() -> None:
    messages = [Message("user", "one"), Message("assistant", "two"), Message("user", "three"), Message("tool", "four")]
    assert question_of(messages) == "three"
    assert question_of([]) == ""


def test_a_question_without_passages_says_so_to_the_model() -> None:
    grounding = ground("q", [], "x")
    assert grounding.sources == ()
    assert grounding.messages[1].text == "Passages:\n\n(none was found)\n\nQuestion: q"


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("Herons fish [1].", [1]),
        ("Herons[2] fish [1].", [1, 2]),
        ("Both [1, 3] and [2;3].", [1, 2, 3]),
        ("[3][1]", [1, 3]),
        ("Twice [2], twice [2].", [2]),
        ("Invented [4], [0] and [99].", []),
        ("A year [2024], a word [x], nothing [].", []),
        ("In `list[1]` and\n```python\nx[2]\n```\nbut [3].", [3]),
        ("    indented [1]", [1]),
        ("An open ``` fence [2]", [2]),
        ("", []),
    ],
)
def test_a_citation_is_a_number_in_the_prose_that_a_passage_has(text: str, numbers: list[int]) -> None:
    assert cited(text) == numbers


def test_a_citation_says_where_to_read() -> None:
    answer = cite(reply("Herons fish [2]."), GROUNDING)
    assert answer.citations == (Citation(2, "doc2-1", "birds.md", (2, 6), ("doc2-1",)),)
    assert (answer.text, answer.reply.model, answer.found) == ("Herons fish [2].", "model", True)
    assert answer.passages == GROUNDING.passages


def test_a_passage_that_the_model_was_not_given_cannot_be_cited() -> None:
    many = ground("q", [hit(n) for n in range(1, 30)], "x")
    assert [c.number for c in cite(reply("[8] [9]"), many).citations] == [8]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (NOT_IN_SOURCES, False),
        ("the documents do not say", True),
        ("Sorry. The documents do not say", False),
        ("Yes.", True),
    ],
)
def test_an_answer_that_is_not_in_the_documents_is_known(text: str, found: bool) -> None:
    assert cite(reply(text), GROUNDING).found is found


def test_a_partial_answer_counts_as_found() -> None:
    assert cite(reply(f"Herons fish [1]. Of storks: {NOT_IN_SOURCES}"), GROUNDING).found


async def test_what_a_model_says_without_any_passage_is_not_found_in_the_documents() -> None:
    answer = await answer_of(reply("Paris is the capital of France [1]."), ground("q", [], "x"))
    assert (answer.found, answer.citations) == (False, ())
    assert [each.reason for each in answer.unsupported] == ["cites no passage"]


async def test_a_streamed_answer_ends_with_the_whole_of_it() -> None:
    async def deltas() -> AsyncGenerator[Delta, None]:
        yield Delta("A heron ")
        yield Delta("fishes [1]. Storks dance.")
        yield Delta(reply=reply("A heron fishes [1]. Storks dance."))

    *pieces, answer = [piece async for piece in streamed(deltas(), GROUNDING)]
    assert [piece.text for piece in pieces if isinstance(piece, Delta)] == [
        *("A heron ", "fishes [1]. Storks dance.", "")
    ]
    assert isinstance(answer, Answer)
    assert answer == await answer_of(reply("A heron fishes [1]. Storks dance."), GROUNDING)
    assert [answer.text[each.start : each.end] for each in answer.unsupported] == ["Storks dance."]

"""Questions put to a model with passages, and what its answer cites."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.messages import BEFORE_QUESTION, NOT_IN_SOURCES, Message, Reply, question_of
from toolkit.search.answer import MOST_CHARACTERS, MOST_PASSAGES, Citation, cite, ground
from toolkit.search.documents import Hit


def hit(number: int, text: str = "A heron fishes.", heading: str = "Birds") -> Hit:
    return Hit(f"doc-{number}", "doc", "birds.md", "Birds", heading, (number, number + 4), text, 1.0, "default")


def reply(text: str) -> Reply:
    return Reply(Message("assistant", text), "model", (), "call")


HITS = [hit(1), hit(2), hit(3)]


def cited(text: str) -> list[int]:
    return [citation.number for citation in cite(reply(text), HITS).citations]


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
        ("doc-1", "A heron fishes."),
        ("doc-2", "A stork nests."),
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


def test_passages_are_bounded_in_number_and_length() -> None:
    grounding = ground("q", [hit(n, "x" * 10_000) for n in range(1, 30)], "x")
    assert len(grounding.sources) == MOST_PASSAGES
    assert {len(source.text) for source in grounding.sources} == {MOST_CHARACTERS}
    assert len(grounding.messages[1].text) < MOST_PASSAGES * (MOST_CHARACTERS + 100)


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
    answer = cite(reply("Herons fish [2]."), HITS)
    assert answer.citations == (Citation(2, "doc-2", "birds.md", (2, 6)),)
    assert (answer.text, answer.reply.model, answer.found) == ("Herons fish [2].", "model", True)


def test_a_passage_that_the_model_was_not_given_cannot_be_cited() -> None:
    many = [hit(n) for n in range(1, 30)]
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
    assert cite(reply(text), HITS).found is found


def test_a_partial_answer_counts_as_found() -> None:
    assert cite(reply(f"Herons fish [1]. Of storks: {NOT_IN_SOURCES}"), HITS).found

"""Passages taken apart into what can be quoted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.messages import Source
from toolkit.providers.offline.quotes import quotes, stem


def parts(text: str) -> list[tuple[str, str]]:
    return [(quote.form, quote.text) for quote in quotes([Source("id", "title", text)])]


def test_a_paragraph_is_its_sentences_however_its_lines_are_broken() -> None:
    text = 'Herons fish\nat dawn. Storks nest, e.g. on Dr. Smith\'s roof! Do they? "Yes." 0.55 is a number.'
    assert parts(text) == [
        ("prose", "Herons fish at dawn."),
        ("prose", "Storks nest, e.g. on Dr. Smith's roof!"),
        ("prose", "Do they?"),
        ("prose", '"Yes."'),
        ("prose", "0.55 is a number."),
    ]


def test_list_items_and_table_rows_are_whole_and_the_names_of_columns_are_not_quoted() -> None:
    text = "- one item. It has\n  two lines.\n* another\n2. a third\n\n| name | means |\n|---|---|\n| heron | bird |\n"
    assert parts(text) == [
        ("item", "one item. It has two lines."),
        ("item", "another"),
        ("item", "a third"),
        ("item", "heron — bird"),
    ]


def test_fenced_code_keeps_its_lines_and_its_language() -> None:
    (quote,) = quotes([Source("id", "t", "```bash\npip install x\n\npip check\n```\n")])
    assert (quote.form, quote.language, quote.text) == ("code", "bash", "pip install x\n\npip check")


def test_long_code_comes_in_pieces() -> None:
    text = "```\n" + "\n\n".join("\n".join(f"line{n}_{m} = 1" for m in range(10)) for n in range(3)) + "\n```"
    assert [len(quote.split("\n")) for _, quote in parts(text)] == [10, 10, 10]


def test_a_definition_and_its_docstring_are_code_and_prose() -> None:
    docstring = '    """Let go of the connection.\n\n    Args:\n        force: do not wait.\n    """\n'
    text = f"def close(self) -> None:\n{docstring}    self.open = False\n"
    assert parts(text) == [
        ("code", "def close(self) -> None:"),
        ("prose", "Let go of the connection."),
        ("item", "force: do not wait."),
        ("code", "self.open = False"),
    ]


def test_headings_are_the_context_of_what_follows_and_not_quoted() -> None:
    quote = quotes([Source("id", "birds.md", "# Herons\n\nThey fish.\n")])[0]
    assert quote.text == "They fish."
    assert {stem("herons"), stem("birds")} <= quote.context


def test_marks_of_other_footnotes_are_left_out() -> None:
    assert parts("Herons fish[1] at dawn [23].[^note]") == [("prose", "Herons fish at dawn .")]


@pytest.mark.parametrize(
    "family",
    [
        ["retry", "retries", "retried", "retrying"],
        ["configure", "configured", "configures", "configuration"],
        ["stop", "stops", "stopped", "stopping"],
        ["cache", "caches", "cached", "caching"],
        ["error", "errors"],
        ["Provider", "providers", "provided", "provide"],
        ["process", "processes", "processing"],
    ],
)
def test_forms_of_a_word_are_one(family: list[str]) -> None:
    assert len({stem(word) for word in family}) == 1


def test_different_words_stay_different() -> None:
    words = ["model", "mode", "user", "use", "session", "index", "state", "status", "string", "class"]
    assert len({stem(word) for word in words}) > 8


@given(st.text(alphabet=st.sampled_from("ab .\n-*|`#1)[]\"'=:(){}>~\t"), max_size=400))
def test_any_text_can_be_taken_apart(text: str) -> None:
    for form, quote in parts(text):
        assert quote.strip()
        assert form == "code" or "\n" not in quote

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.display.browsing import Seen
from toolkit.display import code
from toolkit.display.code import CLASSES, MOST_CHARACTERS, code_block

PYTHON = '@cache\ndef f(x: int) -> str:\n    """Doc."""\n    return f"{x + 1}"  # why\n'


def test_the_words_of_a_language_have_classes_by_what_they_are() -> None:
    html = code_block(PYTHON, "python")
    for name, word in {"nd": "@cache", "k": "def", "nf": "f", "nb": "int", "c": "# why", "m": "1"}.items():
        assert re.search(rf'<span class="{name}">{word}\s*</span>', html), name


def test_a_bar_names_the_language_as_it_was_written() -> None:
    assert '<div class="toolkit-language">Python</div>' in code_block("x", "Python title=a.py")
    assert "toolkit-language" not in code_block("x")


def test_an_unknown_language_is_named_and_shown_in_one_colour() -> None:
    html = code_block("def f(): ...", "brainfuck")
    assert '<div class="toolkit-language">brainfuck</div>' in html
    assert "<span" not in html


def test_very_long_code_is_shown_in_one_colour() -> None:
    assert "<span" not in code_block("x = 1\n" * MOST_CHARACTERS, "python")


@pytest.mark.parametrize("name", sorted(set(code._LANGUAGES.values())))
def test_every_language_that_is_named_has_a_lexer_that_changes_nothing(name: str) -> None:
    html = code_block(source := PYTHON + "<b> & {\"a\": [1, 'b']} \t\n\n", name)
    assert Seen(html).text_of("code") == source


@settings(max_examples=100, deadline=None)
@given(st.text(), st.sampled_from(["python", "js", "html", "bash", "yaml", "diff", "console", "?"]), st.booleans())
def test_the_code_itself_stays_as_it_is(source: str, language: str, growing: bool) -> None:
    seen = Seen(code_block(source.replace("\r", ""), language, growing=growing))
    assert seen.text_of("code") == source.replace("\r", "")
    assert set(" ".join(seen.attributes["class"]).split()) <= CLASSES | {"toolkit-code", "toolkit-language"}


def test_code_that_is_still_being_written_is_coloured_to_its_last_line() -> None:
    html = code_block("x = 1\n" * 40 + "def f", "python", growing=True)
    assert html.count('<span class="m">') == 40
    assert '<span class="k">def </span>' in html

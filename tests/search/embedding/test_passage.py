"""What an embedder reads of a chunk."""

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolkit.search.embedding import passage, text_hash
from toolkit.search.embedding.passage import _begins, _plain

heading_like = st.text("#=-* \t\n\u00a0\x0cAaßẞİſ", max_size=40)


@pytest.mark.parametrize(
    ("title", "heading", "text", "read"),
    [
        ("Handbook", "Limits › Rate", "60 a minute.", "Handbook › Limits › Rate\n60 a minute."),
        ("Handbook", "", "Text.", "Handbook\nText."),
        ("", "Limits", "Text.", "Limits\nText."),
        ("", "", "Text.", "Text."),
        # What the text begins with is not said before it, nor the same name twice.
        ("Storks", "Storks", "# Storks\n\nThey nest.", "# Storks\n\nThey nest."),
        ("Storks", "Storks › Nests", "They nest.", "Storks › Nests\nThey nest."),
        ("Storks", "storks", "They nest.", "Storks\nThey nest."),
        ("Handbook", "Limits", "## Limits\n\n60.", "Handbook\n## Limits\n\n60."),
        ("src/db.py", "class Store", "def put(self): ...", "src/db.py › class Store\ndef put(self): ..."),
    ],
)
def test_the_names_that_a_chunk_stands_under_are_read_once(title: str, heading: str, text: str, read: str) -> None:
    assert passage(title, heading, text) == read


def test_a_title_does_not_take_the_place_of_the_text() -> None:
    assert len(passage("word " * 1_000, "", "Text.")) < 300


@given(st.text(), st.text(), st.text())
def test_the_text_is_always_read_whole_and_last(title: str, heading: str, text: str) -> None:
    assert passage(title, heading, text).endswith(text)


@given(heading_like, heading_like)
@example("Straße" + " " * 40 + "zu", "STRASSE ZU")
def test_a_look_at_the_beginning_tells_as_much_as_all_of_the_text(text: str, name: str) -> None:
    assert _begins(text, _plain(name)) == _plain(text).startswith(_plain(name))


def test_the_hash_is_the_beginning_of_sha_256_as_a_whole_number() -> None:
    digest = hashlib.sha256("Größe".encode()).digest()
    assert text_hash("Größe") == int.from_bytes(digest[:8], "little")


@given(st.text(st.characters(exclude_categories=[])))
def test_any_text_has_a_hash_of_64_bits(text: str) -> None:
    assert 0 <= text_hash(text) < 2**64

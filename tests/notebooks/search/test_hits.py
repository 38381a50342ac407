import pytest

from notebooks.search.hits import excerpt, marked, page
from toolkit.search.documents import Hit


def hit(text: str = "A provider is tried again.", **changed: object) -> Hit:
    values = {
        "chunk_id": "c",
        "document_id": "d",
        "source": "docs/retries.md",
        "title": "Retry policy",
        "heading": "",
        "lines": (12, 31),
        "text": text,
        "score": 0.84,
        "collection": "handbook",
    }
    return Hit(**{**values, **changed})  # type: ignore[arg-type] # a table of values has no types of its own


def test_a_card_says_its_number_title_place_and_score() -> None:
    html = page([hit(), hit(title="Second", score=0.5)], "provider")
    assert "[2]" in html
    assert "Retry policy" in html
    assert "docs/retries.md:12–31" in html
    assert "--share: 84%" in html
    assert "0.84" in html


def test_the_words_of_the_query_are_marked_with_other_endings_too() -> None:
    assert marked("Retries: one timeout, two timeouts, no time.", "the retry timeouts") == (
        "Retries: one <mark>timeout</mark>, two <mark>timeouts</mark>, no time."
    )


def test_a_word_within_another_word_is_not_marked() -> None:
    assert "<mark>" not in marked("concatenate the cattle", "cat")


def test_a_part_of_an_identifier_is_marked() -> None:
    assert marked("retry_after", "retry") == "<mark>retry</mark>_after"


def test_a_passage_and_a_query_are_text() -> None:
    html = page([hit("<script>alert(1)</script> <b>x</b>")], "script <b>")
    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;<mark>script</mark>&gt;" in html


@pytest.mark.parametrize("query", ["lt", "amp", "p", "strong", "class"])
def test_marks_spoil_neither_tags_nor_entities(query: str) -> None:
    html = "<p class='x'>1 &lt; 2 &amp; <strong>x</strong></p>"
    assert marked(html, query) == html


def test_an_excerpt_is_cut_around_the_first_match_and_the_whole_unfolds() -> None:
    html = page([hit("filler word " * 60 + "the breaker opens here " + "filler word " * 60)], "breaker")
    shown, folded = html.split("<details>")
    assert "… " in shown
    assert "<mark>breaker</mark>" in shown
    assert len(shown) < 1200
    assert folded.count("filler word") == 120


def test_an_excerpt_shows_the_place_with_the_most_words_of_the_query() -> None:
    text = "retry once. " + "filler word " * 60 + "a retry after a timeout of the provider. " + "filler word " * 60
    assert "a retry after a timeout of the provider" in excerpt(text, "retry timeout provider")


def test_an_excerpt_begins_where_the_line_of_the_match_begins() -> None:
    text = "\n".join(f"line {n} of many, with enough words in it" for n in range(30))
    assert excerpt(text, "21").startswith("line 21 of many")


def test_a_short_passage_is_shown_whole() -> None:
    assert "<details>" not in page([hit()], "provider")


def test_markdown_is_read_as_prose_and_unfolds_as_a_page() -> None:
    html = page([hit("## Retries\n\n| `a` | **b** |\n|--|--|\n| *one*, | two |\n")], "one")
    shown, folded = html.split("<details>")
    assert '<div class="toolkit-passage">a b <mark>one</mark>, two</div>' in shown
    assert "<td><em><mark>one</mark></em>,</td>" in folded


def test_code_keeps_its_lines() -> None:
    html = page([hit("def retry():\n    return once", source="models/retry.py")], "once")
    assert '<div class="toolkit-passage toolkit-code">def retry():\n    return <mark>once</mark></div>' in html


def test_nothing_found_is_said() -> None:
    assert "Nothing in handbook fits “zebra”; try other words." in page([], "zebra", "handbook")

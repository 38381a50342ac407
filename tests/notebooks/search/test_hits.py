import pytest

from notebooks.search.hits import cards, excerpt, marked, page
from toolkit.search.documents import Hit, Parts


def hit(text: str = "A provider is tried again.", *words: str, **changed: object) -> Hit:
    """A hit in whose text the first place of each of `words` is highlighted."""
    values = {
        "chunk_id": "c",
        "document_id": "d",
        "source": "docs/retries.txt",
        "title": "Retry policy",
        "heading": "",
        "lines": (12, 31),
        "text": text,
        "score": 0.84,
        "collection": "handbook",
        "highlights": tuple(sorted((text.index(word), text.index(word) + len(word)) for word in words)),
    }
    return Hit(**{**values, **changed})  # type: ignore[arg-type] # a table of values has no types of its own


def test_a_card_says_its_number_title_place_and_score() -> None:
    html = cards([hit(), hit(title="Second", score=0.5)], first=3)
    assert "[4]" in html
    assert 'start="3"' in html
    assert "Retry policy" in html
    assert "docs/retries.txt:12–31" in html
    assert "--share: 84%" in html
    assert "0.84" in html


def test_what_has_pages_is_told_by_its_page() -> None:
    assert "docs/book.pdf, page 3" in cards([hit(source="docs/book.pdf", place="page 3")])


def test_the_toolkits_own_highlights_are_marked_and_nothing_else() -> None:
    html = cards([hit("It dies where others die.", "dies", "die.")])
    assert "It <mark>dies</mark> where others <mark>die.</mark>" in html
    assert "<mark>" not in cards([hit("It dies where others die.")])


def test_a_passage_and_a_source_are_text() -> None:
    html = cards([hit("<script>alert(1)</script> <b>x</b>", "script", source="<img src=x>", title="<b>T</b>")])
    assert "<script" not in html
    assert "<img" not in html
    assert "<b>" not in html
    assert "&lt;<mark>script</mark>&gt;" in html


@pytest.mark.parametrize("word", ["lt", "amp", "p", "strong", "class"])
def test_marks_spoil_neither_tags_nor_entities(word: str) -> None:
    html = "<p class='x'>1 &lt; 2 &amp; <strong>x</strong></p>"
    assert marked(html, [word]) == html


def test_a_word_within_another_word_is_not_marked_but_a_part_of_an_identifier_is() -> None:
    assert "<mark>" not in marked("concatenate the cattle", ["cat"])
    assert marked("retry_after", ["retry"]) == "<mark>retry</mark>_after"
    assert marked("東京都に住む", ["京都"]) == "東<mark>京都</mark>に住む"


def test_an_excerpt_is_cut_around_the_highlights_and_the_whole_unfolds() -> None:
    text = "filler word " * 60 + "the breaker opens here " + "filler word " * 60
    shown, folded = cards([hit(text, "breaker")]).split("<details>")
    assert "… " in shown
    assert "<mark>breaker</mark>" in shown
    assert len(shown) < 1200
    assert folded.count("filler word") == 120
    assert "<mark>breaker</mark>" in folded


def test_an_excerpt_shows_the_place_with_the_most_highlights() -> None:
    text = "retry once. " + "filler word " * 60 + "a retry after a timeout of the provider. " + "filler word " * 60
    near = text.index("retry after")
    begin, end = excerpt(text, [0, near, near + 14, near + 29])
    assert "a retry after a timeout of the provider" in text[begin:end]


def test_an_excerpt_begins_where_the_line_of_the_match_begins() -> None:
    text = "\n".join(f"line {n} of many, with enough words in it" for n in range(30))
    begin, _ = excerpt(text, [text.index("21 of")])
    assert text[begin:].startswith("line 21 of many")


def test_a_short_passage_is_shown_whole() -> None:
    assert "<details" not in cards([hit()])


def test_markdown_is_read_as_prose_and_unfolds_as_a_page() -> None:
    text = "## Retries\n\n| `a` | **b** |\n|--|--|\n| *one*, | two |\n"
    shown, folded = cards([hit(text, "one", source="docs/retries.md")]).split("<details>")
    assert '<div class="toolkit-passage">a b <mark>one</mark>, two</div>' in shown
    assert "<td><em><mark>one</mark></em>,</td>" in folded


def test_code_keeps_its_lines() -> None:
    html = cards([hit("def retry():\n    return once", "once", source="models/retry.py")])
    assert '<div class="toolkit-passage toolkit-code">def retry():\n    return <mark>once</mark></div>' in html


def test_the_score_is_explained() -> None:
    parts = Parts(lexical=0.81, semantic=0.55, weights=(0.3, 0.7), coverage=0.75, total=0.63, embedder="minilm")
    html = cards([hit(parts=parts)])
    assert "0.30 × words 0.81 + 0.70 × meaning 0.55 = 0.63" in html
    assert "has 75% of the query&#x27;s words; meanings by minilm" in html


def test_nothing_found_is_said() -> None:
    assert "Nothing in handbook fits “zebra”; try other words." in page([], "zebra", "handbook")


def test_a_page_says_how_many_there_are() -> None:
    assert "2 passages in all collections" in page([hit(), hit()], "provider")

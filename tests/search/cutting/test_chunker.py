"""How documents are cut."""

import warnings
from textwrap import dedent

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.search.cutting.chunker import FEW, LONG_LINE, MOST, cut, document_id
from toolkit.search.documents import Chunk, Document, Kind
from toolkit.search.reading.loader import clean


def chunks(text: str, kind: Kind = "markdown", language: str | None = None) -> list[Chunk]:
    return cut(Document("a.md", text, "A", kind, language), "default")


def words(number: int, word: str = "word") -> str:
    return " ".join([word] * number)


# Lines that a cutter may trip over, and lines that it may not split.
LINES = st.sampled_from(
    [
        *(
            "",
            "",
            "   ",
            "\t",
            "# One",
            "## Two",
            "### Two `code` [link](x) #",
            "####### seven",
            "Title",
            "=====",
            "---",
        ),
        *("```", "```python", "~~~", "> ```", "- item", "1. item", "| a | b |", "|---|---|", "    indented"),
        *(
            "def f(x):",
            "    return x",
            "class A:",
            "    def g(self):",
            "@decorator",
            "# comment",
            '    """',
            "x = (",
            ")",
        ),
        *("async def h(): pass", 'r"\\d"', "\x0c", "a\x0bb", "\u2028", "é 北京", "\ufeff"),
        *(words(30), words(150), words(900), "x" * (LONG_LINE + 7), "y" * 20_000, "#" + " " * 3000 + "x"),
    ]
)
TEXTS = st.lists(LINES, max_size=60).map("\n".join)
KINDS = st.sampled_from(
    [("markdown", None), ("text", None), ("code", "python"), ("code", "go"), ("notebook", "python"), ("code", None)]
)


def check_tiling(text: str, found: list[Chunk]) -> None:
    """Every line that is not blank is in exactly one chunk; a long line is in several that follow one another."""
    lines = text.split("\n")
    covered: list[int] = []
    for chunk in found:
        assert 1 <= chunk.line_start <= chunk.line_end <= len(lines)
        own = list(range(chunk.line_start, chunk.line_end + 1))
        if covered and chunk.line_start == chunk.line_end == covered[-1]:
            continue  # another piece of the same line
        assert not covered or covered[-1] < own[0]
        covered += own
        if chunk.text != "\n".join(lines[chunk.line_start - 1 : chunk.line_end]):
            assert chunk.line_start == chunk.line_end
    assert {n for n, line in enumerate(lines, 1) if line.strip()} <= set(covered)
    for number in {chunk.line_start for chunk in found if chunk.line_start == chunk.line_end}:
        pieces = "".join(c.text for c in found if c.line_start == c.line_end == number)
        assert pieces.split() == lines[number - 1].split() or "".join(pieces.split()) == "".join(
            lines[number - 1].split()
        )


@settings(max_examples=150, deadline=None)
@given(TEXTS, KINDS)
def test_the_chunks_tile_the_document(text: str, kind: tuple[Kind, str | None]) -> None:
    text = clean(text)
    found = chunks(text, *kind)
    check_tiling(text, found)
    assert all(chunk.text.strip() for chunk in found)
    assert [chunk.position for chunk in found] == list(range(1, len(found) + 1))
    assert all(len(chunk.text) <= LONG_LINE + FEW for chunk in found)
    assert all(len(chunk.heading) <= 200 for chunk in found)


@settings(max_examples=100, deadline=None)
@given(st.text(), KINDS)
def test_any_text_can_be_cut(text: str, kind: tuple[Kind, str | None]) -> None:
    text = clean(text)
    check_tiling(text, chunks(text, *kind))


def test_the_id_is_made_of_collection_and_source_alone() -> None:
    assert document_id("default", "docs/a.md") == "q4omovvv5x33"
    assert len({document_id("default", "a"), document_id("other", "a"), document_id("default", "b")}) == 3
    assert [chunk.id for chunk in cut(Document("a.md", words(50)), "c")] == [f"{document_id('c', 'a.md')}-1"]


def test_markdown_is_cut_at_headings_which_tell_where_a_chunk_stands() -> None:
    body = words(60)
    text = f"# Guide\n\n{body}\n\n## Install\n\n{body}\n\n### On `Linux`\n\n{body}\n\n## [Use](x.md)\n\n{body}\n"
    assert [(chunk.heading, chunk.lines) for chunk in chunks(text)] == [
        ("Guide", (1, 3)),
        ("Guide › Install", (5, 7)),
        ("Guide › Install › On Linux", (9, 11)),
        ("Guide › Use", (13, 15)),
    ]


def test_underlined_headings_are_headings_and_front_matter_is_none() -> None:
    body = words(60)
    text = f"---\ntitle: x\n---\n\nGuide\n=====\n\n{body}\n\nInstall\n-------\n\n{body}\n"
    assert [chunk.heading for chunk in chunks(text)] == ["Guide", "Guide › Install"]


def test_small_sections_share_a_chunk_that_names_them_all() -> None:
    text = "# Guide\n\n## Licence\n\nMIT.\n\n## Contact\n\nAda.\n"
    assert [(chunk.heading, chunk.lines) for chunk in chunks(text)] == [("Guide › Licence · Contact", (1, 9))]


def test_a_heading_inside_a_fence_is_none_and_a_fence_that_fits_stays_whole() -> None:
    code = "\n\n".join(["# not a heading", "echo " + words(60)] * 2)
    text = f"# Guide\n\n{words(100)}\n\n```sh\n{code}\n```\n\n{words(100)}\n"
    found = chunks(text)
    assert {chunk.heading for chunk in found} == {"Guide"}
    assert sum(f"```sh\n{code}\n```" in chunk.text for chunk in found) == 1


def test_a_fence_that_is_too_large_is_cut_at_its_blank_lines() -> None:
    part = "\n".join([words(20)] * 5)
    found = chunks(f"```\n{part}\n\n{part}\n\n{part}\n```\n")
    assert [chunk.lines for chunk in found] == [(1, 12), (14, 19)]


def test_a_long_section_is_cut_between_paragraphs_of_about_the_target_length() -> None:
    found = chunks("# Guide\n\n" + "\n\n".join([words(40)] * 20))
    assert len(found) > 3
    assert all(FEW < len(chunk.text) <= MOST for chunk in found)
    assert all(80 <= len(chunk.text.split()) <= 260 for chunk in found[:-1])


def test_a_paragraph_too_large_for_a_chunk_is_cut_at_line_ends() -> None:
    found = chunks("\n".join([words(20)] * 30), "text")
    assert all(len(chunk.text) <= MOST for chunk in found)
    assert found[0].line_end + 1 == found[1].line_start


def test_a_giant_line_is_cut_by_characters_and_keeps_its_number() -> None:
    giant = "".join(chr(97 + n % 26) for n in range(100_000))
    found = chunks(f"before\n{giant}\nafter", "code", "javascript")
    pieces = [chunk for chunk in found if chunk.lines == (2, 2)]
    assert "".join(chunk.text for chunk in pieces) == giant
    assert max(len(chunk.text) for chunk in pieces) <= MOST
    assert (found[0].text, found[-1].text) == ("before", "after")


PYTHON = dedent('''\
    """A module."""

    import os

    LIMIT = 10


    # Why it is there.
    @decorator
    def first(x):
        """Do the first thing."""

        return x


    class Small:
        def method(self):
            return 1
    ''')


def test_python_is_cut_at_definitions_with_what_stands_above_them() -> None:
    filler = "\n".join(f"    # {words(12)} {n}" for n in range(4))
    text = PYTHON.replace("    return x", f"{filler}\n    return x").replace(
        "        return 1", f"{filler}\n        return 1"
    )
    text = text.replace("LIMIT = 10", f"LIMIT = 10  # {words(40)}")
    found = chunks(text, "code", "python")
    assert [chunk.heading for chunk in found] == ["", "def first", "class Small"]
    assert found[1].text.startswith("# Why it is there.\n@decorator\ndef first(x):")


def test_small_definitions_share_a_chunk_that_names_them_all() -> None:
    assert [chunk.heading for chunk in chunks(PYTHON, "code", "python")] == ["def first · class Small"]


def test_a_large_class_is_cut_at_its_methods() -> None:
    method = "    def {0}(self):\n" + "\n".join(f"        x = '{words(12)}'" for _ in range(10)) + "\n"
    text = "class Router:\n    '''Routes.'''\n\n" + "\n".join(method.format(name) for name in ("first", "second"))
    found = chunks(text, "code", "python")
    assert [chunk.heading for chunk in found] == ["class Router › first", "class Router › second"]
    assert found[0].text.startswith("class Router:")


def test_a_long_function_is_cut_at_blank_lines() -> None:
    part = "\n".join(f"    x = '{words(12)}'" for _ in range(10))
    found = chunks(f"def long():\n{part}\n\n{part}\n\n{part}\n", "code", "python")
    assert [chunk.lines for chunk in found] == [(1, 11), (13, 22), (24, 33)]
    assert {chunk.heading for chunk in found} == {"def long"}


@pytest.mark.parametrize("text", ["def broken(:\n    pass\n", "print 'old'\n", "x = (" * 500, "\x00"])
def test_what_is_no_python_is_cut_as_text(text: str) -> None:
    found = chunks(text, "code", "python")
    assert "".join(chunk.text for chunk in found).strip() == text.strip()


def test_a_questionable_escape_warns_nobody() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (chunk,) = chunks('def f():\n    return "\\d\\\\" + \'\\\'\' \\\n        + "\\q"\n', "code", "python")
    assert chunk.heading == "def f"


def test_other_code_is_cut_at_blank_lines() -> None:
    part = "\n".join([words(20)] * 8)
    found = chunks(f"{part}\n\n{part}\n\n{part}\n", "code", "go")
    assert [(chunk.lines, chunk.heading) for chunk in found] == [((1, 8), ""), ((10, 17), ""), ((19, 26), "")]


@pytest.mark.parametrize(
    "line", ["# x" + " " * 200_000 + "y", "`" * 200_000, "[" * 200_000, "\\" * 200_001, "= " * 100_000]
)
def test_no_line_makes_the_cutter_slow(line: str) -> None:
    # With a pattern that backtracks this takes minutes, and the timeout of the suite fails it.
    for kind in ("markdown", "code"):
        assert chunks(f"{line}\n\n{line}", kind, "python")

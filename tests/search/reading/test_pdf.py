"""PDF, page by page."""

from pathlib import Path

from tests.search.reading.made import pdf
from toolkit.search.cutting.chunker import cut
from toolkit.search.documents import Loaded
from toolkit.search.reading.loader import parse


def loaded(data: bytes) -> Loaded:
    document = parse(data, Path("a.pdf"), "docs/a.pdf")
    assert isinstance(document, Loaded)
    return document


def test_a_pdf_is_the_lines_of_its_pages() -> None:
    document = loaded(pdf(["Herons", "fish at dawn."], [], ["Storks nest."], title="Birds"))
    assert (document.kind, document.title, document.encoding) == ("pdf", "Birds", None)
    assert document.text.split("\n") == ["Herons", "fish at dawn.", "", "", "", "Storks nest."]
    (chunk,) = cut(document, "c")
    assert (chunk.place, chunk.page, chunk.byte_start) == ("pages 1–3", 1, None)


def test_a_chunk_of_a_pdf_says_its_page_and_stands_under_the_outline() -> None:
    lines = [f"word {n} and some more words for a line" for n in range(20)]
    pages = [["Birds", *lines], ["Herons", *lines], [*lines, "Storks", *lines]]
    data = pdf(*pages, outline=[("Birds", 0), ("Herons", 1), ("Storks", 2)])
    found = [(chunk.heading, chunk.place) for chunk in cut(loaded(data), "c")]
    assert found == [("Birds", "page 1"), ("Herons", "page 2"), ("Herons", "page 3"), ("Storks", "page 3")]


def test_a_line_that_stands_on_every_page_is_a_running_head_and_left_out() -> None:
    pages = [["A report on birds", f"Text {n}.", "More text.", f"Page {n} of 6"] for n in range(6)]
    assert loaded(pdf(*pages)).text.split() == [x for n in range(6) for x in ("Text", f"{n}.", "More", "text.")]


def test_two_threads_may_read_at_once() -> None:
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - of this test

    data = pdf(*(["words"] * 5 for _ in range(9)))
    with ThreadPoolExecutor(4) as threads:
        assert len({document.text for document in threads.map(loaded, [data] * 12)}) == 1

"""A chunk knows where it stands in the bytes that it was made of."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.search.cutting.chunker import LONG_LINE, cut
from toolkit.search.documents import Chunk, Document, Loaded, page_of
from toolkit.search.reading.decoding import clean
from toolkit.search.reading.loader import parse

LINES = st.sampled_from(
    [
        *("", " ", "# Kopf", "```", "def f(x):", "    return x", "😀 word", "a,b;c", "- item", "Title", "=====", "\f"),
        *("größer " * 60, "海" * 300, "x" * (LONG_LINE + 5), "é" * (LONG_LINE + 9)),
    ]
)


def chunks_of(data: bytes, name: str) -> tuple[Loaded | None, list[Chunk]]:
    document = parse(data, Path(name), name)
    return (document, cut(document, "c")) if isinstance(document, Loaded) else (None, [])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(LINES, max_size=40),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-be"]),
    st.sampled_from(["a.md", "a.txt", "a.py", "a.go", "a.unknown"]),
)
def test_the_bytes_of_a_chunk_are_its_lines(lines: list[str], end: str, encoding: str, name: str) -> None:
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    data = mark + end.join(lines).encode(encoding)
    document, chunks = chunks_of(data, name)
    before = 0
    for chunk in chunks:
        assert document is not None
        assert document.encoding is not None
        assert chunk.byte_start is not None
        assert chunk.byte_end is not None
        assert before <= chunk.byte_start < chunk.byte_end <= len(data)
        assert clean(data[chunk.byte_start : chunk.byte_end].decode(document.encoding)) == chunk.text
        before = chunk.byte_end
    own = document.encoding if document and document.encoding else "utf-8"
    kept = b"".join(data[c.byte_start : c.byte_end] for c in chunks).decode(own)
    assert "".join(kept.split()) == "".join("".join(lines).split())


@settings(max_examples=100, deadline=None)
@given(st.lists(LINES, max_size=30).map("\n".join), st.sampled_from(["markdown", "text", "code"]))
def test_of_a_text_without_a_file_they_are_those_of_its_utf_8(text: str, kind: str) -> None:
    for chunk in cut(Document("a", clean(text), kind=kind), "c"):  # type: ignore[arg-type] # one of its words
        assert clean(text).encode()[chunk.byte_start : chunk.byte_end].decode() == chunk.text


def test_a_table_points_to_its_rows_and_a_chunk_of_it_is_understood_alone() -> None:
    rows = [f'{n},"Name {n}\nof two lines",{n * 7}' for n in range(200)]
    data = ("\ufeffid,name,total\r\n" + "\r\n".join(rows) + "\r\n").encode()
    document, chunks = chunks_of(data, "a.csv")
    assert document is not None
    assert document.kind == "table"
    assert len(chunks) > 5
    assert chunks[0].text.startswith("Columns: id, name, total\nid: 0 | name: Name 0 of two lines | total: 0\n")
    assert data[chunks[0].byte_start :].startswith(b"id,name,total\r\n0,")
    second = chunks[1]
    first = int(second.text.split()[1])
    assert second.lines[0] == 2 + 2 * first
    assert second.place.startswith(f"rows {second.lines[0]}–")
    assert data[second.byte_start : second.byte_end].decode() == "\r\n".join(
        row for row in rows[first : first + second.text.count("\n") + 1]
    )


def test_a_page_points_to_its_source() -> None:
    parts = [f"<h2>Über {n}</h2>\r\n<p>Some &mdash; <b>words</b> {'of it ' * 60}{n}</p>\r\n" for n in range(9)]
    data = f"<html><head><title>T</title></head>\r\n<body>\r\n<main>\r\n{''.join(parts)}</main></body></html>".encode()
    document, chunks = chunks_of(data, "a.html")
    assert document is not None
    assert [chunk.heading for chunk in chunks] == [f"Über {n}" for n in range(9)]
    for n, chunk in enumerate(chunks):
        assert chunk.lines == (4 + 2 * n, 5 + 2 * n)
        said = data[chunk.byte_start : chunk.byte_end].decode()
        assert said.startswith(f"Über {n}</h2>")
        assert said.endswith(f"of it {n}")
        assert chunk.text.startswith(f"## Über {n}\n\nSome — words of it")


def test_json_points_to_its_values() -> None:
    data = '{"größe": 1, "birds": [' + ", ".join(f'{{"name": "Vögel {n}", "n": {n}}}' for n in range(90)) + "]}"
    document, chunks = chunks_of(data.encode(), "a.json")
    assert document is not None
    assert (chunks[0].lines, chunks[-1].lines) == ((1, 1), (1, 1))
    assert {chunk.heading for chunk in chunks[1:]} == {"birds"}
    assert chunks[1].text.startswith("name: Vögel ")
    for chunk in chunks[1:]:
        said = data.encode()[chunk.byte_start : chunk.byte_end].decode()
        assert said.startswith('{"name": "' + chunk.text.split(" | ")[0].removeprefix("name: "))
        assert said.endswith(chunk.text.rsplit(" ", 1)[1] + "}")


@pytest.mark.parametrize(("place", "page"), [("page 3", 3), ("slides 3–4", 3), ("sheet A, row 2", None), ("", None)])
def test_the_page_is_read_from_the_place(place: str, page: int | None) -> None:
    assert page_of(place) == page

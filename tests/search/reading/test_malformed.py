"""Whatever a file holds, it is read or skipped with a reason: no crash, no hang, no memory without end."""

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.search.reading.made import S, W, docx, packed, paragraph, pdf, pptx, row, xlsx
from toolkit.search.cutting.chunker import cut
from toolkit.search.documents import Loaded
from toolkit.search.reading import loader, package
from toolkit.search.reading.folder import Skipped, walk
from toolkit.search.reading.readers import Readers

BOMB = '<!DOCTYPE lolz [<!ENTITY a "lol">' + "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
SAME = '<c t="s"><v>0</v></c>'
ENCRYPTED = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O ({'x' * 32}) /U ({'y' * 32}) /P -4 >> /ID [<41><41>]"
PAGES = pdf(*(["Herons fish at dawn."] * 20 for _ in range(5)))
FILES = {
    "truncated.pdf": (PAGES[:300], "a damaged PDF"),
    "junk.pdf": (b"%PDF-1.7\n" + bytes(range(256)) * 40, "a damaged PDF"),
    "encrypted.pdf": (pdf(["secret"], encrypt=ENCRYPTED), "an encrypted PDF"),
    "loop.pdf": (pdf(["a"], kids="2 0 R"), "a PDF without text (scanned pages)"),
    "scanned.pdf": (pdf([]), "a PDF without text (scanned pages)"),
    "words.pdf": (b"these are only words", "a damaged PDF"),
    "words.docx": (b"these are only words", "not a DOCX file, or a damaged one"),
    "truncated.docx": (docx(paragraph("words " * 900))[:400], "not a DOCX file, or a damaged one"),
    "other.docx": (packed({"a.txt": "words"}), "not a DOCX file, or a damaged one"),
    "workbook.docx": (xlsx({"A": row(1, "x")}), "empty"),
    "broken.docx": (docx("<w:p><w:r><w:t>never closed"), "not a DOCX file, or a damaged one"),
    "old.docx": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "encrypted, or of an Office before 2007"),
    "entities.docx": (
        docx("", **{"word__document.xml": f"{BOMB}]><w:document {W}><w:t>&i;</w:t></w:document>"}),
        "a DOCX file with a DTD in its XML",
    ),
    "deep.docx": (docx("<w:p>" * 100_000), "a DOCX file with XML nested too deep"),
    "bomb.docx": (docx(f"<w:p><w:r><w:t>{'0' * 30_000_000}</w:t></w:r></w:p>"), "of more than 20 million characters"),
    "bomb.xlsx": (
        xlsx({"A": "<!--" + " " * 9_000_000 + "-->"}, shared=[" " * 9_000_000]),
        "unpacks to more than 10 MB",
    ),
    "cells.xlsx": (
        xlsx({"A": "".join(row(n, *"abcdefgh") for n in range(1, 700))}),
        "an XLSX file of more than 0 million cells",
    ),
    "repeated.xlsx": (
        xlsx(
            {"A": "".join(f'<row r="{n}">{SAME * 90}</row>' for n in range(1, 30))},
            shared=["word " * 2_000],
        ),
        "a table of more than 20 million characters",
    ),
    "entities.xlsx": (xlsx({}, xl__workbook_xml="", **{"xl__workbook.xml": f"{BOMB}]><workbook {S}/>"}), "with a DTD"),
    "empty.xlsx": (xlsx({"A": ""}), "empty"),
    "no-slides.pptx": (pptx(), "empty"),
    "words.pptx": (b"PK\x03\x04 no more", "not a PPTX file, or a damaged one"),
    "deep.html": (b"<div>" * 100_000 + b"text", "HTML nested too deep"),
    "clones.html": (b"".join(b"<b a%d>" % n for n in range(3_000)) + b"<p>x" * 9_000, "HTML nested too deep"),
    "script.html": (b"<script>alert(1)</script>", "empty"),
    "deep.json": (b"[" * 100_000, "JSON nested too deep"),
    "deep.jsonl": (b'{"a":' * 100_000, "JSON nested too deep"),
    "deep.ipynb": (b'{"cells":' + b"[" * 100_000, "not a notebook"),
    "number.json": (b"[" + b"9" * 100_000 + b"]", None),  # no number that Python reads; kept as it is
    "list.ipynb": (b"[1, 2]", "not a notebook"),
    "field.csv": (b'id,text\n1,"' + b"x" * 10_000_000 + b'"\n', "larger than 5 MB"),
    "open.csv": (b'id,text\n1,"' + b"x\n" * 200_000, None),  # a quotation mark that nobody closes
    "picture.md": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
    "wrong.txt": (bytes(range(128, 256)) * 3, "not text in an encoding that can be told"),
    "empty.md": (b"", "empty"),
    "blank.py": (b" \n\t\n", "empty"),
    "key.unknown": (b"-----BEGIN PRIVATE KEY-----\n", "looks like secrets"),
}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a small file reaches."""
    monkeypatch.setattr(package, "MOST_UNPACKED", 10_000_000)
    monkeypatch.setattr("toolkit.search.reading.xlsx.MOST_CELLS", 5_000)


def said(path: Path) -> str | None:
    found = loader.load(path, path.name)
    return found.reason if isinstance(found, Skipped) else None


@pytest.mark.parametrize("name", FILES)
def test_a_malformed_file_is_skipped_with_the_reason(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    data, reason = FILES[name]
    if name in ("bomb.xlsx", "cells.xlsx"):
        request.getfixturevalue("few")
    (tmp_path / name).write_bytes(data)
    found = said(tmp_path / name)
    assert reason == found if reason is None else reason in (found or "")


async def test_a_child_reads_the_whole_corpus_and_lives(tmp_path: Path) -> None:
    risky = {name: file for name, file in FILES.items() if loader.is_risky(Path(name)) and "bomb" not in name}
    for name, (data, _) in risky.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "good.pdf").write_bytes(PAGES)
    async with Readers() as readers:
        found = {name: document async for name, document in readers.load_many((tmp_path / n, n) for n in risky)}
        assert found.keys() == risky.keys()
        assert all(isinstance(each, Skipped) for name, each in found.items() if name != "cells.xlsx")
        assert isinstance(await readers.load(tmp_path / "good.pdf", "good.pdf"), Loaded)


def test_a_line_of_a_gigabyte_is_refused_by_its_size_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "line.txt").open("wb") as file:
        file.truncate(1_000_000_000)
    monkeypatch.setattr(Path, "read_bytes", lambda _: pytest.fail("read"))
    assert said(tmp_path / "line.txt") == "larger than 5 MB"


@pytest.fixture
def odd(tmp_path: Path) -> Iterator[Path]:
    """A folder of things that are no files."""
    folder = tmp_path.resolve() / "odd"
    folder.mkdir()
    os.mkfifo(folder / "pipe.md")
    (folder / "loop").symlink_to(folder)
    (folder / "nowhere.md").symlink_to("nowhere")
    (folder / "device.md").symlink_to("/dev/zero")
    (folder / "far-pipe.md").symlink_to(folder.parent / "pipe")
    os.mkfifo(folder.parent / "pipe")
    place = Path.cwd()
    os.chdir(folder)  # the address of a socket must be short
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.md")
        os.chdir(place)
        yield folder


def test_what_is_no_file_is_not_waited_for(odd: Path) -> None:
    assert {s.path.name: s.reason for s in walk(odd) if isinstance(s, Skipped)} == {
        "pipe.md": "not a regular file",
        "socket.md": "not a regular file",
        "loop": "a link to something in the same folder",
        "nowhere.md": "a link that leads nowhere",
        "device.md": "not a regular file",
        "far-pipe.md": "not a regular file",
    }
    for name in ("pipe.md", "device.md", "far-pipe.md"):  # even if it became one after the walk
        assert said(odd / name) == "not a regular file"
    assert said(odd / "socket.md") is not None


def test_a_zip_that_says_less_than_it_holds_is_stopped_on_the_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "MOST_UNPACKED", 1_000_000)
    data = bytearray(packed({"word/document.xml": f"<w:document {W}>{' ' * 5_000_000}</w:document>"}))
    at = data.rindex(b"PK\x01\x02") + 24
    data[at : at + 4] = (100).to_bytes(4, "little")
    (tmp_path / "b.docx").write_bytes(data)
    assert said(tmp_path / "b.docx") in (
        "a DOCX file that unpacks to more than 1 MB",
        "not a DOCX file, or a damaged one",
    )


NAMES = st.sampled_from(
    ["a.md", "a.txt", "a.py", "a.html", "a.csv", "a.tsv", "a.json", "a.jsonl", "a.ipynb", "a.docx", "a.xlsx", "a.go"]
)
SEEDS = {
    "a.docx": docx(paragraph("Heron") + "<w:tbl><w:tr><w:tc>" + paragraph("x") + "</w:tc></w:tr></w:tbl>"),
    "a.xlsx": xlsx({"A": row(1, "n", "m") + row(2, "1", "2")}, shared=["a"]),
    "a.html": b"<h1>a</h1><table><tr><td>b<table><tr><th>c</table></table><ul><li>d<pre>e</pre><blockquote>f",
    "a.csv": b'a,b\n1,"2\n3",4\n\n5',
    "a.json": json.dumps({"a": [{"name": "x", "b": [1, [2, {"c": None}]]}] * 9, "d": "e" * 1_200}).encode(),
    "a.ipynb": json.dumps({"cells": [{"cell_type": "code", "source": ["a"]}, {"cell_type": "raw"}]}).encode(),
}


@settings(max_examples=300, deadline=None)
@given(NAMES, st.data())
def test_any_bytes_under_any_name_are_read_or_skipped(name: str, draw: st.DataObject) -> None:
    data = bytearray(SEEDS.get(name, b"# a\n\n```\nb\n"))
    for _ in range(draw.draw(st.integers(0, 4))):
        at = draw.draw(st.integers(0, len(data)))
        data[at : at + draw.draw(st.integers(0, 9))] = draw.draw(st.binary(max_size=9))
    found = loader.parse(bytes(data), Path(name), name)
    if isinstance(found, Loaded):
        chunks = cut(found, "c")
        assert chunks
        lines = "".join(found.text.split())
        assert "".join("".join(chunk.text.split()) for chunk in chunks) == lines


TAGS = """<p> <b> <i x=1> </b> <div> </div> <ul> <li> </ul> <table> <tr> <td> <th> </table> <pre> </pre> <code> </code>
<h1> </h1> <h2> <blockquote> </blockquote> <br> <script> </script> <!-- --> <nav> </nav> word &amp; &nbsp; é # ``` |
<template> <svg> <math> <select> <option> <title> <textarea> <form> <a> </a> <br/> <x-y> & < >"""


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([*TAGS.split(), "\n", " "]), max_size=60))
def test_any_tags_in_any_order_are_read(tags: list[str]) -> None:
    data = "".join(tags).encode()
    found = loader.parse(data, Path("a.html"), "a.html")
    if isinstance(found, Loaded):
        for chunk in cut(found, "c"):
            assert 1 <= chunk.lines[0] <= chunk.lines[1] <= data.count(b"\n") + 1
            assert (chunk.byte_start or 0) <= (chunk.byte_end or 0) <= len(data)

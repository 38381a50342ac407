"""Files as documents, or the reason why they are none."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolkit.search.cutting.chunker import cut
from toolkit.search.documents import Document
from toolkit.search.reading import loader
from toolkit.search.reading.folder import Skipped

PRIVATE_KEY = b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n" + b"MIIEowIBAAKCAQEA" * 4 + b"\n"


def load(path: Path) -> Document | Skipped:
    data = loader.read(path)
    return data if isinstance(data, Skipped) else loader.parse(data, path, path.name)


def loaded(path: Path) -> Document:
    document = load(path)
    assert isinstance(document, Document)
    return document


def reason(path: Path) -> str:
    skipped = load(path)
    assert isinstance(skipped, Skipped)
    return skipped.reason


@pytest.mark.parametrize(
    ("name", "kind", "language"),
    [
        ("guide.md", "markdown", None),
        ("GUIDE.MD", "markdown", None),
        ("notes.txt", "text", None),
        ("LICENSE", "text", None),
        ("thing.unheardof", "text", None),
        ("app.py", "code", "python"),
        ("app.tsx", "code", "typescript"),
        ("schema.sql", "code", "sql"),
        ("config.yaml", "code", "yaml"),
        ("page.html", "html", None),
        ("rows.csv", "text", None),
        ("broken.json", "code", "json"),
    ],
)
def test_the_suffix_says_the_kind_and_the_language(tmp_path: Path, name: str, kind: str, language: str | None) -> None:
    (tmp_path / name).write_text("some text\n")
    document = loaded(tmp_path / name)
    assert (document.kind, document.language, document.source) == (kind, language, name)


def test_markdown_is_titled_by_its_first_heading_and_other_files_by_their_name(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("intro\n\n```\n# not this\n```\n\n# The `real` title #\n")
    (tmp_path / "b.md").write_text("no heading\n")
    (tmp_path / "c.py").write_text("# a comment\n")
    (tmp_path / "d.md").write_text('---\nlayout: page\ntitle: "What it says of itself"\n---\n\n## Section\n')
    titles = [loaded(tmp_path / name).title for name in ("a.md", "b.md", "c.py", "d.md")]
    assert titles == ["The real title", "b.md", "c.py", "What it says of itself"]


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.txt", b"text\0more", "binary"),
        ("a.txt", bytes(range(128, 256)), "not text in an encoding that can be told"),
        ("a.txt", "Übergrößenträger".encode()[:-4] + b"\xc3", "damaged UTF-8 text"),
        ("a.txt", b"\xff\xfea", "not UTF-16 text"),
        ("a.md", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "binary"),
        ("a.txt", b"\x01\x02\x03\x04 a few controls", "binary"),
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\t\n", "empty"),
        (".env", b"KEY=1", "looks like secrets"),
        (".env.local", b"KEY=1", "looks like secrets"),
        ("server.pem", b"text", "looks like secrets"),
        ("id_rsa", b"text", "looks like secrets"),
        ("ID_ED25519", b"text", "looks like secrets"),
        ("innocent.txt", b"-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "looks like secrets"),
        ("a.txt", b"notes\n" + PRIVATE_KEY, "looks like secrets"),
        ("a.py", b'KEY = """' + PRIVATE_KEY + b'"""', "looks like secrets"),
        ("a.json", json.dumps({"private_key": PRIVATE_KEY.decode()}).encode(), "looks like secrets"),
        ("a.txt", PRIVATE_KEY.decode().encode("utf-16"), "looks like secrets"),
        ("a.ipynb", b"{", "not a notebook"),
        ("a.ipynb", b"[1]", "not a notebook"),
        ("a.ipynb", b'{"cells": 3}', "not a notebook"),
        ("a.ipynb", b'{"cells": []}', "empty"),
    ],
)
def test_what_cannot_be_searched_is_skipped_with_the_reason(tmp_path: Path, name: str, data: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(data)
    assert reason(tmp_path / name) == why


def test_a_key_that_is_only_spoken_of_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Paste what is between\n-----BEGIN PRIVATE KEY-----\nand the end of the file.\n")
    assert loaded(tmp_path / "a.md").kind == "markdown"


@pytest.mark.parametrize("name", [".env.example", "id_rsa.pub", "environment.md", "keys.md"])
def test_names_that_only_resemble_secrets_are_taken(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("text\n")
    assert loaded(tmp_path / name).text == "text\n"


def test_a_link_to_secrets_is_refused_by_the_name_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "id_rsa").write_text("text")
    (tmp_path / "innocent.txt").symlink_to(tmp_path / "id_rsa")
    assert reason(tmp_path / "innocent.txt") == "looks like secrets"


def test_a_file_over_the_limit_is_skipped_and_one_at_it_is_taken(tmp_path: Path) -> None:
    (tmp_path / "large.txt").write_bytes(b"x" * (loader.MOST_BYTES + 1))
    (tmp_path / "full.txt").write_bytes(b"x" * loader.MOST_BYTES)
    assert reason(tmp_path / "large.txt") == "larger than 5 MB"
    assert len(loaded(tmp_path / "full.txt").text) == loader.MOST_BYTES


def test_a_file_that_vanished_is_unseen(tmp_path: Path) -> None:
    gone = loader.read(tmp_path / "gone.txt")
    assert gone == Skipped(tmp_path / "gone.txt", "cannot be read (No such file or directory)", unseen=True)


def test_a_byte_order_mark_and_windows_line_ends_are_dropped(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert loaded(tmp_path / "a.txt").text == "one\ntwo\nthree\n"


def notebook(*cells: dict[str, Any], **more: Any) -> str:
    return json.dumps({"cells": cells, "nbformat": 4, "nbformat_minor": 5, "metadata": {}, **more})


def test_a_notebook_keeps_its_text_and_code_and_drops_its_outputs(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text(
        notebook(
            {"cell_type": "markdown", "source": ["# Title\n", "\n", "Words."]},
            {"cell_type": "code", "source": "x = 1\nx", "outputs": [{"output_type": "stream", "text": "SECRET OUT"}]},
            {"cell_type": "code", "source": "", "outputs": []},
            metadata={"language_info": {"name": "Python"}},
        )
    )
    document = loaded(tmp_path / "n.ipynb")
    assert document.text == "# Title\n\nWords.\n\n```python\nx = 1\nx\n```"
    assert [chunk.place for chunk in cut(document, "c")] == ["cells 1–2"]
    assert (document.kind, document.language, document.title) == ("notebook", "python", "Title")


def test_code_with_a_fence_in_it_gets_a_longer_fence(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text(notebook({"cell_type": "code", "source": 'print("```")'}))
    assert loaded(tmp_path / "n.ipynb").text == '````python\nprint("```")\n````'


def test_a_notebook_of_format_3_is_read_too(tmp_path: Path) -> None:
    cells = [
        {"cell_type": "heading", "level": 2, "source": "Old"},
        {"cell_type": "code", "language": "python", "input": ["y = 2"], "outputs": []},
    ]
    (tmp_path / "n.ipynb").write_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": cells}], "metadata": {}}))
    assert loaded(tmp_path / "n.ipynb").text == "## Old\n\n```python\ny = 2\n```"


def test_a_nul_or_half_a_character_in_a_notebook_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "n.ipynb").write_text(notebook({"cell_type": "markdown", "source": "a\0b\ud83dc"}))
    assert loaded(tmp_path / "n.ipynb").text == "a\ufffdb\ufffdc"


def test_a_text_without_a_title_is_named_by_its_content() -> None:
    one, same, other = (loader.from_text(text) for text in ("First line.\nMore.", "First line.\nMore.", "Other."))
    assert one == same
    assert one.source != other.source
    assert (one.title, one.kind) == ("First line.", "text")


def test_a_text_with_headings_is_markdown() -> None:
    document = loader.from_text("# Herons\n\nThey fish.", "birds")
    assert (document.source, document.title, document.kind) == ("birds", "birds", "markdown")

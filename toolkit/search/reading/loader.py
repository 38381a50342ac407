"""Files as documents."""

import hashlib
import os
import re
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath

from toolkit.db.files import is_of_database
from toolkit.search.documents import Document, Kind, Loaded
from toolkit.search.reading.content import Content, Unreadable
from toolkit.search.reading.data import read_json, read_json_lines
from toolkit.search.reading.decoding import Decoded, clean, decode
from toolkit.search.reading.docx import read_docx
from toolkit.search.reading.folder import Skipped, keeps_secrets
from toolkit.search.reading.languages import kind_of, language_of
from toolkit.search.reading.markdown import title_of
from toolkit.search.reading.notebook import read_notebook
from toolkit.search.reading.pages import read_page
from toolkit.search.reading.pdf import read_pdf
from toolkit.search.reading.pptx import read_pptx
from toolkit.search.reading.table import read_table
from toolkit.search.reading.xlsx import read_xlsx

__all__ = ["clean", "from_text", "is_risky", "load", "parse", "read"]

MOST_BYTES = 5_000_000
"""5 MB of text. That of a long book is 1 MB; larger files are data or generated, and would stand in every answer."""

MOST_PACKED = 100_000_000
"""100 MB of a PDF or an Office file, most of which are pictures."""

_PACKED: dict[str, Callable[[bytes], Content]] = {
    "pdf": read_pdf,
    "docx": read_docx,
    "pptx": read_pptx,
    "xlsx": read_xlsx,
}
_PRIVATE_KEY_BEGINS = re.compile(rb"\s*-----BEGIN [A-Z ]*PRIVATE KEY")
# One that is there, not one that is spoken of: a line of it follows, after the headers of an encrypted one.
_PRIVATE_KEY = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,30}PRIVATE KEY(?: BLOCK)?-----(?:\s|\\[nrt\\]|[\"'+>#*|]|(?:Proc-Type|DEK-Info|Comment|"
    r"Version): [^\n\\]{0,200}){1,400}[A-Za-z0-9+/]{40}"
)
_MOST_TITLE = 80


def read(path: Path) -> bytes | Skipped:
    """The bytes of a file that may hold text; else the reason why not."""
    most = MOST_PACKED if is_risky(path) else MOST_BYTES
    try:
        if keeps_secrets(path.name) or keeps_secrets(path.resolve().name):
            return Skipped(path, "looks like secrets")
        if is_of_database(path):
            return Skipped(path, "a database")
        # Whatever it was when the folder was walked: a pipe that nobody writes to would be waited for without end.
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | _WITHOUT_WAITING)) as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode):
                return Skipped(path, "not a regular file")
            if about.st_size > most:
                return Skipped(path, f"larger than {most // 1_000_000} MB")
            data = file.read(most + 1)
    except OSError as error:
        return Skipped(path, f"cannot be read ({error.strerror})", unseen=True)
    if len(data) > most:
        return Skipped(path, f"larger than {most // 1_000_000} MB")
    if not data.strip():
        return Skipped(path, "empty")
    if _PRIVATE_KEY_BEGINS.match(data):
        return Skipped(path, "looks like secrets")
    return data


def parse(data: bytes, path: PurePath, source: str, charset: str | None = None) -> Loaded | Skipped:
    r"""The bytes of the file `path` as a document called `source`; else the reason why they are none.

    Line ends become `\n`. Web pages, notebooks and Word files become Markdown, tables become records; the document
    knows where its lines stand in the bytes.

    Args:
        data: all of the file.
        path: its name says how it is read.
        source: how it is called in the collection.
        charset: what its sender says that it is encoded in.
    """
    try:
        document = _packed(data, path, source) if is_risky(path) else _text(data, path, source, charset)
    except Unreadable as reason:
        return Skipped(Path(path), str(reason))
    if not document.text.strip():
        return Skipped(Path(path), "empty")
    if "PRIVATE KEY" in document.text and _PRIVATE_KEY.search(document.text):
        return Skipped(Path(path), "looks like secrets")
    return replace(document, title=document.title or path.name)


def load(path: Path, source: str) -> Loaded | Skipped:
    """The file `path` as a document called `source`; else the reason why it is none."""
    data = read(path)
    return data if isinstance(data, Skipped) else parse(data, path, source)


def is_risky(path: PurePath) -> bool:
    """Whether a file of that name is unpacked to be read: by code, in time and in memory that it has a say in."""
    return path.suffix.lower() in (".xlsx", ".xlsm") or kind_of(path) in _PACKED


def from_text(text: str, title: str = "") -> Document:
    """A text that came without a file. Without a title it is named by its content, so the same text is kept once."""
    text = clean(text)
    heading = title_of(text.split("\n"))
    first_line = next((line.strip() for line in text.split("\n") if line.strip()), "")
    return Document(
        source=title or f"text-{hashlib.sha256(text.encode()).hexdigest()[:12]}",
        text=text,
        title=title or heading or first_line[:_MOST_TITLE],
        kind="markdown" if heading else "text",
    )


_WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def _packed(data: bytes, path: PurePath, source: str) -> Loaded:
    kind = kind_of(path)
    content = _PACKED["xlsx" if kind == "table" else kind](data)
    return _loaded(source, kind, replace(content, text=clean(content.text), title=clean(content.title)), None)


def _text(data: bytes, path: PurePath, source: str, charset: str | None) -> Loaded:
    decoded = decode(data, charset)
    kind = kind_of(path)
    if kind == "html":
        return _loaded(source, kind, read_page(decoded), decoded)
    if kind == "notebook":
        return _loaded(source, kind, read_notebook(decoded.text), None)
    if kind == "table" and (content := _table(decoded, path.suffix.lower())):
        return _loaded(source, kind, content, decoded)
    if kind == "table":  # by its name, and not by what it holds
        kind = "code" if language_of(path) else "text"
    title = title_of(decoded.text.split("\n")) if kind == "markdown" else ""
    return Loaded(
        *(source, decoded.text, title, kind, language_of(path)),
        encoding=decoded.encoding,
        source_map=decoded.source_map,
    )


def _table(decoded: Decoded, suffix: str) -> Content | None:
    if suffix in (".json", ".geojson"):
        return read_json(decoded)
    if suffix in (".jsonl", ".ndjson"):
        return read_json_lines(decoded)
    return read_table(decoded, "\t" if suffix in (".tsv", ".tab") else "")


def _loaded(source: str, kind: Kind, content: Content, decoded: Decoded | None) -> Loaded:
    return Loaded(
        *(source, content.text, content.title, kind, content.language, content.metadata),
        encoding=decoded.encoding if decoded else None,
        source_map=content.source_map,
    )

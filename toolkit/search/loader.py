"""Files as documents."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from toolkit.search.blocks import first_heading
from toolkit.search.documents import Document, Kind
from toolkit.search.folder import Skipped, keeps_secrets

MOST_BYTES = 5_000_000
"""5 MB. The text of a long book is 1 MB; larger files are data or generated, and would stand in every answer."""

MARKDOWN = frozenset({".md", ".markdown", ".mdx", ".qmd", ".rmd"})

LANGUAGES = {
    suffix: language
    for language, suffixes in {
        "bash": ".sh .bash .zsh .fish",
        "c": ".c .h",
        "clojure": ".clj .cljs",
        "cpp": ".cc .cpp .cxx .hh .hpp",
        "csharp": ".cs",
        "css": ".css .scss .less",
        "dart": ".dart",
        "elixir": ".ex .exs",
        "erlang": ".erl",
        "go": ".go",
        "graphql": ".graphql",
        "haskell": ".hs",
        "html": ".html .htm",
        "java": ".java",
        "javascript": ".js .cjs .mjs .jsx",
        "json": ".json .jsonc",
        "julia": ".jl",
        "kotlin": ".kt .kts",
        "lua": ".lua",
        "ocaml": ".ml .mli",
        "perl": ".pl .pm",
        "php": ".php",
        "powershell": ".ps1",
        "protobuf": ".proto",
        "python": ".py .pyi .pyw",
        "r": ".r",
        "ruby": ".rb",
        "rust": ".rs",
        "scala": ".scala",
        "sql": ".sql",
        "svelte": ".svelte",
        "swift": ".swift",
        "terraform": ".tf",
        "toml": ".toml",
        "typescript": ".ts .tsx .cts .mts",
        "vue": ".vue",
        "xml": ".xml .xsd",
        "yaml": ".yaml .yml",
        "zig": ".zig",
    }.items()
    for suffix in suffixes.split()
}
"""File suffix to language; a file of any other suffix that holds text is kept as text."""

_PRIVATE_KEY = re.compile(rb"\s*-----BEGIN [A-Z ]*PRIVATE KEY")
_UNKEPT = re.compile("[\x00\ud800-\udfff]")

_MOST_TITLE = 80


def read(path: Path) -> bytes | Skipped:
    """The bytes of a file that may hold text; else the reason why not."""
    try:
        if keeps_secrets(path.name) or keeps_secrets(path.resolve().name):
            return Skipped(path, "looks like secrets")
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        return Skipped(path, f"cannot be read ({error.strerror})", unseen=True)
    if len(data) > MOST_BYTES:
        return Skipped(path, f"larger than {MOST_BYTES // 1_000_000} MB")
    if not data.strip():
        return Skipped(path, "empty")
    if _PRIVATE_KEY.match(data):
        return Skipped(path, "looks like secrets")
    return data


def parse(data: bytes, path: Path, source: str) -> Document | Skipped:
    r"""The bytes of the file `path` as a document called `source`; else the reason why they are none.

    Line ends become `\n`. A notebook becomes Markdown: its text as it is, its code fenced, its outputs left out;
    lines are counted in that text.
    """
    if b"\0" in data:
        return Skipped(path, "binary")
    try:
        text = clean(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Skipped(path, "not UTF-8 text")
    kind, language = _kind(path)
    if kind == "notebook":
        try:
            text, language = _flatten(text)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return Skipped(path, "not a notebook")
    if not text.strip():
        return Skipped(path, "empty")
    title = first_heading(text.split("\n")) if kind in ("markdown", "notebook") else ""
    return Document(source, text, title or path.name, kind, language)


def from_text(text: str, title: str = "") -> Document:
    """A text that came without a file. Without a title it is named by its content, so the same text is kept once."""
    text = clean(text)
    heading = first_heading(text.split("\n"))
    first_line = next((line.strip() for line in text.split("\n") if line.strip()), "")
    return Document(
        source=title or f"text-{hashlib.sha256(text.encode()).hexdigest()[:12]}",
        text=text,
        title=title or heading or first_line[:_MOST_TITLE],
        kind="markdown" if heading else "text",
    )


def clean(text: str) -> str:
    r"""`text` as both databases can keep it: line ends as `\n`, and U+FFFD for NUL and for half a character."""
    return _UNKEPT.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _kind(path: Path) -> tuple[Kind, str | None]:
    suffix = path.suffix.lower()
    if suffix in MARKDOWN:
        return "markdown", None
    if suffix == ".ipynb":
        return "notebook", None
    if suffix in LANGUAGES:
        return "code", LANGUAGES[suffix]
    return "text", None


def _flatten(text: str) -> tuple[str, str]:
    """A notebook's cells as Markdown, and its language. Format 3 keeps them in worksheets, format 4 does not."""
    notebook = json.loads(text)
    about = notebook.get("metadata", {})
    named = about.get("language_info", {}).get("name") or about.get("kernelspec", {}).get("language") or "python"
    language = str(named).lower()
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    cells = [clean(part) for sheet in sheets for cell in sheet["cells"] for part in _cell(cell, language)]
    return "\n\n".join(cells), language


def _cell(cell: dict[str, Any], language: str) -> Iterator[str]:
    lines = cell.get("source", cell.get("input", ""))
    source = (lines if isinstance(lines, str) else "".join(lines)).strip("\r\n")
    if not source.strip():
        return
    if cell["cell_type"] == "code":
        ticks = max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", source))])
        yield f"{'`' * ticks}{language}\n{source}\n{'`' * ticks}"
    elif cell["cell_type"] == "heading":  # format 3
        yield f"{'#' * int(cell['level'])} {source}"
    else:
        yield source

"""Notebooks as Markdown: their text as it is, their code fenced, their outputs left out."""

import json
import re
from collections.abc import Iterator
from typing import Any

from toolkit.search.documents import SourceMap
from toolkit.search.reading.content import Content, Unreadable
from toolkit.search.reading.decoding import clean
from toolkit.search.reading.markdown import title_of


def read_notebook(text: str) -> Content:
    """A notebook's cells, and its language. Format 3 keeps them in worksheets, format 4 does not.

    Raises:
        Unreadable: it is none.
    """
    try:
        cells, language = _cells(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Unreadable("not a notebook") from None
    places = []
    line = 1
    for number, cell in cells:
        places.append((line, "cell", number, ""))
        line += cell.count("\n") + 2
    flat = "\n\n".join(cell for _, cell in cells)
    return Content(flat, title_of(flat.split("\n")), language, source_map=SourceMap(places=places))


def _cells(notebook: Any) -> tuple[list[tuple[int, str]], str]:
    about = notebook.get("metadata", {})
    named = about.get("language_info", {}).get("name") or about.get("kernelspec", {}).get("language") or "python"
    language = str(named).lower()
    sheets = [notebook] if "cells" in notebook else notebook["worksheets"]
    every = [cell for sheet in sheets for cell in sheet["cells"]]
    return [(n, clean(part)) for n, cell in enumerate(every, 1) for part in _cell(cell, language)], language


def _cell(cell: dict[str, Any], language: str) -> Iterator[str]:
    lines = cell.get("source", cell.get("input", ""))
    source = (lines if isinstance(lines, str) else "".join(lines)).strip("\r\n")
    if not source.strip():
        return
    if cell["cell_type"] == "code":
        ticks = "`" * max([3, *(len(run) + 1 for run in re.findall(r"`{3,}", source))])
        yield f"{ticks}{language}\n{source}\n{ticks}"
    elif cell["cell_type"] == "heading":  # format 3
        yield f"{'#' * int(cell['level'])} {source}"
    else:
        yield source

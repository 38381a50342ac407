"""Cuts a document into chunks along its own structure."""

import hashlib
from base64 import b32encode
from collections.abc import Iterator, Sequence
from itertools import takewhile

from toolkit.search import blocks
from toolkit.search.blocks import Block
from toolkit.search.documents import Chunk, Document

VERSION = "1"
"""Raised whenever the same document would be cut otherwise: what was ingested before is then cut again."""

MOST = 1_200
"""Characters of a chunk, about 200 English words: as much as small embedding models read (256 word pieces)."""

TARGET = 800
"""Characters from which a chunk is large enough: a search then shows one thing, with its surroundings."""

FEW = 200
"""Characters below which a chunk says too little alone; it is joined with what follows, across headings too."""

LONG_LINE = 2 * MOST
"""Characters from which a line is cut: no one wrote it to be read as a line."""

_MOST_HEADING = 200


def document_id(collection: str, source: str) -> str:
    """The id of the document `source`: the same in every database, so the same file keeps its id."""
    digest = hashlib.sha256(f"{collection}\0{source}".encode("utf-8", "replace")).digest()
    return b32encode(digest).decode("ascii").lower()[:12]


def cut(document: Document, collection: str) -> list[Chunk]:
    """The chunks of `document`, in order; together they hold every line that is not blank, once.

    Markdown is cut at its headings, code at its definitions, text at its paragraphs. A chunk is `TARGET` to `MOST`
    characters long where the structure allows it, and of whole lines, save for a line longer than `LONG_LINE`.
    """
    lines = document.text.split("\n")
    own_id = document_id(collection, document.source)
    return [
        Chunk(
            id=f"{own_id}-{position}",
            document_id=own_id,
            collection=collection,
            position=position,
            heading=_heading(group),
            text=text,
            line_start=group[0].start,
            line_end=group[-1].end,
            source=document.source,
            title=document.title or document.source,
        )
        for position, (group, text) in enumerate(_texts(lines, _groups(lines, _blocks(document, lines))), 1)
    ]


def _blocks(document: Document, lines: Sequence[str]) -> list[Block]:
    if document.kind in ("markdown", "notebook"):
        return blocks.markdown(lines)
    if document.kind == "code" and document.language == "python":
        return blocks.python(lines, MOST)
    return blocks.paragraphs(lines)


def _groups(lines: Sequence[str], whole: Sequence[Block]) -> Iterator[list[Block]]:
    """The blocks that share a chunk."""
    group: list[Block] = []
    size = 0
    for block in _fitting(lines, whole):
        length = _length(lines, block)
        if group and not _joins(group[-1], size, block, length):
            yield group
            group, size = [], 0
        group.append(block)
        size += length
    if group:
        yield group


def _joins(last: Block, size: int, block: Block, length: int) -> bool:
    """Whether `block` goes into the chunk of `size` characters that ends with `last`."""
    if size > LONG_LINE or length > LONG_LINE:
        return False
    if size < FEW:
        return size + length <= LONG_LINE
    return last.path == block.path and size < TARGET and size + length <= MOST


def _fitting(lines: Sequence[str], whole: Sequence[Block]) -> Iterator[Block]:
    for block in whole:
        if _length(lines, block) <= MOST:
            yield block
        else:
            yield from blocks.split(lines, block, MOST)


def _length(lines: Sequence[str], block: Block) -> int:
    return sum(len(line) + 1 for line in lines[block.start - 1 : block.end])


def _texts(lines: Sequence[str], groups: Iterator[list[Block]]) -> Iterator[tuple[list[Block], str]]:
    for group in groups:
        text = "\n".join(lines[group[0].start - 1 : group[-1].end])
        if len(text) <= LONG_LINE or group[0].start < group[-1].end:
            yield group, text
            continue
        for start in range(0, len(text), MOST):
            if (piece := text[start : start + MOST]).strip():
                yield group, piece


def _heading(group: Sequence[Block]) -> str:
    """What the blocks stand under: the headings that they share, then those that they do not, side by side."""
    paths = list(dict.fromkeys(block.path for block in group))
    shared = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, zip(*paths, strict=False))]
    rest = [" › ".join(path[len(shared) :]) for path in paths if len(path) > len(shared)]
    heading = " › ".join([*shared, *([" · ".join(rest)] if rest else [])])
    return heading if len(heading) <= _MOST_HEADING else heading[: _MOST_HEADING - 1] + "…"

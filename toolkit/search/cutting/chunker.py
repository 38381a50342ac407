"""Cuts a document into chunks along its own structure."""

import hashlib
from base64 import b32encode
from collections.abc import Iterator, Sequence
from itertools import accumulate, takewhile

from toolkit.search.cutting import blocks, syntax
from toolkit.search.cutting.blocks import Block
from toolkit.search.cutting.origin import Origin
from toolkit.search.documents import Chunk, Document, Loaded

VERSION = "2"
"""Raised whenever the same document would be read or cut otherwise: what was ingested before is then cut again."""

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

    Markdown is cut at its headings, code at its definitions, a table between its rows, a PDF and slides at their
    pages, text at its paragraphs. A chunk is `TARGET` to `MOST` characters long where the structure allows it, and of
    whole lines, save for a line longer than `LONG_LINE`.
    """
    lines = document.text.split("\n")
    begins = [0, *accumulate(len(line) + 1 for line in lines)]
    own_id = document_id(collection, document.source)
    origin = Origin(document, begins)
    title = document.title or document.source
    chunks: list[Chunk] = []
    for group in _groups(lines, begins, _blocks(document, lines)):
        first, last = group[0].start, group[-1].end
        heading = _heading(group)
        line_start, line_end = origin.lines(first, last)
        place = origin.place(first, last)
        for start, end in _pieces(document.text, begins[first - 1], begins[last] - 1, whole=first < last):
            position = len(chunks) + 1
            byte_start, byte_end = origin.bytes(first, last, start, end)
            chunks.append(
                Chunk(
                    f"{own_id}-{position}",
                    own_id,
                    collection,
                    position,
                    heading,
                    document.text[start:end],
                    line_start,
                    line_end,
                    document.source,
                    title,
                    byte_start,
                    byte_end,
                    place,
                )
            )
    return chunks


def _blocks(document: Document, lines: Sequence[str]) -> list[Block]:
    if document.kind in ("markdown", "notebook", "html", "docx"):
        return blocks.markdown(lines)
    if document.kind == "code" and document.language == "python":
        return blocks.python(lines, MOST)
    if document.kind == "code" and document.language:
        return syntax.code(lines, document.language, MOST)
    if isinstance(document, Loaded) and document.source_map:
        known = document.source_map
        pages = [line for line, unit, _, _ in known.places if unit in ("page", "slide")]
        return blocks.sections(lines, known.outline, pages)
    return blocks.paragraphs(lines)


def _groups(lines: Sequence[str], begins: Sequence[int], whole: Sequence[Block]) -> Iterator[list[Block]]:
    """The blocks that share a chunk; of what is left at the end, a little is joined with what came before it."""
    before: list[Block] = []
    group: list[Block] = []
    size = 0
    for block in _fitting(lines, begins, whole):
        length = begins[block.end] - begins[block.start - 1]
        if group and not _joins(group[-1], size, block, length):
            if before:
                yield before
            before, group, size = group, [], 0
        group.append(block)
        size += length
    if group and before and size < FEW and _same(before[-1], group[0]):
        begin = before[0].start - 1
        if begins[group[-1].end] - begins[begin] <= LONG_LINE:
            before, group = [*before, *group], []
    yield from (each for each in (before, group) if each)


def _joins(last: Block, size: int, block: Block, length: int) -> bool:
    """Whether `block` goes into the chunk of `size` characters that ends with `last`."""
    if size > LONG_LINE or length > LONG_LINE:
        return False
    if size < FEW:
        return size + length <= LONG_LINE
    return _same(last, block) and size < TARGET and size + length <= MOST


def _same(one: Block, other: Block) -> bool:
    """Whether two blocks stand under the same headings, on the same page."""
    return one.path == other.path and one.part == other.part


def _fitting(lines: Sequence[str], begins: Sequence[int], whole: Sequence[Block]) -> Iterator[Block]:
    for block in whole:
        if begins[block.end] - begins[block.start - 1] <= MOST:
            yield block
        else:
            yield from blocks.split(lines, block, TARGET, MOST)


def _pieces(text: str, start: int, end: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """The characters `start` to `end` of the text, in pieces if they are one line that is too long."""
    if whole or end - start <= LONG_LINE:
        yield start, end
        return
    for piece in range(start, end, MOST):
        last = min(piece + MOST, end)
        if text[piece:last].strip():
            yield piece, last


def _heading(group: Sequence[Block]) -> str:
    """What the blocks stand under: the headings that they share, then those that they do not, side by side."""
    paths = list(dict.fromkeys([block.path for block in group]))
    if len(paths) == 1:
        return _short(" › ".join(paths[0]))
    shared = [names[0] for names in takewhile(lambda names: len(set(names)) == 1, zip(*paths, strict=False))]
    rest = [" › ".join(path[len(shared) :]) for path in paths if len(path) > len(shared)]
    return _short(" › ".join([*shared, *([" · ".join(rest)] if rest else [])]))


def _short(heading: str) -> str:
    return heading if len(heading) <= _MOST_HEADING else heading[: _MOST_HEADING - 1] + "…"

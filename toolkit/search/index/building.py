"""Chunks into segments: what is read of each for its words, and the hash of what an embedder reads of it."""

from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np

from toolkit.search.documents import Chunk
from toolkit.search.embedding import passage, text_hash
from toolkit.search.index.identity import docs_of
from toolkit.search.words.analyser import Analyser
from toolkit.search.words.segment import MOST_CHUNKS, Segment, Texts, body


@cache
def analyser(language: str) -> Analyser:
    """The one analyser of a language.

    Raises:
        ConfigError: there is none; the message names the languages.
    """
    return Analyser(language)


def code(language: str) -> str:
    """How the words of that language are indexed by this version: what was indexed otherwise is indexed anew."""
    return f"{language}/{Analyser.VERSION}"


def title_of(title: str, source: str) -> str:
    """The name under which a document is read; what is only its address says nothing of what it is about."""
    return "" if title == source else title


def segments(language: str, chunks: Sequence[Chunk]) -> list[Segment]:
    """Index chunks, of which those of a document stand together. It takes some 20 µs each: use a thread."""
    return [Segment.build(analyser(language), _texts(part)) for part in _parts(chunks)]


def _parts(chunks: Sequence[Chunk]) -> Iterator[Sequence[Chunk]]:
    for start in range(0, len(chunks), MOST_CHUNKS):
        yield chunks[start : start + MOST_CHUNKS]


def _texts(chunks: Sequence[Chunk]) -> Texts:
    named = [title_of(chunk.title, chunk.source) for chunk in chunks]
    return Texts(
        docs=docs_of([chunk.document_id for chunk in chunks]),
        positions=np.array([chunk.position for chunk in chunks], np.int32),
        hashes=np.array(
            [text_hash(passage(title, c.heading, c.text)) for title, c in zip(named, chunks, strict=True)], np.uint64
        ),
        bodies=[body(title, c.heading, c.text) for title, c in zip(named, chunks, strict=True)],
    )

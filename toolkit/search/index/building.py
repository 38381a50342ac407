"""Chunks into segments: what is read of each for its words, and the hash of what an embedder reads of it."""

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

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


class Passage(NamedTuple):
    """What is read of a chunk for its words, and what it is: its document's id, and its position there."""

    document_id: str
    position: int
    title: str
    heading: str
    text: str


def segments(language: str, chunks: Iterable[Chunk]) -> list[Segment]:
    """Index chunks; see `of_passages`."""
    return of_passages(
        language,
        [Passage(c.document_id, c.position, title_of(c.title, c.source), c.heading, c.text) for c in chunks],
    )


def of_passages(language: str, passages: Sequence[Passage]) -> list[Segment]:
    """Index passages, of which those of a document stand together. It takes some 40 µs each: use a thread."""
    starts = range(0, len(passages), MOST_CHUNKS)
    return [Segment.build(analyser(language), _texts(passages[start : start + MOST_CHUNKS])) for start in starts]


def _texts(passages: Sequence[Passage]) -> Texts:
    said = [(each.title, each.heading, each.text) for each in passages]
    return Texts(
        docs=docs_of([each.document_id for each in passages]),
        positions=np.array([each.position for each in passages], np.int32),
        hashes=np.array([text_hash(passage(*each)) for each in said], np.uint64),
        bodies=[body(*each) for each in said],
    )

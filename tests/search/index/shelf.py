"""Documents for the tests of the index, and what a search of them must give, worked out from the texts alone."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from toolkit.search.cutting.chunker import document_id
from toolkit.search.documents import Chunk, Document
from toolkit.search.index import CollectionState
from toolkit.search.index.building import analyser, segments
from toolkit.search.keeping import Prepared
from toolkit.search.vectors import Quantised, quantise
from toolkit.search.words.bm25 import Part, score

DIMENSION = 8


def prepared(source: str, *texts: str, collection: str = "default", **about: object) -> Prepared:
    """A document with a chunk of each text."""
    own = document_id(collection, source)
    chunks = [
        Chunk(f"{own}-{n}", own, collection, n, "", text, n, n, source, source) for n, text in enumerate(texts, 1)
    ]
    digest = hashlib.sha256(repr(texts).encode()).hexdigest()
    document = Document(source, "\n".join(texts), metadata=about)
    return Prepared(document, chunks, own, collection, digest, sum(map(len, texts)))


def chunks_of(documents: Mapping[str, Prepared]) -> list[Chunk]:
    """All chunks of documents."""
    return [chunk for each in documents.values() for chunk in each.chunks]


def expected(documents: Mapping[str, Prepared], query: str, language: str = "en") -> dict[str, float]:
    """The score of each chunk that fits, by id."""
    chunks = chunks_of(documents)
    if not chunks:
        return {}
    (segment,) = segments(language, chunks)
    terms = analyser(language).query(query)
    (scores,) = score(terms, [Part(segment, segment.found(terms))])
    return {chunk.id: round(float(found), 4) for chunk, found in zip(chunks, scores, strict=True) if found > 0}


async def found(state: CollectionState, query: str) -> dict[str, float]:
    """What a state answers, in the same form."""
    scores = await state.lexical(state.analyser.query(query))
    assert len(scores) == len(state)
    return said(state, scores)


def said(state: CollectionState, scores: NDArray[np.float32]) -> dict[str, float]:
    """The chunks that have a score, by id."""
    there = np.flatnonzero(np.nan_to_num(scores) > 0)
    return {own: round(float(scores[n]), 4) for own, n in zip(state.chunk_ids(there), there, strict=True)}


def vector_of(number: int) -> NDArray[np.float32]:
    """A unit vector that follows from a hash."""
    vector = np.random.default_rng(number % 2**63).normal(size=DIMENSION).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), np.float32)


def vectors_of(hashes: Sequence[int] | NDArray[np.uint64]) -> Quantised:
    """The vectors of hashes."""
    return quantise(np.array([vector_of(int(each)) for each in hashes], np.float32).reshape(-1, DIMENSION))

"""An embedder by hand for tests: words of one concept mean the same, and what means nothing known is far from all."""

import re
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from toolkit.errors import ProviderUnavailable
from toolkit.search.embedding import Embedders, passage
from toolkit.search.index import CollectionState, Index
from toolkit.search.vectors import quantise

CONCEPTS: Final = (
    {"heron", "herons", "wader", "waders", "reiher"},
    {"stork", "storks", "klapperstorch", "baby"},
    {"fish", "fishes", "fishing", "angling"},
    {"nest", "nests", "dwelling", "home"},
    {"chimney", "chimneys", "flue", "flues"},
    {"dawn", "morning", "sunrise"},
    {"car", "cars", "automobile", "engine"},
)


class Concepts:
    """Vectors of known words; counts what it was asked, and fails or waits where a test wants it.

    Attributes:
        asked: every text that it was given.
        before: called before each answer; a test may raise or wait there.
    """

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.before: Callable[[Sequence[str]], object] = lambda _texts: None

    def __call__(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """One row per text, not yet of unit length."""
        self.before(texts)
        self.asked += texts
        rows = [[self._count(text, words) for words in CONCEPTS] + [0.2] for text in texts]
        return np.array(rows, np.float32)

    @staticmethod
    def _count(text: str, words: set[str]) -> float:
        return float(sum(word in words for word in re.findall(r"\w+", text.lower())))


async def no_vendor(*_texts: object, **_options: object) -> list[list[float]]:
    """What asks vendors, where there are none."""
    raise ProviderUnavailable("There is no network in this test.", provider="none")


def embedders(concepts: Concepts) -> Embedders:
    """Embedders of which the default is `concepts`."""
    made = Embedders(no_vendor, default="concepts")
    made.register("concepts", concepts)
    return made


async def embed_all(index: Index, key: str, concepts: Concepts, share: float = 1.0) -> CollectionState:
    """Keep the vectors of a share of a collection's chunks, as the background worker does it."""
    (state,) = await index.sync([key])
    work = state.unembedded(max(1, round(len(state) * share)))
    if work.chunk_ids:
        rows = await index.texts(work.chunk_ids)
        vectors = concepts([passage(row.title, row.heading, row.text) for row in rows])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        await index.keep_vectors(key, "concepts", work.hashes, quantise(vectors))
    (state,) = await index.sync([key])
    return await state.ready()

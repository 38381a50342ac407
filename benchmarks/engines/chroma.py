"""Chroma, persistent, with the settings that it comes with; it ranks by vectors alone."""

from collections.abc import Sequence
from typing import Any

import chromadb
import numpy as np

from benchmarks.corpus import Query, Section, Vectors
from benchmarks.engines.engine import Engine, Kind, Place

BATCH = 5_000  # it takes 5,461 at once


class Chroma:
    """See `Engine`."""

    async def open(self, place: Place) -> None:
        """See `Engine`."""
        settings = chromadb.Settings(anonymized_telemetry=False)
        self._client = chromadb.PersistentClient(str(place.folder), settings)
        self._kept: Any = self._client.get_or_create_collection(
            "bench", embedding_function=None, configuration={"hnsw": {"space": "cosine"}}
        )

    async def add(self, sections: Sequence[Section], vectors: Vectors, *, together: int) -> None:
        """See `Engine`."""
        del together
        for start in range(0, len(sections), BATCH):
            some = sections[start : start + BATCH]
            self._kept.add(
                ids=[str(section.number) for section in some],
                embeddings=vectors[start : start + BATCH],
                documents=[section.text for section in some],
            )

    async def settle(self) -> None:
        """See `Engine`."""

    async def ready(self) -> None:
        """See `Engine`."""

    async def ask(self, query: Query, kind: Kind, k: int) -> list[int]:
        """See `Engine`."""
        del kind
        found = self._kept.query(query_embeddings=query.vector[None], n_results=k, include=["documents", "distances"])
        return [int(each) for each in found["ids"][0]]

    async def change(self, section: Section, vector: Vectors) -> None:
        """See `Engine`."""
        self._kept.update(ids=[str(section.number)], embeddings=np.array([vector]), documents=[section.text])

    async def delete(self, number: int) -> None:
        """See `Engine`."""
        self._kept.delete(ids=[str(number)])

    async def close(self) -> None:
        """See `Engine`."""


def make() -> Engine:
    """The engine."""
    return Chroma()

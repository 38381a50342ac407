"""LanceDB: its hybrid search, its own full-text index, and IVF_PQ with the settings that its documentation names."""

from collections.abc import Sequence
from typing import Any

import lancedb
import pyarrow as pa
from lancedb.rerankers import RRFReranker

from benchmarks.corpus import DIMENSION, Query, Section, Vectors
from benchmarks.engines.engine import Engine, Kind, Place

FEWEST = 10_000  # rows from which an index is faster than looking at all of them
PROBES, REFINE = 20, 20


class Lance:
    """See `Engine`."""

    async def open(self, place: Place) -> None:
        """See `Engine`."""
        self._db = lancedb.connect(str(place.folder))
        self._rows = place.sections
        fields = [pa.field("id", pa.int64()), pa.field("text", pa.string())]
        schema = pa.schema([*fields, pa.field("vector", pa.list_(pa.float32(), DIMENSION))])
        self._table: Any = self._db.create_table("bench", schema=schema, exist_ok=True)
        self._reranker = RRFReranker()

    async def add(self, sections: Sequence[Section], vectors: Vectors, *, together: int) -> None:
        """See `Engine`."""
        del together
        self._table.add(_rows(sections, vectors))
        if not any("text" in index.columns for index in self._table.list_indices()):
            self._table.create_fts_index("text")
        self._table.optimize()

    async def settle(self) -> None:
        """See `Engine`."""
        if self._rows >= FEWEST:
            self._table.create_index(metric="cosine")
        self._table.optimize()

    async def ready(self) -> None:
        """See `Engine`."""

    async def ask(self, query: Query, kind: Kind, k: int) -> list[int]:
        """See `Engine`."""
        if kind == "hybrid":
            asked = self._table.search(query_type="hybrid").vector(query.vector).text(query.text)
            asked = asked.rerank(self._reranker)
        else:
            asked = self._table.search(query.vector)
        found = asked.metric("cosine").nprobes(PROBES).refine_factor(REFINE).limit(k).to_list()
        return [row["id"] for row in found]

    async def change(self, section: Section, vector: Vectors) -> None:
        """See `Engine`."""
        merging = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
        merging.execute(_rows([section], vector[None]))

    async def delete(self, number: int) -> None:
        """See `Engine`."""
        self._table.delete(f"id = {number}")

    async def close(self) -> None:
        """See `Engine`."""


def _rows(sections: Sequence[Section], vectors: Vectors) -> pa.Table:
    arrays = [
        pa.array([section.number for section in sections], pa.int64()),
        pa.array([section.text for section in sections]),
        pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION),
    ]
    return pa.Table.from_arrays(arrays, names=["id", "text", "vector"])


def make() -> Engine:
    """The engine."""
    return Lance()

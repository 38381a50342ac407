"""The toolkit, through its own doors: documents come in by `ingest`, and its worker has them embedded."""

import asyncio
from collections.abc import Sequence

from benchmarks import corpus
from benchmarks.corpus import Query, Section, Vectors
from benchmarks.engines.engine import Engine, Kind, Place
from toolkit import Toolkit
from toolkit.search.cutting.chunker import document_id
from toolkit.search.documents import Document
from toolkit.settings import Settings

COLLECTION, EMBEDDER = "bench", "made-up"


class Ours:
    """See `Engine`."""

    async def open(self, place: Place) -> None:
        """See `Engine`."""
        url = place.server or f"sqlite:///{place.folder / 'toolkit.db'}"
        self._tk = Toolkit.open(settings=Settings(url, embedding_model=EMBEDDER))
        self._tk.documents.embedder(EMBEDDER, corpus.vectors)
        await self._tk.__aenter__()

    async def add(self, sections: Sequence[Section], vectors: Vectors, *, together: int) -> None:
        """See `Engine`. Vectors are made afterwards, so that each can be timed alone."""
        del vectors  # the embedder makes them
        self._tk.embedding.pause()
        starts = range(0, len(sections), together)
        await self._ingest([_document(sections[start : start + together]) for start in starts])

    async def settle(self) -> None:
        """See `Engine`."""
        self._tk.embedding.resume()
        while (await self._tk.documents.status(COLLECTION)).pending:  # noqa: ASYNC110 - the worker may be another process
            await asyncio.sleep(0.05)

    async def ready(self) -> None:
        """See `Engine`."""
        await self._tk.documents.status(COLLECTION)  # it reads the vectors first

    async def ask(self, query: Query, kind: Kind, k: int) -> list[int]:
        """See `Engine`."""
        hits = await self._tk.search(query.text, collection=COLLECTION, top_k=k, mode=kind)
        return [number for hit in hits if (number := corpus.number_of(hit.text)) is not None]

    async def change(self, section: Section, vector: Vectors) -> None:
        """See `Engine`."""
        del vector
        await self._ingest([_document([section])])

    async def delete(self, number: int) -> None:
        """See `Engine`."""
        await self._tk.documents.remove_document(document_id(COLLECTION, _source(number)))

    async def close(self) -> None:
        """See `Engine`."""
        await self._tk.__aexit__(None, None, None)

    async def _ingest(self, documents: list[Document]) -> None:
        await self._tk.ingest(documents, collection=COLLECTION)


def _source(number: int) -> str:
    return f"made-up/{number}.md"


def _document(sections: Sequence[Section]) -> Document:
    return Document(
        _source(sections[0].number), "\n\n".join(section.text for section in sections), "Made up", "markdown"
    )


def make() -> Engine:
    """The engine."""
    return Ours()

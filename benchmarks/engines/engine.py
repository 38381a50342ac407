"""What every engine does for the benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from benchmarks.corpus import Query, Section, Vectors

Kind: TypeAlias = Literal["hybrid", "semantic"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an engine keeps what it is given.

    Attributes:
        folder: for its files; empty at first, and as it was left when it is opened again.
        server: the address of a Postgres of its own, empty for an engine that needs none.
        sections: how many there will be.
    """

    folder: Path
    server: str
    sections: int


class Engine(Protocol):
    """A search engine; whatever it gives back is done and durable."""

    async def open(self, place: Place) -> None:
        """Make it, or open what is there."""
        ...

    async def add(self, sections: Sequence[Section], vectors: Vectors, *, together: int) -> None:
        """Take sections in, so that they can be found by their words if it finds by words.

        Args:
            sections: what is taken in; one chunk each.
            vectors: of each; an engine with an embedder of its own makes them itself.
            together: how many sections are one document, where an engine knows documents.
        """
        ...

    async def settle(self) -> None:
        """Finish what was left for later: vectors, indexes."""
        ...

    async def ready(self) -> None:
        """After it was opened again: wait until all that it has counts, where it answers sooner with a part of it."""
        ...

    async def ask(self, query: Query, kind: Kind, k: int) -> list[int]:
        """The numbers of the best `k` sections: by words and vector where it can do both, or by the vector alone."""
        ...

    async def change(self, section: Section, vector: Vectors) -> None:
        """Put a section, a document of its own, in place of the one that has its number."""
        ...

    async def delete(self, number: int) -> None:
        """Remove a section that is a document of its own."""
        ...

    async def close(self) -> None:
        """Let go of everything."""
        ...

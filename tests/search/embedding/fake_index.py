"""A collection in memory, as the background embedder sees the index."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from toolkit.errors import DatabaseUnavailable
from toolkit.search.embedding import passage, text_hash
from toolkit.search.vectors import Quantised

Hashes = npt.NDArray[np.uint64]


class Text(NamedTuple):
    id: str
    title: str
    heading: str
    text: str


class Unembedded(NamedTuple):
    hashes: Hashes
    chunk_ids: list[str]


@dataclass
class Collection:
    """Chunks by their ids, and vectors by embedder and hash."""

    texts: dict[str, str]
    embedder: str | None = "mine"
    next_embedder: str | None = None
    kept: dict[tuple[str, int], Quantised] = field(default_factory=dict)

    def hash(self, chunk: str) -> int:
        return text_hash(passage("", "", self.texts[chunk]))

    def lacking(self) -> dict[int, str]:
        wanted = self.next_embedder or self.embedder or ""
        return {h: c for c in self.texts if (wanted, h := self.hash(c)) not in self.kept}

    @property
    def pending(self) -> int:
        return len(self.lacking())

    async def ready(self) -> "Collection":
        return self

    def unembedded(self, n: int, skip: Hashes | None = None) -> Unembedded:
        passed = set() if skip is None else set(skip.tolist())
        some = [(h, c) for h, c in self.lacking().items() if h not in passed][:n]
        return Unembedded(np.array([h for h, _ in some], np.uint64), [c for _, c in some])


class FakeIndex:
    """Shared by the workers of several "processes".

    `away` makes every call fail as a lost database does; `refuses` keeps no vectors, as of another dimension.
    """

    def __init__(self, **collections: Collection) -> None:
        self.collections = collections
        self.claims: set[tuple[str, int]] = set()
        self.away = False
        self.refuses = False
        self.writes: list[int] = []

    async def sync(self, keys: Sequence[str], /) -> list[Collection]:
        self._check()
        return [self.collections[key] for key in keys if key in self.collections]

    async def claim(self, key: str, embedder: str, hashes: Hashes, *, seconds: float) -> Hashes:
        self._check()
        assert seconds > 0
        assert embedder
        free = [number for number in hashes.tolist() if (key, number) not in self.claims]
        self.claims |= {(key, number) for number in free}
        return np.array(free, np.uint64)

    async def release(self, key: str, embedder: str, hashes: Hashes) -> None:
        self._check()
        assert embedder
        self.claims -= {(key, number) for number in hashes.tolist()}

    async def keep_vectors(self, key: str, embedder: str, hashes: Hashes, quantised: Quantised) -> bool:
        self._check()
        assert len(hashes) == len(quantised.rows)
        if self.refuses:
            return False
        self.writes.append(len(hashes))
        self.collections[key].embedder = self.collections[key].embedder or embedder
        for row, number in enumerate(hashes.tolist()):
            assert (key, number) in self.claims, "a vector of a text that was not claimed"
            assert (embedder, number) not in self.collections[key].kept, "a text was embedded twice"
            self.collections[key].kept[embedder, number] = quantised.take(np.array([row]))
            self.claims.discard((key, number))
        return True

    async def texts(self, chunk_ids: Sequence[str], /) -> list[Text]:
        self._check()
        everything = {c: t for collection in self.collections.values() for c, t in collection.texts.items()}
        return [Text(chunk, "", "", everything[chunk]) for chunk in chunk_ids if chunk in everything]

    def _check(self) -> None:
        if self.away:
            raise DatabaseUnavailable("The database is away.")

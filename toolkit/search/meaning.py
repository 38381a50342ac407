"""Meanings while somebody waits: the query's vector, and those of the best chunks that have none yet."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.errors import CassetteError, ToolkitError
from toolkit.search.embedding import Embedder, Embedders, passage, text_hash

if TYPE_CHECKING:
    from toolkit.search.index import CollectionState, Index

Floats: TypeAlias = NDArray[np.float32]

AT_ONCE: Final = 24
"""Chunks that are embedded during a search: two thirds of what 48 gain, in half the time."""

WITHIN: Final = 0.25
"""Seconds that a search waits for them; those that come later are kept, and known to the next search."""

QUERY_WITHIN: Final = 10.0
"""Seconds that a search waits for the query's own vector, where a vendor makes it."""

REST: Final = 30.0
"""Seconds for which an embedder that failed is not asked again: a search by words shall not wait for it each time."""

_TOGETHER = 8  # texts of one call: a call that is late must not cost all of them
_REMEMBERED = 256
_LONGEST = 8_000  # characters of a query that are read; models read about a thousand
_log = logging.getLogger(__name__)


class Meanings:
    """Asks embedders for searches; whatever they do, a search goes on.

    Args:
        index: keeps the vectors that are made.
        embedders: who makes them.
    """

    def __init__(self, index: "Index", embedders: Embedders) -> None:
        self._index = index
        self._embedders = embedders
        self._queries: OrderedDict[tuple[str, str], Floats] = OrderedDict()
        self._resting: dict[tuple[str, bool], tuple[float, str]] = {}
        self._making: dict[tuple[str, int], asyncio.Task[dict[int, Floats]]] = {}
        self._keeping: set[asyncio.Task[None]] = set()

    def name_of(self, state: "CollectionState") -> str:
        """Whose vectors a collection has, or will have."""
        return state.embedder or state.next_embedder or self._embedders.default

    async def queries(self, name: str, texts: Sequence[str]) -> tuple[Floats | None, str]:
        """The unit vector of a query, the mean of several ways to say it; None, and why, where there is none.

        Args:
            name: the embedder's.
            texts: the query first, which counts as much as all others together.
        """
        asked = [text[:_LONGEST] for text in texts]
        known = {text: self._queries[name, text] for text in asked if (name, text) in self._queries}
        for text in known:
            self._queries.move_to_end((name, text))
        if missing := [text for text in dict.fromkeys(asked) if text not in known]:
            made, note = await self._ask(name, missing)
            if made is None:
                return None, note
            for text, vector in zip(missing, made, strict=True):
                known[text] = self._queries[name, text] = vector
            while len(self._queries) > _REMEMBERED:
                self._queries.popitem(last=False)
        vector = known[asked[0]]
        if len(asked) > 1:
            vector = vector + np.mean([known[text] for text in asked[1:]], axis=0)
            vector = vector / (np.linalg.norm(vector) or 1)
        return vector.astype(np.float32, copy=False), ""

    async def passages(self, state: "CollectionState", ordinals: NDArray[np.int64], within: float) -> dict[int, Floats]:
        """Unit vectors of chunks that have none, by ordinal: those that are there in time; all are kept.

        Args:
            state: their collection as the search sees it.
            ordinals: which, the most wanted first.
            within: seconds.
        """
        name, begun = self.name_of(state), time.monotonic()
        wanted: dict[int, list[int]] = {}
        for ordinal, text in zip(ordinals.tolist(), state.hashes[ordinals].tolist(), strict=True):
            wanted.setdefault(text, []).append(ordinal)
        new = [ordinals[0] for text, ordinals in wanted.items() if (name, text) not in self._making]
        if new and not self._rests(name, query=False):
            await self._begin(state, name, np.array(new, np.int64), wanted.keys())
        tasks = {task for text in wanted if (task := self._making.get((name, text)))}
        if tasks:
            await asyncio.wait(tasks, timeout=max(0.0, within - (time.monotonic() - begun)))
        done = [task.result() for task in tasks if task.done() and not task.cancelled()]
        made = {text: vector for vectors in done for text, vector in vectors.items()}
        return {ordinal: made[text] for text, ordinals in wanted.items() if text in made for ordinal in ordinals}

    async def _begin(
        self, state: "CollectionState", name: str, ordinals: NDArray[np.int64], wanted: Collection[int]
    ) -> None:
        """Have the vectors of chunks made, several calls at a time."""
        rows = await self._index.texts(state.chunk_ids(ordinals))
        read = {text_hash(text): text for row in rows if (text := passage(row.title, row.heading, row.text))}
        # It may say something else by now, or another search was faster.
        texts = [(made, text) for made, text in read.items() if made in wanted and (name, made) not in self._making]
        for start in range(0, len(texts), _TOGETHER):
            part = dict(texts[start : start + _TOGETHER])
            task = asyncio.create_task(self._make(state.key, name, part))
            self._making |= {(name, made): task for made in part}

    async def close(self) -> None:
        """Let go of what is being made, and wait for what is being kept."""
        for task in set(self._making.values()):
            task.cancel()
        await asyncio.gather(*self._making.values(), *self._keeping, return_exceptions=True)

    async def _make(self, key: str, name: str, texts: dict[int, str]) -> dict[int, Floats]:
        try:
            vectors, _ = await self._ask(name, list(texts.values()), query=False)
        except BaseException:
            self._forget(name, texts)
            raise
        if vectors is None:
            self._forget(name, texts)
            return {}
        keeping = asyncio.create_task(self._keep(key, name, list(texts), vectors))
        self._keeping.add(keeping)
        keeping.add_done_callback(self._keeping.discard)
        return dict(zip(texts, vectors, strict=True))

    async def _keep(self, key: str, name: str, hashes: Sequence[int], vectors: Floats) -> None:
        from toolkit.search.vectors import quantise  # noqa: PLC0415 - it brings the scan's library, needed only here

        try:
            await self._index.keep_vectors(key, name, np.array(hashes, np.uint64), quantise(vectors))
        except ToolkitError as error:
            _log.warning("Vectors that a search made could not be kept; the next one makes them again: %s", error)
        finally:
            self._forget(name, hashes)

    def _forget(self, name: str, hashes: Iterable[int]) -> None:
        for text in hashes:
            self._making.pop((name, text), None)

    async def _ask(self, name: str, texts: Sequence[str], *, query: bool = True) -> tuple[Floats | None, str]:
        """The vectors, or why there are none; who failed is left alone for a while."""
        if self._rests(name, query=query):
            return None, self._resting[name, query][1]
        try:
            embedder: Embedder = self._embedders.get(name)
            async with asyncio.timeout(QUERY_WITHIN if query else None):
                vectors = await embedder.embed(texts, query=query)
        except CassetteError:  # a replay that lacks an answer must fail
            raise
        except (ToolkitError, TimeoutError) as error:
            why = str(error) or f"nothing came within {QUERY_WITHIN:g} seconds"
            note = f"Only words are compared: {why}"
            if (name, query) not in self._resting:
                _log.warning("%s (embedder %s)", note, name)
            self._resting[name, query] = (time.monotonic() + REST, note)
            return None, note
        self._resting.pop((name, query), None)
        return vectors, ""

    def _rests(self, name: str, *, query: bool) -> bool:
        """Whether it failed a moment ago; who takes queries may yet refuse many passages at once."""
        return (name, query) in self._resting and time.monotonic() < self._resting[name, query][0]

"""The states of all collections in memory, kept up to date by what the tables say."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from weakref import WeakKeyDictionary

import numpy as np

from toolkit.db import Database
from toolkit.errors import DatabaseBusy
from toolkit.search.collection import Collection
from toolkit.search.index import bodies, loading, tables
from toolkit.search.index.behind import Behind
from toolkit.search.index.bodies import Vectors
from toolkit.search.index.building import analyser
from toolkit.search.index.draft import Draft, Entry
from toolkit.search.index.pieces import Piece
from toolkit.search.index.postings import Remembered, read_block
from toolkit.search.index.sides import Side
from toolkit.search.index.state import CollectionState, Floats
from toolkit.search.vectors import Matrix
from toolkit.search.words.bm25 import Part, Statistics, score
from toolkit.search.words.segment import Postings

_FEW_BYTES = 32_768
"""Of a log that is taken in where it is read: handing it to a thread takes longer."""
_FEW_CHUNKS = 20_000
"""Chunks that are ranked where they are: as above."""


class Turns:
    """Locks by name, apart for each event loop: what two loops do at once is done twice, and harms nobody."""

    def __init__(self) -> None:
        self._locks: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, asyncio.Lock]] = WeakKeyDictionary()
        self._making = threading.Lock()

    @asynccontextmanager
    async def of(self, name: str) -> AsyncIterator[None]:
        """Wait until nobody else of this loop holds the lock, and hold it."""
        with self._making:
            lock = self._locks.setdefault(asyncio.get_running_loop(), {}).setdefault(name, asyncio.Lock())
        async with lock:
            yield


class States:
    """What is searched, in memory. Any number of tasks, event loops and threads may use it.

    A state is replaced as a whole once the next one is finished, so that one that fails leaves nothing half-done.

    Args:
        db: where everything is kept.
        remembered: postings of sealed segments that were asked for last.
    """

    def __init__(self, db: Database, remembered: Remembered) -> None:
        self._db = db
        self._remembered = remembered
        self._states: dict[str, CollectionState] = {}
        self._publishing = threading.Lock()
        self._turns = Turns()
        self._loading = Behind("vectors")

    def known(self, key: str) -> CollectionState | None:
        """The state of a collection as it was last seen."""
        return self._states.get(key)

    async def current(self, collection: Collection) -> CollectionState:
        """The state of a collection that has at least all that its row says.

        Raises:
            Removed: it is not there any more.
        """
        state = self._states.get(collection.key)
        if state is None or not _serves(state, collection):
            async with self._turns.of(collection.key):
                state = self._states.get(collection.key)
                if state is None or not _serves(state, collection):
                    state = self._publish(await self._next(state, collection))
        if not state.loaded:
            self._loading.begin(state.key, lambda: self._load(state))
        return state

    async def ready(self, state: CollectionState) -> CollectionState:
        """The collection with its vectors, at least as it is in `state`."""
        while not state.loaded:
            known = self._states.get(state.key)
            if known and known.loaded and known.collection.id == state.collection.id:
                return known
            try:
                await asyncio.shield(self._loading.begin(state.key, lambda: self._load(state)))
            except loading.Removed:
                return state
        return state

    def forget(self, key: str) -> None:
        """Let go of what is known of a collection."""
        with self._publishing:
            self._states.pop(key, None)

    async def close(self) -> None:
        """End what goes on behind the searches of this event loop."""
        await self._loading.close()

    async def lexical(self, states: Sequence[CollectionState], query: Mapping[str, float]) -> list[Floats]:
        """BM25 of every chunk of `states`, as if they were one collection; see `Index.lexical`."""
        statistics = Statistics(
            sum(piece.living for state in states for piece in state.pieces),
            sum(piece.terms for state in states for piece in state.pieces),
        )
        parts = await self._parts([piece for state in states for piece in state.pieces], query)
        if statistics.chunks < _FEW_CHUNKS:
            found = score(query, parts, statistics)
        else:
            found = await asyncio.to_thread(score, query, parts, statistics)
        scores = iter(found)
        empty = np.empty(0, np.float32)
        return [np.concatenate([empty, *(next(scores) for _ in state.pieces)]) for state in states]

    async def _parts(self, pieces: Sequence[Piece], query: Mapping[str, float]) -> list[Part]:
        """Each piece with the postings of the query's terms; those that are not in memory are read."""
        found: list[dict[str, Postings]] = []
        wanted: dict[tuple[int, int], list[tuple[int, str]]] = {}
        for number, piece in enumerate(pieces):
            if piece.stored is None:
                found.append(piece.segment.found(query))
                continue
            known, unknown = self._remembered.get(piece.stored.id, query)
            found.append(known)
            for term in unknown:
                block = piece.stored.block_of(term)
                if block >= 0:
                    wanted.setdefault((piece.stored.id, block), []).append((number, term))
        if wanted:
            bodies_of = await tables.postings(self._db, list(wanted))
            if len(bodies_of) < len(wanted):
                raise DatabaseBusy("The search index was rebuilt while it was searched; search again.")
            for place, asked in wanted.items():
                read = read_block(bodies_of[place])
                for number, term in asked:
                    postings = read.postings(term)
                    self._remembered.put(place[0], term, postings)
                    if postings is not None:
                        found[number][term] = postings
        return [Part(p.segment, own, p.alive) for p, own in zip(pieces, found, strict=True)]

    async def _next(self, state: CollectionState | None, collection: Collection) -> CollectionState:
        if state is None or state.collection.id != collection.id or not _same_vectors(state, collection):
            return await loading.load(self._db, collection.key, state, self)
        log = loading.upto(await tables.log(self._db, collection.key, state.version), collection.version)
        sealed = any(each.kind == bodies.SEALED for each in log)
        if sealed or not loading.follows(log, state.version, collection.version):
            return await loading.load(self._db, collection.key, state, self)
        if sum(len(each.body) for each in log) < _FEW_BYTES:
            return self._applied(state, collection, log)
        return await asyncio.to_thread(self._applied, state, collection, log)

    def _applied(self, state: CollectionState, collection: Collection, log: Sequence[Entry]) -> CollectionState:
        draft = Draft.after(state)
        for each in log:
            draft.apply(each, collection)
        return draft.finished(collection, analyser(collection.language), self)

    def _publish(self, state: CollectionState) -> CollectionState:
        """Let others have the state, unless they have a newer one already."""
        with self._publishing:
            known = self._states.get(state.key)
            same = known is not None and known.collection.id == state.collection.id
            if known is None or not same or _age(known) <= _age(state):
                self._states[state.key] = state
        return state

    async def _load(self, state: CollectionState) -> None:
        """Read the vectors of a collection, and have a state with them."""
        matrices: dict[str, Matrix] = {}
        seen: set[int] = set()
        while await self._read_blocks(state, matrices, seen):
            pass  # it was folded meanwhile, into blocks that are new
        async with self._turns.of(state.key):
            row = (await tables.collections(self._db, [state.key])).get(state.key)
            if row is None or row.id != state.collection.id:
                self.forget(state.key)
                raise loading.Removed
            known = self._states.get(state.key)
            found = known if known and _serves(known, row) else await self._next(known, row)
            log = await tables.log(self._db, state.key, -1, vectors_only=True)
            while await self._read_blocks(found, matrices, seen):
                pass
            self._publish(await asyncio.to_thread(self._with_vectors, found, matrices, log))

    async def _read_blocks(self, state: CollectionState, matrices: dict[str, Matrix], seen: set[int]) -> bool:
        """Take in the blocks that were not seen yet; whether there were any."""
        rows = await tables.vector_blocks(self._db, state.key, -1)
        new = [row for row in rows if row["id"] not in seen]
        for row in new:
            seen.add(row["id"])
            if row["embedder"] in (state.embedder, state.next_embedder):
                body = await tables.vector_block(self._db, row["id"])
                if body is not None:
                    await asyncio.to_thread(_take_in, bodies.to_vectors(body), matrices)
        return bool(new)

    def _with_vectors(
        self, state: CollectionState, matrices: Mapping[str, Matrix], log: Sequence[Entry]
    ) -> CollectionState:
        draft = Draft.after(state)
        draft.loaded = True
        draft.sides = {name: Side.of(name, matrix, state.pieces) for name, matrix in matrices.items()}
        for each in log:
            vectors = bodies.to_vectors(each.body)
            if vectors.embedder in (state.embedder, state.next_embedder):
                draft.learn(vectors)
        return draft.finished(state.collection, state.analyser, self)


def _take_in(vectors: Vectors, matrices: dict[str, Matrix]) -> None:
    dimension = vectors.quantised.rows.shape[1]
    matrix = matrices.setdefault(vectors.embedder, Matrix(dimension))
    if matrix.dimension == dimension:
        matrix.append(vectors.hashes, vectors.quantised)


def _serves(state: CollectionState, collection: Collection) -> bool:
    """Whether a state has all that a row says."""
    return state.collection.id == collection.id and state.version >= collection.version


def _age(state: CollectionState) -> tuple[int, bool]:
    return state.version, state.loaded


def _same_vectors(state: CollectionState, collection: Collection) -> bool:
    """Whether a state has, or still reads, the vectors of the embedders that count."""
    had = (state.collection.embedder, state.collection.next_embedder)
    return all(name is None or name in had for name in (collection.embedder, collection.next_embedder))

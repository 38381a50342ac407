"""One search, from the words to the page of hits."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toolkit.db import Database, Row
from toolkit.errors import CassetteError, ConfigError, ToolkitError
from toolkit.search.documents import Hit, Hits, Parts
from toolkit.search.embedding import BUNDLED, Embedders
from toolkit.search.meaning import AT_ONCE, WITHIN, Floats, Meanings
from toolkit.search.ranking.diversity import diverse, likeness
from toolkit.search.ranking.exact import Exact, exact
from toolkit.search.ranking.field import Candidate, Field, Ground
from toolkit.search.ranking.fusion import WEIGHTS
from toolkit.search.ranking.highlights import Marker
from toolkit.search.ranking.mode import Mode
from toolkit.search.ranking.rerankers import DEPTH, Rerank, Rerankers
from toolkit.search.showing import Found, chunk_rows, hit, neighbors_of, written
from toolkit.search.wish import MOST_HITS, Rewriter, Wish

if TYPE_CHECKING:
    from toolkit.search.index import CollectionState, Index

POOL: Final = 50
"""The best chunks, among which phrases are looked for and hits that differ are chosen."""

NO_EMBEDDER: Final = "Only words are compared: there is no embedder."

_MOST_WAYS = 3
_OTHER_WAYS = 0.5  # what their words count, all of them together
_SIDES: Final[Mapping[Mode, tuple[float, float]]] = {"hybrid": WEIGHTS, "lexical": (1.0, 0.0), "semantic": (0.0, 1.0)}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Looking:
    """A search under way.

    Attributes:
        wanted: of each state the terms of the query.
        meanings: of each state the query's vector, None where meanings are not compared.
        embedders: of each state who makes its meanings, None where they are not compared.
        note: why meanings are not compared, where that is so.
        made: meanings that were made during the search, by ground and ordinal.
    """

    wish: Wish
    states: Sequence["CollectionState"]
    wanted: Sequence[frozenset[str]]
    meanings: Sequence[Floats | None]
    embedders: Sequence[str | None]
    field: Field
    note: str
    made: dict[tuple[int, int], Floats] = dataclass_field(default_factory=dict)

    def vector(self, found: Found) -> Floats | None:
        """The meaning of a chunk, None where it is not known or not compared."""
        if self.meanings[found.ground] is None or found.parts.semantic is None:
            return None
        made = self.made.get((found.ground, found.ordinal))
        if made is not None:
            return made
        vector: Floats = self.states[found.ground].vectors_of(np.array([found.ordinal], np.int64))[0]
        return vector


class _Compared(NamedTuple):
    """A collection's chunks beside the query's meaning; both None where they are not compared."""

    query: Floats | None
    cosines: Floats | None


class Finder:
    """Finds chunks.

    Args:
        db: where they are kept.
        index: what is kept of their words and meanings.
        embedders: who makes meanings; None: words alone are compared.
        rewriter: says a query in other ways; None: there is none.
        lacking: told the keys of collections in which chunks have no vector yet.
    """

    def __init__(
        self,
        db: Database,
        index: "Index",
        embedders: Embedders | None = None,
        rewriter: Rewriter | None = None,
        lacking: Callable[..., None] = lambda *_keys: None,
    ) -> None:
        self._db = db
        self._index = index
        self._meanings = Meanings(index, embedders) if embedders else None
        self._rerankers = Rerankers()
        self._rewriter = rewriter
        self._lacking = lacking

    async def find(self, wish: Wish, keys: Sequence[str], weights: Sequence[float]) -> Hits:
        """The page of hits that is asked for.

        Args:
            wish: what is asked for.
            keys: of the collections to look in.
            weights: how much each of them counts.
        """
        rerank = self._rerankers.get(wish.rerank) if wish.rerank is not None else None
        looking = await self._look(wish, keys, dict(zip(keys, weights, strict=True)))
        await self._learn(looking)
        self._lacking(*(state.key for state in looking.states if state.pending))
        found, literal = await asyncio.to_thread(_candidates, looking)
        rows: dict[str, Row] = {}
        if literal or rerank or wish.diversity:
            rows = await chunk_rows(self._db, [each.chunk_id for each in found])
            found = _literal(found, rows, literal) if literal else found
        if rerank:
            found = await _reranked(wish, rerank, found[: max(wish.top_k + 1, DEPTH)], rows)
        page = _different(looking, found, rows) if wish.diversity else found[: wish.top_k]
        return await self._shown(looking, page, rows, more=len(found) > len(page))

    async def _look(self, wish: Wish, keys: Sequence[str], weights: Mapping[str, float]) -> _Looking:
        """Both sides of every chunk, put together."""
        ways, states = await asyncio.gather(self._ways(wish), self._states(wish, keys))
        left_in, (words, (meanings, note)) = await asyncio.gather(
            self._left_in(wish, states),
            self._sides(wish, states, ways),
        )
        embedders = [self._meanings.name_of(state) if self._meanings else None for state in states]
        grounds = [
            Ground(
                docs=state.docs,
                positions=state.positions,
                lexical=words[n],
                semantic=meanings[n].cosines,
                weight=weights[state.key],
                measured=embedders[n] == BUNDLED,
            )
            for n, state in enumerate(states)
        ]
        field = await asyncio.to_thread(_field, grounds, left_in, wish.mode)
        wanted = [frozenset(state.analyser.query(wish.query)) for state in states]
        return _Looking(wish, states, wanted, [each.query for each in meanings], embedders, field, note)

    async def close(self) -> None:
        """Let go of what is under way."""
        if self._meanings:
            await self._meanings.close()

    async def _ways(self, wish: Wish) -> list[str]:
        """The query, and where it was asked for other ways to say it; a model that fails costs only those."""
        if not wish.rewrite:
            return [wish.query]
        if self._rewriter is None:
            raise ConfigError(
                "rewrite=True needs a language model; add one with `toolkit models add`, or leave it out."
            )
        try:
            said = await self._rewriter(wish.query)
        except CassetteError:  # a replay that lacks an answer must fail
            raise
        except ToolkitError as error:
            _log.warning("The query was not rewritten: %s", error)
            said = ()
        ways = [way.strip() for way in said if way.strip()]
        return list(dict.fromkeys([wish.query, *ways]))[: _MOST_WAYS + 1]

    async def _states(self, wish: Wish, keys: Sequence[str]) -> list["CollectionState"]:
        """What is known of the collections, up to date with all that was acknowledged before."""
        states = await self._index.sync(keys)
        if self._meanings and wish.mode != "lexical":
            states = list(await asyncio.gather(*(state.ready() for state in states)))
        return states

    async def _left_in(self, wish: Wish, states: Sequence["CollectionState"]) -> list[NDArray[np.bool_] | None]:
        """Of each state the chunks that satisfy `where`; None: all."""
        docs = await self._index.documents_where([state.key for state in states], wish.where) if wish.where else None
        if docs is None:
            return [None] * len(states)
        return await asyncio.to_thread(lambda: [state.among(docs) for state in states])

    async def _sides(
        self, wish: Wish, states: Sequence["CollectionState"], ways: Sequence[str]
    ) -> tuple[list[Floats], tuple[list[_Compared], str]]:
        """What `_words` and `_compared` give.

        Where meanings alone count, words are looked at only if there are chunks without a meaning: it is made of the
        best by words first.
        """
        if wish.mode != "semantic":
            return await asyncio.gather(self._words(states, ways), self._compared(wish, states, ways))
        compared = await self._compared(wish, states, ways)
        if all(each.query is not None and not _lacks(state) for state, each in zip(states, compared[0], strict=True)):
            return [np.zeros(len(state), np.float32) for state in states], compared
        return await self._words(states, ways), compared

    async def _words(self, states: Sequence["CollectionState"], ways: Sequence[str]) -> list[Floats]:
        """BM25 of each state's chunks, comparable between those of one language."""
        scores: dict[str, Floats] = {}
        for language in {state.language for state in states}:
            alike = [state for state in states if state.language == language]
            found = await self._index.lexical(alike, _terms(alike[0], ways))
            scores |= {state.key: each for state, each in zip(alike, found, strict=True)}
        return [scores[state.key] for state in states]

    async def _compared(
        self, wish: Wish, states: Sequence["CollectionState"], ways: Sequence[str]
    ) -> tuple[list[_Compared], str]:
        """Of each state how its chunks compare with the query's meaning, and why they do not where that is so."""
        vectors, note = await self._vectors(wish, states, ways)
        cosines = await asyncio.gather(*map(_cosines, states, vectors))
        return [_Compared(*each) for each in zip(vectors, cosines, strict=True)], note

    async def _vectors(
        self, wish: Wish, states: Sequence["CollectionState"], ways: Sequence[str]
    ) -> tuple[list[Floats | None], str]:
        """Of each state the query's vector, and why there is none where that is so."""
        if wish.mode == "lexical":
            return [None] * len(states), ""
        if self._meanings is None:
            return [None] * len(states), NO_EMBEDDER
        names = [self._meanings.name_of(state) for state in states]
        several = list(dict.fromkeys(names))
        asked = await asyncio.gather(*(self._meanings.queries(name, ways) for name in several))
        made = dict(zip(several, asked, strict=True))
        notes = [note for _, note in asked if note]
        vectors: list[Floats | None] = []
        for state, name in zip(states, names, strict=True):
            vector, _ = made[name]
            if vector is not None and state.dimension not in (None, len(vector)):
                notes.append(
                    f"Only words are compared in {state.name!r}: its vectors have {state.dimension} dimensions, and "
                    f"{name} makes {len(vector)}; name another embedder for it."
                )
                vector = None
            vectors.append(vector)
        return vectors, next(iter(notes), "")

    async def _learn(self, looking: _Looking) -> None:
        """Make the meanings of the best chunks that have none, and rank again."""
        compared = [state for state, query in zip(looking.states, looking.meanings, strict=True) if query is not None]
        if self._meanings is None or not any(map(_lacks, compared)):
            return
        missing = await asyncio.to_thread(looking.field.without_meaning, AT_ONCE)
        made = await asyncio.gather(
            *(self._meanings.passages(looking.states[n], ordinals, WITHIN) for n, ordinals in missing)
        )
        for (ground, _), vectors in zip(missing, made, strict=True):
            meaning = looking.meanings[ground]
            if vectors and meaning is not None:
                looking.made.update({(ground, ordinal): vector for ordinal, vector in vectors.items()})
                cosines = np.stack(list(vectors.values())) @ meaning
                looking.field.learn(ground, np.array(list(vectors), np.int64), cosines)
        if any(made):
            await asyncio.to_thread(looking.field.rank)

    async def _shown(self, looking: _Looking, page: Sequence[Found], rows: Mapping[str, Row], *, more: bool) -> Hits:
        """The page as hits, with its cursor."""
        wish = looking.wish
        ids = [each.chunk_id for each in page]
        wanted = [*ids, *(near for own in ids for near in neighbors_of(own, wish.neighbors))]
        rows = dict(rows) | await chunk_rows(self._db, [own for own in dict.fromkeys(wanted) if own not in rows])
        best = wish.cursor.best or (page[0].total if page else 0.0) or 1.0
        markers = [Marker(terms, s.analyser.terms) for terms, s in zip(looking.wanted, looking.states, strict=True)]

        def made(each: Found) -> Hit:
            collection, wanted = looking.states[each.ground].name, looking.wanted[each.ground]
            return hit(
                each, rows, best=best, collection=collection, wanted=wanted, marker=markers[each.ground], wish=wish
            )

        # A thousand hits take a tenth of a second, in which nothing else would go on.
        hits = await asyncio.to_thread(lambda: [made(each) for each in page if each.chunk_id in rows])
        cursor = replace(wish.cursor, best=best).after(ids)
        more = more and len(cursor.shown) < MOST_HITS
        return Hits(hits, cursor=cursor.write() if more else None, note=looking.note)


async def _cosines(state: "CollectionState", vector: Floats | None) -> Floats | None:
    return None if vector is None else await asyncio.to_thread(state.semantic, vector)


async def _reranked(wish: Wish, rerank: Rerank, found: Sequence[Found], rows: Mapping[str, Row]) -> list[Found]:
    """The chunks in a reranker's order; those that are gone meanwhile are left out."""
    there = [each for each in found if each.chunk_id in rows]
    if not there:
        return []
    said = await Rerankers.ask(rerank, wish.query, [rows[each.chunk_id]["text"] for each in there])
    least, most = min(said), max(said)
    ranked = [
        replace(
            each,
            total=(score - least) / (most - least) if most > least else 1.0,
            parts=replace(each.parts, reranked=score),
        )
        for each, score in zip(there, said, strict=True)
    ]
    return sorted(ranked, key=lambda each: -each.total)


def _field(grounds: Sequence[Ground], left_in: Sequence[NDArray[np.bool_] | None], mode: Mode) -> Field:
    for ground, kept in zip(grounds, left_in, strict=True):
        if kept is not None:
            ground.lexical = np.where(kept, ground.lexical, np.float32(0))
            if ground.semantic is not None:
                ground.semantic = np.where(kept, ground.semantic, np.float32(np.nan))
    field = Field(grounds, mode)
    field.rank()
    return field


def _terms(state: "CollectionState", ways: Sequence[str]) -> dict[str, float]:
    """What to look for in a collection: the query's terms, and a little those of other ways to say it."""
    terms = dict(state.analyser.query(ways[0]))
    for way in ways[1:]:
        for term, weight in state.analyser.query(way).items():
            terms[term] = terms.get(term, 0.0) + weight * _OTHER_WAYS / (len(ways) - 1)
    return terms


def _lacks(state: "CollectionState") -> bool:
    """Whether chunks are without a vector."""
    return state.vectors < state.living


def _candidates(looking: _Looking) -> tuple[list[Found], Exact | None]:
    """The best chunks that no page before has shown, in order, enough of them for all that follows."""
    wish = looking.wish
    literal = exact(wish.query) if looking.field.mode != "semantic" else None
    wanted = wish.top_k + 1
    if wish.rerank is not None:
        wanted = max(wanted, DEPTH)
    if wish.diversity or literal:
        wanted = max(wanted, POOL)
    shown = len(wish.cursor.shown)
    chosen = looking.field.best(shown + wanted)
    if literal:
        known = {(each.ground, each.ordinal) for each in chosen}
        by_words = looking.field.best_by_words(shown + POOL)
        chosen += [each for each in by_words if (each.ground, each.ordinal) not in known]
    found = [_found(looking, each, chunk_id) for each, chunk_id in zip(chosen, _ids(looking, chosen), strict=True)]
    return [each for each in found if not wish.cursor.has(each.chunk_id)], literal


def _ids(looking: _Looking, chosen: Sequence[Candidate]) -> list[str]:
    """The chunks' ids, asked for together: one by one takes longer than all the ranking."""
    ids: dict[tuple[int, int], str] = {}
    for number, state in enumerate(looking.states):
        ordinals = [each.ordinal for each in chosen if each.ground == number]
        made = state.chunk_ids(np.array(ordinals, np.int64))
        ids |= {(number, ordinal): chunk_id for ordinal, chunk_id in zip(ordinals, made, strict=True)}
    return [ids[each.ground, each.ordinal] for each in chosen]


def _found(looking: _Looking, candidate: Candidate, chunk_id: str) -> Found:
    field = looking.field
    compared = looking.meanings[candidate.ground] is not None
    ground = field.grounds[candidate.ground]
    parts = Parts(
        lexical=None if field.mode == "semantic" else round(candidate.lexical, 4),
        semantic=None if candidate.semantic is None else round(candidate.semantic, 4),
        weights=_SIDES[field.mode],
        estimated=field.mode == "hybrid" and candidate.semantic is None,
        weight=ground.weight,
        embedder=looking.embedders[candidate.ground] if compared else None,
    )
    return Found(chunk_id, candidate.ground, candidate.ordinal, candidate.total, parts)


def _literal(found: Sequence[Found], rows: Mapping[str, Row], wanted: Exact) -> list[Found]:
    """The chunks with what they have as it is written counted in."""
    raised = []
    for each in found:
        share = wanted.share(written(rows[each.chunk_id])) if each.chunk_id in rows else 0.0
        total = wanted.raised(each.total, share)
        raised.append(replace(each, total=total, parts=replace(each.parts, exact=share)))
    return sorted(raised, key=lambda each: -each.total)


def _different(looking: _Looking, found: Sequence[Found], rows: Mapping[str, Row]) -> list[Found]:
    """Some of the best that do not all say the same, best first."""
    pool = [each for each in found[: max(looking.wish.top_k, POOL)] if each.chunk_id in rows]
    vectors = [looking.vector(each) for each in pool]
    length = max((len(vector) for vector in vectors if vector is not None), default=1)
    rows_of = [v if v is not None and len(v) == length else np.zeros(length, np.float32) for v in vectors]
    terms = [frozenset(looking.states[e.ground].analyser.terms(rows[e.chunk_id]["text"])) for e in pool]
    totals = np.array([each.total for each in pool], np.float32)
    alike = likeness(np.array(rows_of, np.float32).reshape(len(pool), length), terms)
    chosen = diverse(totals, alike, looking.wish.top_k, looking.wish.diversity)
    return [pool[n] for n in sorted(chosen.tolist())]

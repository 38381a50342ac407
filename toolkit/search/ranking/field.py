"""All chunks that one search looks at, over all of its collections, and which of them are best."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.search.ranking.best import best, order
from toolkit.search.ranking.fusion import Floats, comparable, estimate, fuse, line
from toolkit.search.ranking.mode import Mode

_NO_HIT, _ANY = np.float32(-1), np.float32(0)
_A_WORD = np.nextafter(_ANY, np.float32(1))  # the least BM25 that there is

Ordinals: TypeAlias = NDArray[np.int64]


class Numbers(Protocol):
    """A whole number for each chunk: an array, or what gives those of some chunks as one."""

    def __len__(self) -> int: ...

    def __getitem__(self, ordinals: Ordinals, /) -> NDArray[Any]: ...


@dataclass(slots=True)
class Ground:
    """What one collection brings into a search; each array has one element per chunk.

    Attributes:
        docs: the documents' ids as numbers.
        positions: of the chunks in their documents.
        lexical: BM25, comparable between the collections; 0 where no word is shared, and for what is left out.
        semantic: cosines; NaN where there is no vector, and for what is left out. None: meanings are not compared.
        weight: how much the collection counts, more than 0.
        measured: the cosines are those of the embedder that the weights were measured with.
    """

    docs: Numbers
    positions: Numbers
    lexical: Floats
    semantic: Floats | None = None
    weight: float = 1.0
    measured: bool = True
    scores: Floats = field(default_factory=lambda: np.zeros(0, np.float32))


class Candidate(NamedTuple):
    """A chunk that may become a hit.

    Attributes:
        ground: which collection.
        ordinal: which of its chunks.
        total: the score, 0 to 1, times the collection's weight.
        lexical: BM25 as a share of the best.
        semantic: the cosine; None where it is not known.
    """

    ground: int
    ordinal: int
    total: float
    lexical: float
    semantic: float | None


class Field:
    """The chunks of all collections, ranked together.

    Args:
        grounds: the collections.
        mode: which sides count; where no ground has cosines only the words do.
    """

    def __init__(self, grounds: Sequence[Ground], mode: Mode) -> None:
        self.grounds = grounds
        self.mode: Mode = mode if any(ground.semantic is not None for ground in grounds) else "lexical"
        self.best_lexical = max((float(g.lexical.max()) for g in grounds if len(g.lexical)), default=0.0)

    def rank(self) -> None:
        """Work out the scores from what is known; again after `learn`."""
        if self.mode == "hybrid":
            self._fuse()
        for ground in self.grounds:
            if self.mode == "semantic":
                cosines = _cosines(ground)
                ground.scores = np.where(np.isnan(cosines), _NO_HIT, np.maximum(cosines, 0))
            elif self.mode == "lexical":
                shares = ground.lexical / np.float32(self.best_lexical or 1)
                ground.scores = np.where(shares > 0, shares, _NO_HIT)
            if ground.weight != 1:
                ground.scores *= np.float32(ground.weight)

    def _fuse(self) -> None:
        sides = [(ground.lexical, _cosines(ground)) for ground in self.grounds]
        unknown = []
        for ground, (lexical, semantic) in zip(self.grounds, sides, strict=True):
            ground.scores, missing = fuse(lexical, semantic, self.best_lexical)
            unknown.append(missing)
        expected = line(sides, self.best_lexical) if any(map(len, unknown)) else None
        if expected:
            for ground, missing in zip(self.grounds, unknown, strict=True):
                estimate(ground.scores, ground.lexical, missing, self.best_lexical, expected)

    def best(self, count: int) -> list[Candidate]:
        """The `count` best chunks by score, in order."""
        return self._best([ground.scores for ground in self.grounds], count)

    def best_by_words(self, count: int) -> list[Candidate]:
        """The `count` best chunks by words alone, in order; their totals are those of both sides."""
        return self._best([ground.lexical for ground in self.grounds], count, least=_A_WORD)

    def without_meaning(self, count: int) -> list[tuple[int, Ordinals]]:
        """Of the `count` best chunks by words those without a cosine, best first: by ground their ordinals."""
        missing: dict[int, list[int]] = {}
        for candidate in self.best_by_words(count):
            if candidate.semantic is None and self.grounds[candidate.ground].semantic is not None:
                missing.setdefault(candidate.ground, []).append(candidate.ordinal)
        return [(ground, np.array(ordinals, np.int64)) for ground, ordinals in missing.items()]

    def learn(self, ground: int, ordinals: Ordinals, cosines: Floats) -> None:
        """Take in cosines that were not known before."""
        known = self.grounds[ground].semantic
        if known is not None:
            learnt = known.copy()
            learnt[ordinals] = cosines
            self.grounds[ground].semantic = learnt

    def _best(self, keys: Sequence[Floats], count: int, *, least: np.float32 = _ANY) -> list[Candidate]:
        found = [best(key, count, least=least) for key in keys] if count else []
        which = np.repeat(np.arange(len(found)), [len(ordinals) for ordinals in found])
        if not len(which):
            return []
        ordinals = np.concatenate(found)
        values = np.concatenate([key[where] for key, where in zip(keys, found, strict=True)])
        docs = np.concatenate([g.docs[where] for g, where in zip(self.grounds, found, strict=True)])
        places = np.concatenate([g.positions[where] for g, where in zip(self.grounds, found, strict=True)])
        chosen = order(values, docs, places)[:count]
        return [self._candidate(int(which[n]), int(ordinals[n])) for n in chosen]

    def _candidate(self, number: int, ordinal: int) -> Candidate:
        ground = self.grounds[number]
        cosine = np.nan if ground.semantic is None else ground.semantic[ordinal]
        known = None if np.isnan(cosine) else float(cosine)
        share = float(ground.lexical[ordinal]) / self.best_lexical if self.best_lexical else 0.0
        return Candidate(number, ordinal, float(ground.scores[ordinal]), share, known)


def _cosines(ground: Ground) -> Floats:
    """On the scale that the weights were measured with; NaN where they are not known."""
    if ground.semantic is None:
        return np.full(len(ground.lexical), np.nan, np.float32)
    return ground.semantic if ground.measured else comparable(ground.semantic)

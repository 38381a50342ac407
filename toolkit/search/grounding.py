"""Passages to answer from: the best hits that fit into a number of tokens, neighbours put together again."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from toolkit.display.shown import Shown
from toolkit.messages import BEFORE_QUESTION, Message, Source
from toolkit.models.tokens import count_text
from toolkit.search import cards
from toolkit.search.documents import Chunk, Hit
from toolkit.search.embedding import BUNDLED

MOST_PASSAGES: Final = 8
"""Hits that are read: more cost tokens and hide the one that answers."""

MOST_CHARACTERS: Final = 2_400
"""Of one chunk: the longest that is cut at line ends."""

TOKENS: Final = 5_000
"""Of all passages together, where the caller does not say."""

RELEVANT_COSINE: Final = 0.3
RELEVANT_COVERAGE: Final = 0.6
"""Where no hit is as close to the question as the one, or has as many of its words as the other, the documents do not
speak of it. Of the questions of four judged collections 98 to 100 in 100 stay above; of those of the other collections,
asked there, 67 to 90 in 100 stay below (28 where the two are about the same field)."""

_BLANK_BETWEEN = 3  # blank lines between chunks that follow each other


@dataclass(frozen=True, slots=True, repr=False)
class Passage(Shown):
    """What a model may cite with one number: a chunk, or several that follow each other.

    Attributes:
        number: the mark: 1 for [1].
        chunk_id: that of the best of the chunks.
        chunk_ids: of all of them, in the document's order.
        source: the document's.
        lines: first and last line, counted from 1, both included.
        place: the best chunk's page, slide, sheet or cell, in words; else empty.
        heading: what the best chunk stands under.
        text: all of it.
    """

    number: int
    chunk_id: str
    chunk_ids: tuple[str, ...]
    source: str
    lines: tuple[int, int]
    place: str
    heading: str
    text: str

    _shown = cards.passage

    @property
    def title(self) -> str:
        """Where it stands, for the model."""
        where = self.place or f"lines {self.lines[0]}–{self.lines[1]}"
        return f"{self.source}, {where}" + (f", {self.heading}" if self.heading else "")


@dataclass(frozen=True, slots=True)
class Grounding:
    """A question as a model is asked it.

    Attributes:
        messages: the instructions, then the passages and, after `BEFORE_QUESTION`, the question.
        passages: what may be cited; none where nothing that was found speaks of the question.
        question: as it was asked.
    """

    messages: tuple[Message, ...]
    passages: tuple[Passage, ...]
    question: str = ""

    @property
    def sources(self) -> tuple[Source, ...]:
        """The passages by themselves; the first one is cited as [1]."""
        return tuple(Source(each.chunk_id, each.title, each.text) for each in self.passages)


def ground(
    question: str, hits: Sequence[Hit], instructions: str, *, tokens: int = TOKENS, chosen: bool = False
) -> Grounding:
    """The question with the best `MOST_PASSAGES` of `hits` that fit, numbered from 1.

    Chunks are taken whole; one that does not fit makes room for a shorter one. After the hits come their neighbors, if
    they were asked for and there is room. Chunks that follow each other in a document are one passage.

    Args:
        question: in plain words.
        hits: best first.
        instructions: how to answer and to cite; the prompt `answer_from_sources`.
        tokens: how many all passages may have together, as a model of any vendor counts them.
        chosen: a person chose the first ones, so that it is not asked whether they speak of the question.
    """
    passages = tuple(_passages(hits[:MOST_PASSAGES] if chosen or relevant(hits) else [], tokens))
    told = "\n\n".join(f"[{each.number}] {each.title}\n{each.text}" for each in passages)
    asked = f"Passages:\n\n{told or '(none was found)'}{BEFORE_QUESTION}{question.strip()}"
    return Grounding((Message("system", instructions), Message("user", asked)), passages, question.strip())


def relevant(hits: Sequence[Hit]) -> bool:
    """Whether at least one of the hits speaks of what is asked.

    Known only where meanings are compared by the bundled embedder: other embedders' cosines are on other scales, and a
    passage that answers may share two words of ten with the question.
    """
    compared = [hit.parts for hit in hits if hit.parts.embedder == BUNDLED and hit.parts.semantic is not None]
    if len(compared) < len(hits):
        return True
    return any(
        (parts.semantic or 0) >= RELEVANT_COSINE or parts.coverage >= RELEVANT_COVERAGE or parts.exact
        for parts in compared
    )


@dataclass(slots=True, eq=False)
class _Run:
    """Chunks of one document that follow each other.

    Attributes:
        best: the one that was found, or found first.
        chunks: in the document's order.
    """

    best: Hit | Chunk
    chunks: list[Hit | Chunk] = field(default_factory=list)

    def joins(self, chunk: Hit | Chunk) -> bool:
        """Whether `chunk` comes right before or after them."""
        return _follows(self.chunks[-1], chunk) or _follows(chunk, self.chunks[0])

    def passage(self, number: int) -> Passage:
        first, last = self.chunks[0], self.chunks[-1]
        return Passage(
            number=number,
            chunk_id=_id(self.best),
            chunk_ids=tuple(map(_id, self.chunks)),
            source=self.best.source,
            lines=(first.lines[0], last.lines[1]),
            place=self.best.place,
            heading=self.best.heading,
            text="".join(_joined(self.chunks)),
        )


def _passages(hits: Sequence[Hit], tokens: int) -> Iterator[Passage]:
    runs: list[_Run] = []
    left = tokens
    for chunk in _in_turn(hits):
        cost = count_text(_text(chunk)) + count_text(f"{chunk.source} {chunk.heading}")
        if cost > left and runs:
            continue
        near = [run for run in runs if run.joins(chunk)]
        if not near and not isinstance(chunk, Hit):
            continue  # what lies between was not taken
        left -= cost
        if not near:
            runs.append(_Run(chunk, [chunk]))
            continue
        near[0].chunks = sorted([chunk, *(each for run in near for each in run.chunks)], key=_position)
        runs = [run for run in runs if run not in near[1:]]
    yield from (run.passage(number) for number, run in enumerate(runs, 1))


def _in_turn(hits: Sequence[Hit]) -> Iterator[Hit | Chunk]:
    """The hits, best first, then their neighbors, the nearest first; each once."""
    seen = {hit.chunk_id for hit in hits}
    yield from hits
    for hit in hits:
        for neighbor in sorted(hit.neighbors, key=partial(_distance, hit)):
            if neighbor.id not in seen:
                seen.add(neighbor.id)
                yield neighbor


def _follows(one: Hit | Chunk, other: Hit | Chunk) -> bool:
    """Whether `other` begins where `one` ends; of a line that several chunks share nobody knows where."""
    between = other.lines[0] - one.lines[1]
    same = one.document_id == other.document_id and _position(other) == _position(one) + 1
    return same and 1 <= between <= _BLANK_BETWEEN + 1


def _joined(chunks: Sequence[Hit | Chunk]) -> Iterator[str]:
    for number, chunk in enumerate(chunks):
        if number:
            yield "\n" * (chunk.lines[0] - chunks[number - 1].lines[1])
        yield _text(chunk)


def _text(chunk: Hit | Chunk) -> str:
    return chunk.text if len(chunk.text) <= MOST_CHARACTERS else chunk.text[: MOST_CHARACTERS - 1] + "…"


def _id(chunk: Hit | Chunk) -> str:
    return chunk.chunk_id if isinstance(chunk, Hit) else chunk.id


def _distance(hit: Hit, chunk: Hit | Chunk) -> int:
    return abs(_position(chunk) - _position(hit))


def _position(chunk: Hit | Chunk) -> int:
    return int(_id(chunk).rpartition("-")[2])

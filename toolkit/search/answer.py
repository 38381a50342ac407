"""Answers that rest on passages: what a model said of them, the passages that it cites, and whether they bear it."""

from collections.abc import AsyncGenerator, AsyncIterable
from dataclasses import dataclass, replace

from toolkit.display.shown import Shown
from toolkit.messages import NOT_IN_SOURCES, Delta, Reply
from toolkit.search import cards
from toolkit.search.grounding import MOST_CHARACTERS, MOST_PASSAGES, TOKENS, Grounding, Passage, ground
from toolkit.search.support import Embed, Unsupported, cited_numbers, unsupported

__all__ = [
    "MOST_CHARACTERS",
    "MOST_PASSAGES",
    "TOKENS",
    "Answer",
    "Citation",
    "Grounding",
    "Passage",
    "Unsupported",
    "answer_of",
    "cite",
    "ground",
    "streamed",
]


@dataclass(frozen=True, slots=True, repr=False)
class Citation(Shown):
    """A passage that an answer refers to.

    Attributes:
        number: the mark in the answer's text: 1 for [1].
        chunk_id: where to read it; of several chunks the best.
        source: the document's.
        lines: first and last line, counted from 1, both included.
        chunk_ids: of all chunks of the passage, in order.
        place: its page, slide, sheet or cell, in words; else empty.
    """

    number: int
    chunk_id: str
    source: str
    lines: tuple[int, int]
    chunk_ids: tuple[str, ...] = ()
    place: str = ""

    _shown = cards.citation


@dataclass(frozen=True, slots=True, repr=False)
class Answer(Shown):
    """An answer with the passages that it rests on.

    Attributes:
        text: what the model said; [1] refers to the citation with that number.
        citations: the passages that it refers to, by number; a number that no passage has is left out.
        reply: who answered, what it cost, and who failed before.
        unsupported: the sentences that cite nothing, or whose figures or words the cited passages do not have.
        passages: what the model was given to answer from; none where the documents do not speak of the question.
    """

    text: str
    citations: tuple[Citation, ...]
    reply: Reply
    unsupported: tuple[Unsupported, ...] = ()
    passages: tuple[Passage, ...] = ()

    _shown = cards.answer

    @property
    def found(self) -> bool:
        """Whether the documents held an answer: there was something to cite, and no model said `NOT_IN_SOURCES`."""
        return bool(self.citations) or (bool(self.passages) and NOT_IN_SOURCES.rstrip(".") not in self.text)


def cite(reply: Reply, grounding: Grounding) -> Answer:
    """A model's reply with the passages that it refers to as [1] or [1, 2], outside of code.

    Args:
        reply: what the model said to the grounding's messages.
        grounding: what it was given.
    """
    said = set(cited_numbers(reply.text))
    citations = tuple(
        Citation(each.number, each.chunk_id, each.source, each.lines, each.chunk_ids, each.place)
        for each in grounding.passages
        if each.number in said
    )
    return Answer(reply.text, citations, reply, passages=grounding.passages)


async def answer_of(reply: Reply, grounding: Grounding, *, embed: Embed | None = None) -> Answer:
    """The same, with the sentences that the passages do not bear.

    Args:
        reply: what the model said.
        grounding: what it was given.
        embed: compares meanings where words do not decide; None: words do.
    """
    return replace(cite(reply, grounding), unsupported=await unsupported(reply.text, grounding, embed))


async def streamed(
    deltas: AsyncIterable[Delta], grounding: Grounding, *, embed: Embed | None = None
) -> AsyncGenerator[Delta | Answer, None]:
    """An answer piece by piece; after the last piece, which carries the reply, comes the whole of it."""
    async for delta in deltas:
        yield delta
        if delta.reply:
            yield await answer_of(delta.reply, grounding, embed=embed)

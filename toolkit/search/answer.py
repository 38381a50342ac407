"""Answers that rest on passages: the question put to a model, and the passages that its answer cites."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from toolkit.messages import BEFORE_QUESTION, NOT_IN_SOURCES, Message, Reply, Source
from toolkit.search.documents import Hit

MOST_PASSAGES = 8
"""More passages cost tokens and hide the one that answers."""

MOST_CHARACTERS = 2_400
"""Of one passage: the longest chunk that is cut at line ends. With eight of them a question is about 5,000 tokens."""

_FENCE = re.compile(r"^[ \t]*(```+|~~~+).*?^[ \t]*\1[ \t]*$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_MARK = re.compile(r"\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")


@dataclass(frozen=True, slots=True)
class Grounding:
    """A question as a model is asked it.

    Attributes:
        messages: the instructions, then the passages and, after `BEFORE_QUESTION`, the question.
        sources: the passages by themselves; the first one is cited as [1].
    """

    messages: tuple[Message, ...]
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Citation:
    """A passage that an answer refers to.

    Attributes:
        number: the mark in the answer's text: 1 for [1].
        chunk_id: where to read it.
        source: the document's.
        lines: first and last line, counted from 1, both included.
    """

    number: int
    chunk_id: str
    source: str
    lines: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer with the passages that it rests on.

    Attributes:
        text: what the model said; [1] refers to the citation with that number.
        citations: the passages that it refers to, by number; a number that no passage has is left out.
        reply: who answered, what it cost, and who failed before.
    """

    text: str
    citations: tuple[Citation, ...]
    reply: Reply

    @property
    def found(self) -> bool:
        """Whether the documents held an answer; a model says so with `NOT_IN_SOURCES`."""
        return bool(self.citations) or NOT_IN_SOURCES.rstrip(".") not in self.text


def ground(question: str, hits: Sequence[Hit], instructions: str) -> Grounding:
    """The question with the best `MOST_PASSAGES` of `hits`, numbered from 1.

    Args:
        question: in plain words.
        hits: best first.
        instructions: how to answer and to cite; the prompt `answer_from_sources`.
    """
    sources = tuple(_source(hit) for hit in hits[:MOST_PASSAGES])
    passages = "\n\n".join(f"[{n}] {source.title}\n{source.text}" for n, source in enumerate(sources, 1))
    asked = f"Passages:\n\n{passages or '(none was found)'}{BEFORE_QUESTION}{question.strip()}"
    return Grounding((Message("system", instructions), Message("user", asked)), sources)


def cite(reply: Reply, hits: Sequence[Hit]) -> Answer:
    """A model's reply with the passages that it refers to as [1] or [1, 2], outside of code.

    Args:
        reply: what the model said to `ground`'s messages.
        hits: the same as there.
    """
    prose = _FENCE.sub("", reply.text)
    said = {int(number) for mark in _MARK.finditer(prose) for number in re.findall(r"\d+", mark.group(1))}
    cited = [(n, hit) for n, hit in enumerate(hits[:MOST_PASSAGES], 1) if n in said]
    citations = tuple(Citation(n, hit.chunk_id, hit.source, hit.lines) for n, hit in cited)
    return Answer(reply.text, citations, reply)


def _source(hit: Hit) -> Source:
    where = f"{hit.source}, lines {hit.lines[0]}–{hit.lines[1]}" + (f", {hit.heading}" if hit.heading else "")
    text = hit.text if len(hit.text) <= MOST_CHARACTERS else hit.text[: MOST_CHARACTERS - 1] + "…"
    return Source(hit.chunk_id, where, text)

"""The documents, searched and answered from."""

from contextlib import aclosing
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from mcp_server.asker import Asker, asker
from mcp_server.gateway.headers import answered
from mcp_server.rest.replies import Answered
from mcp_server.rest.shapes import Answering, Body, Json, Name, Object, Said, Text, Told, told
from mcp_server.rest.sse import Stream, event, streamed, unless_gone
from toolkit.access.scopes import CHAT, SEARCH
from toolkit.db.keepable import keepable
from toolkit.search.answer import MOST_PASSAGES, TOKENS, Answer
from toolkit.search.documents import Chunk, Hit
from toolkit.search.store import MOST_NEIGHBORS

router = APIRouter(tags=["Documents"], prefix="/v1")

Collections = Name | Annotated[list[Name], Field(min_length=1, max_length=50)]
_WHERE = "What a hit's document must satisfy: equality, or `$gte`, `$in`, `$prefix` and others."
_LINES = "First and last line, counted from 1, both included."


class Search(Body):
    """What to look for."""

    query: Text = told("Words, a question, code, a stack trace.", "circuit breaker")
    collection: Collections | None = told("Where to look; null: everywhere.", "handbook", default=None)
    top_k: int = told("How many hits at most.", 5, default=5, ge=1, le=100)
    where: Object | None = told(_WHERE, {"kind": "markdown"}, default=None)
    cursor: Text | None = told(
        "That of the page before gives the next one, with all else the same.", None, default=None
    )
    mode: Literal["hybrid", "lexical", "semantic"] = told(
        "Words and meaning, words alone, or meaning alone.", "hybrid", default="hybrid"
    )
    diversity: float = told(
        "Above 0, hits that say the same as a better one give way to others.", 0.0, default=0.0, ge=0, le=1
    )
    neighbors: int = told("Chunks before and after each hit.", 0, default=0, ge=0, le=MOST_NEIGHBORS)
    rewrite: bool = told("Have a model say the query in other ways, too; needs `chat`.", False, default=False)


class ChunkTold(Told):
    """A passage beside a hit."""

    chunk_id: str = told("Its id.", "3f9a1c2b7d4e-4")
    lines: tuple[int, int] = told(_LINES, [34, 51])
    text: Said = told("All of it.", "A breaker is half-open after a pause.")

    @classmethod
    def of(cls, chunk: Chunk) -> Self:
        """A chunk as it is told."""
        return cls(chunk_id=chunk.id, lines=chunk.lines, text=chunk.text)


class HitTold(Told):
    """A passage that fits the query."""

    chunk_id: str = told("Its id, by which an answer cites it.", "3f9a1c2b7d4e-3")
    document_id: str = told("Its document's id.", "3f9a1c2b7d4e")
    collection: str = told("Where it was found.", "handbook")
    source: Said = told("The document's path, address or name.", "docs/breakers.md")
    title: Said = told("The document's.", "Circuit breakers")
    heading: Said = told("Where in the document it stands; may be empty.", "Breakers › States")
    lines: tuple[int, int] = told(_LINES, [12, 33])
    place: Said = told("Page, slide, sheet or cell, in words; may be empty.", "page 3")
    text: Said = told("All of it.", "A breaker opens after repeated failure.")
    score: float = told("1.0 for the best hit, the others in proportion.", 1.0)
    highlights: list[tuple[int, int]] = told("Where in `text` the query's words stand.", [[2, 9]])
    metadata: Json = told("The document's own data.", {"lang": "en"})
    neighbors: list[ChunkTold] = told("The chunks around it, where some were asked for.", [])

    @classmethod
    def of(cls, hit: Hit) -> Self:
        """A hit as it is told."""
        fields: dict[str, Any] = {name: getattr(hit, name) for name in cls.model_fields if name != "neighbors"}
        return cls(**fields, neighbors=[ChunkTold.of(each) for each in hit.neighbors])


class Found(Told):
    """The hits of a search, best first."""

    hits: list[HitTold] = told("This page's.", [])
    cursor: str | None = told("For the next page; null: there is none.", None)
    note: str = told("What was left out although it was asked for; mostly empty.", "")


class Question(Body):
    """What to answer from the documents."""

    question: Text = told("In plain words.", "When does a breaker open?")
    collection: Collections | None = told("Where to look; null: everywhere.", "handbook", default=None)
    where: Object | None = told(_WHERE, {"kind": "markdown"}, default=None)
    session_id: Name | None = told("The session that keeps question and answer.", None, default=None)
    model: Name | None = told("A model's name, or `provider/model`; null: the chain.", "small", default=None)
    top_k: int = told("Passages that the model may read.", 8, default=MOST_PASSAGES, ge=1, le=MOST_PASSAGES)
    tokens: int = told("Tokens of all passages together.", TOKENS, default=TOKENS, ge=100, le=1_000_000)
    cache: bool | Literal["refresh"] | None = told(
        "Give the answer of the same question again; null: as TOOLKIT_CACHE_TTL says.", None, default=None
    )
    timeout: float = told("Seconds for everything together.", 60.0, default=60.0, ge=1, le=600)
    stream: bool = told("Piece by piece: events `delta`, then `answer`.", False, default=False)


class CitationTold(Told):
    """A passage that the answer refers to."""

    number: int = told("The mark in the answer: 1 for [1].", 1)
    chunk_id: str = told("Where to read it.", "3f9a1c2b7d4e-3")
    chunk_ids: list[str] = told("Of all chunks of the passage, in order.", ["3f9a1c2b7d4e-3"])
    source: Said = told("The document's path, address or name.", "docs/breakers.md")
    lines: tuple[int, int] = told(_LINES, [12, 33])
    place: Said = told("Page, slide, sheet or cell, in words; may be empty.", "")


class UnsupportedTold(Told):
    """A sentence of the answer that the passages do not bear."""

    start: int = told("Its first character in the answer.", 0)
    end: int = told("The one after its last.", 42)
    reason: str = told("Why.", "other figures")


class AnswerTold(Answered):
    """An answer with the passages that it rests on."""

    answer: Said = told("What the model said; [1] is the citation of that number.", "After repeated failure [1].")
    found: bool = told("Whether the documents held an answer.", True)
    citations: list[CitationTold] = told("By number.", [])
    unsupported: list[UnsupportedTold] = told("Sentences that the passages do not bear.", [])

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """An answer as it is told."""
        return cls(
            **Answered.facts(answer.reply),
            answer=answer.text,
            found=answer.found,
            citations=[CitationTold.model_validate(each) for each in answer.citations],
            unsupported=[
                UnsupportedTold(start=each.start, end=each.end, reason=each.reason) for each in answer.unsupported
            ],
        )


@router.post("/search", summary="Search the documents")
async def search(request: Request, wanted: Search) -> Found:
    """The passages that fit best, by words and meaning: everyone's documents, and your own."""
    who = await asker(request, *((SEARCH, CHAT) if wanted.rewrite else (SEARCH,)))
    fields = wanted.model_dump()
    hits = await unless_gone(request, who.tk.search(**fields, owner=who.owner))
    return Found(hits=[HitTold.of(hit) for hit in hits], cursor=hits.cursor, note=hits.note)


@router.post(
    "/answer",
    response_model=AnswerTold,
    responses={200: {"content": {"text/event-stream": {"example": 'event: delta\ndata: {"text": "After "}\n\n'}}}},
    summary="Answer from the documents",
)
async def answer(request: Request, response: Response, who: Answering, wanted: Question) -> AnswerTold | Response:
    """A model's answer from the best passages, with citations and with the sentences that they do not bear."""
    if wanted.stream:
        return streamed(request, _pieces(who, wanted))
    found = await unless_gone(request, who.tk.answer(wanted.question, **_asked(who, wanted)))
    response.headers.update(answered(found.reply.model, found.reply.attempts))
    return AnswerTold.of(found)


async def _pieces(who: Asker, wanted: Question) -> Stream:
    async with aclosing(who.tk.answer_stream(wanted.question, **_asked(who, wanted))) as pieces:
        async for piece in pieces:
            if isinstance(piece, Answer):
                yield event("answer", AnswerTold.of(piece))
            elif piece.restarted:
                yield event("restart", {"text": keepable(piece.text)})
            elif piece.text:
                yield event("delta", {"text": keepable(piece.text)})


def _asked(who: Asker, wanted: Question) -> dict[str, Any]:
    fields = wanted.model_dump(exclude={"question", "session_id", "stream"})
    caller = {"user": who.user, "origin": who.origin, "authenticated": who.who.authenticated}
    return {**fields, **caller, "session": wanted.session_id}

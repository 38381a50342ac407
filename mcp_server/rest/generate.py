"""Generations: one question at once, piece by piece, in the background, or many."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from mcp_server.asker import Asker
from mcp_server.gateway.headers import answered, left
from mcp_server.gateway.sse import EventStream
from mcp_server.refusals import Refusal
from mcp_server.rest.asking import Generate, GenerateBatch, GenerateStream, Generating, keywords
from mcp_server.rest.replies import Answered, AttemptTold, ErrorTold, Tokens
from mcp_server.rest.shapes import Chatting, Json, Name, Said, Told, id_of, told
from mcp_server.rest.sse import Stream, documented, event, streamed, unless_gone
from toolkit import messages
from toolkit.db.keepable import keepable
from toolkit.errors import NotFound, ToolkitError
from toolkit.jobs.job import Generation
from toolkit.messages import Reply
from toolkit.usage.records import Call

router = APIRouter(tags=["Generations"], prefix="/api/v1/generate")

Id = Annotated[Name, id_of("generation, or the `call_id` of an answer", "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55")]
Wait = Annotated[float, Query(ge=0, le=60, description="Seconds to wait for its end, at most.", examples=[10])]
_STREAM = 'event: delta\ndata: {"text": "Fog "}\n\nevent: delta\ndata: {"text": "lifts."}\n\nevent: done\ndata: {…}\n\n'


class GenerationTold(Told):
    """What became of a question; what is not known yet, or was not kept, is null."""

    id: str = told("Finds it again.", "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55")
    status: str = told("`pending`, `running`, `completed`, `failed` or `cancelled`.", "completed")
    text: Said | None = told("What the model said.", "Fog lifts.", default=None)
    parsed: Json = told("The answer as JSON, where a `response_schema` was given.", None, default=None)
    error: ErrorTold | None = told("Why there is no answer.", None, default=None)
    call_id: str | None = told("The id under which the ledger keeps it.", "0199c7a0-…", default=None)
    session_id: str | None = told("The session in which the turn was kept.", None, default=None)
    model: str | None = told("The name of the model that answered.", "small", default=None)
    finish_reason: str | None = told("`stop`, `length`, `tool_calls` or `content_filter`.", "stop", default=None)
    usage: Tokens | None = told("The tokens of all attempts together.", None, default=None)
    cost_usd: float | None = told("US dollars of all attempts.", 0.000119, default=None)
    cached: bool = told("It came from the cache of answers.", False, default=False)
    milliseconds: float | None = told("From the question to the end of the answer.", 812.5, default=None)
    trimmed: int = told("Oldest messages of the session that the model was not told.", 0, default=0)
    attempts: list[AttemptTold] = told("Every model that was asked, in order.", [], default_factory=list)
    created_at: datetime | None = told("When it was asked.", "2026-03-01T12:00:00Z", default=None)
    ended_at: datetime | None = told("When it ended.", "2026-03-01T12:00:01Z", default=None)

    @classmethod
    def of_reply(cls, reply: Reply) -> Self:
        """An answer that was waited for."""
        facts = Answered.facts(reply)
        parsed = reply.parsed if isinstance(reply.parsed, dict) else None
        return cls(id=reply.call_id, status="completed", text=reply.text, parsed=parsed, **facts)

    @classmethod
    def of_error(cls, error: Exception) -> Self:
        """A question of a batch that nobody answered."""
        said = ErrorTold.of(error)
        return cls(id="", status="failed", error=said, attempts=said.attempts or [])

    @classmethod
    def of_job(cls, job: Generation) -> Self:
        """A question that is answered in the background."""
        facts = Answered.facts(job.reply) if job.reply else {}
        return cls(
            id=job.id,
            status=job.status,
            text=job.reply.text if job.reply else None,
            error=ErrorTold.of(job.failure) if job.failure else None,
            created_at=job.created_at,
            ended_at=job.ended_at,
            **facts,
        )

    @classmethod
    def of_calls(cls, calls: list[Call]) -> Self:
        """An answer that was waited for, as the ledger has it: without what was said."""
        calls = sorted(calls, key=lambda call: call.number)
        last, attempts = calls[-1], [call.attempt for call in calls]
        status = {"ok": "completed", "cached": "completed", "error": "failed"}.get(last.status, "cancelled")
        return cls(
            id=last.call_id,
            status=status,
            call_id=last.call_id,
            session_id=last.session_id,
            model=last.attempt.name if status == "completed" else None,
            usage=Tokens.of(sum((each.usage for each in attempts if each.usage), messages.Usage())),
            cost_usd=messages.cost_of(attempts),
            cached=last.status == "cached",
            milliseconds=sum(each.milliseconds for each in attempts),
            attempts=[AttemptTold.of(each) for each in attempts],
            created_at=calls[0].started_at,
        )


class BatchTold(Told):
    """What became of each question, in their order."""

    results: list[GenerationTold] = told("One for each request; one that failed has its `error`.", [])


@router.post("", responses={202: {"model": GenerationTold, "description": "Accepted"}}, summary="Ask a question")
async def generate(request: Request, response: Response, who: Chatting, wanted: Generate) -> GenerationTold:
    """The answer of the first model that gives one; with `background` its id at once, under which it is read later."""
    asked = await keywords(who, wanted)
    if wanted.background:
        response.status_code = 202
        return GenerationTold.of_job(await _begun(who, asked))
    reply = await unless_gone(request, who.tk.complete(**asked))
    response.headers.update(answered(reply.model, reply.attempts))
    response.headers.update(left(who.tk, who.user, who.origin))
    return GenerationTold.of_reply(reply)


@router.post(
    "/stream", status_code=200, response_class=EventStream, responses=documented(_STREAM), summary="Ask, piece by piece"
)
async def stream(request: Request, who: Chatting, wanted: GenerateStream) -> Response:
    """Events `delta` with the next `text`, `restart` where what came is void, and at the end `done` or `error`.

    Nothing is sent before the first piece is there, so a question that nobody answers has a status of its own.
    """
    asked = await keywords(who, wanted)
    headers = left(who.tk, who.user, who.origin)
    return streamed(request, _pieces(who, {**asked, "on_interrupt": wanted.on_interrupt}, headers), headers)


@router.post("/batch", responses={202: {"model": BatchTold, "description": "Accepted"}}, summary="Ask many questions")
async def batch(request: Request, response: Response, who: Chatting, wanted: GenerateBatch) -> BatchTold:
    """What came of each question, in their order; an error is told in its place, and the others go on.

    With `background` each is accepted as one of its own, and the answer is 202 with their ids.
    """
    if wanted.background:
        response.status_code = 202
    return BatchTold(results=await unless_gone(request, _batch(who, wanted)))


@router.get("/{request_id}", summary="Read a generation")
async def read(request: Request, who: Chatting, request_id: Id, wait: Wait = 0.0) -> GenerationTold:
    """One that is answered in the background; or, by its `call_id` and without its text, one answered at once."""
    try:
        if wait:
            await unless_gone(request, who.tk.jobs.wait(request_id, wait, who.owner))
        return GenerationTold.of_job(await who.tk.jobs.generation(request_id, who.owner))
    except NotFound:
        calls = await who.tk.usage.calls(call_id=request_id, user=who.owner)
        if not calls:
            raise Refusal(404, f"There is no generation {request_id!r}.", "not_found") from None
        return GenerationTold.of_calls(calls)


@router.delete("/{request_id}", summary="Cancel a generation")
async def cancel(who: Chatting, request_id: Id) -> GenerationTold:
    """Have a question answered no more; one that has ended stays as it is."""
    await who.tk.jobs.generation(request_id, who.owner)
    await who.tk.jobs.cancel(request_id, who.owner)
    return GenerationTold.of_job(await who.tk.jobs.generation(request_id, who.owner))


async def _begun(who: Asker, asked: dict[str, Any]) -> Generation:
    return await who.tk.generate(**asked)


async def _pieces(who: Asker, asked: dict[str, Any], headers: dict[str, str]) -> Stream:
    """The events; the first one adds who speaks to the headers, which go with it."""
    async with aclosing(who.tk.stream(**asked)) as deltas:
        async for delta in deltas:
            if delta.attempts:
                headers |= answered(delta.attempts[-1].name, delta.attempts)
            if delta.restarted:
                yield event("restart", {"text": keepable(delta.text)})
            elif delta.text:
                yield event("delta", {"text": keepable(delta.text)})
            if delta.reply:
                yield event("done", GenerationTold.of_reply(delta.reply))


async def _batch(who: Asker, wanted: GenerateBatch) -> list[GenerationTold]:
    asked = [await _asked(who, each) for each in wanted.requests]
    if wanted.background:
        return [each if isinstance(each, GenerationTold) else await _accepted(who, each) for each in asked]
    questions = [each for each in asked if isinstance(each, dict)]
    async with aclosing(who.tk.batch(questions, concurrency=wanted.concurrency)) as outcomes:
        return [each if isinstance(each, GenerationTold) else await _next(outcomes) for each in asked]


async def _asked(who: Asker, wanted: Generating) -> dict[str, Any] | GenerationTold:
    """Its keywords; or why there are none, in its place."""
    try:
        return await keywords(who, wanted)
    except (Refusal, ToolkitError) as error:
        return GenerationTold.of_error(error)


async def _accepted(who: Asker, asked: dict[str, Any]) -> GenerationTold:
    try:
        return GenerationTold.of_job(await _begun(who, asked))
    except ToolkitError as error:
        return GenerationTold.of_error(error)


async def _next(outcomes: AsyncIterator[Reply | ToolkitError]) -> GenerationTold:
    outcome = await anext(outcomes)
    return GenerationTold.of_reply(outcome) if isinstance(outcome, Reply) else GenerationTold.of_error(outcome)

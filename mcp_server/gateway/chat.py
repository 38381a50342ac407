"""`POST /v1/chat/completions`: OpenAI's wire for a question to a model."""

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from mcp_server.asker import Asker, asker
from mcp_server.gateway import headers
from mcp_server.gateway.asked import ChatBody
from mcp_server.gateway.reading import question
from mcp_server.gateway.shapes import Described
from mcp_server.gateway.sse import Attended, EventStream, nobody
from mcp_server.gateway.together import together
from mcp_server.gateway.told import CHUNKS, REFUSALS, ChatCompletion
from mcp_server.gateway.whom import whom
from mcp_server.gateway.writing import Chunks, completion, dumped, event
from mcp_server.refusals import Refusal, refusal_of, request_id_of
from toolkit.access.scopes import CHAT
from toolkit.messages import Delta, Json, Reply
from toolkit.stamps import new_id

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

router = APIRouter(tags=["OpenAI's wire"], route_class=Described)


@router.post(
    "/v1/chat/completions",
    summary="Ask a model",
    description="OpenAI's chat completions, by whichever model of the chain answers first.",
    response_description="The answer; with `stream` its chunks, as server-sent events, and `[DONE]`.",
    responses={200: {"model": ChatCompletion, "content": CHUNKS}, **REFUSALS},
)
async def chat_completions(request: Request, body: ChatBody) -> Response:
    """The answer, whole or as a stream."""
    who = await asker(request, CHAT)
    keywords = {**question(body, who), **await whom(who.tk, body.model, body.fallbacks)}
    asked = [keywords if not number else _once_more(keywords, number) for number in range(body.n or 1)]
    if body.stream:
        telling = _Telling(request, who, body, asked)
        return EventStream(telling.events(), telling.head)
    async with Attended(request.receive):
        replies = await _all(who.tk, asked)
        told = headers.answered(replies[0].model, [attempt for reply in replies for attempt in reply.attempts])
        told |= headers.left(who.tk, keywords["user"], who.origin)
        return Response(dumped(completion(replies, int(time.time()))), 200, told, "application/json")
    return nobody()


def _once_more(keywords: Json, number: int) -> Json:
    """The same question for another answer: the same seed would have the same one."""
    seed = keywords["seed"]
    return {**keywords, "seed": None if seed is None else seed + number}


async def _all(tk: "Toolkit", asked: Sequence[Json]) -> list[Reply]:
    """An answer to each; where one fails the others are cancelled."""
    if len(asked) == 1:
        return [await tk.complete(**asked[0])]
    tasks = [asyncio.create_task(tk.complete(**keywords)) for keywords in asked]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Telling:
    """The answers as events.

    Args:
        request: what is answered.
        who: asks.
        body: what was asked.
        asked: the keywords of each question.

    Attributes:
        head: the headers, once the first event is there.
    """

    def __init__(self, request: Request, who: Asker, body: ChatBody, asked: Sequence[Json]) -> None:
        self.head: dict[str, str] = {}
        self._request = request
        self._who = who
        self._body = body
        self._asked = asked
        self._begun: set[int] = set()
        self._said: set[int] = set()
        self._replies: dict[int, Reply] = {}

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Each as soon as it is there; what fails before the first one is raised."""
        # What was shown cannot be unsaid on this wire: who goes on does so where the other one broke off, and an answer
        # that does not fit its form is not asked for again.
        tk = self._who.tk
        streams = [tk.stream(**each, on_interrupt="continue", validation_retries=0) for each in self._asked]
        chunks: Chunks | None = None
        try:
            async with aclosing(together(streams)) as pieces:
                async for index, delta in pieces:
                    if chunks is None:
                        chunks = await self._begin(delta)
                    if piece := self._piece(chunks, index, delta):
                        yield piece
            if chunks:
                yield chunks.whole([self._replies[index] for index in sorted(self._replies)])
        except Exception as error:
            if not self._begun:
                raise
            yield event(refusal_of(error).body(request_id_of(self._request)))

    async def _begin(self, first: Delta) -> Chunks:
        """Who speaks, and so the headers."""
        model = first.attempts[-1].name if first.attempts else self._body.model or "default"
        self.head |= headers.answered(model, first.attempts)
        self.head |= headers.left(self._who.tk, self._asked[0]["user"], self._who.origin)
        options = self._body.stream_options
        return Chunks(new_id(), int(time.time()), model, with_usage=bool(options and options.include_usage))

    def _piece(self, chunks: Chunks, index: int, delta: Delta) -> bytes:
        """What `delta` adds; empty where it adds nothing."""
        if delta.restarted and index in self._said:
            raise Refusal(502, "The answer broke off and had to begin again; ask again.", "stream_interrupted")
        piece = chunks.piece(index, delta, with_calls=not self._body.toolkit_tools)
        if piece:
            self._said.add(index)
        if index not in self._begun:
            self._begun.add(index)
            piece = chunks.begin(index) + piece
        if delta.reply:
            self._replies[index] = delta.reply
            piece += chunks.end(index, delta.reply)
        return piece

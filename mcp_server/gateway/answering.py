"""What the wires of Messages and Responses share: who is asked, and how the answer goes out, whole or in pieces."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from mcp_server.asker import Asker
from mcp_server.gateway import headers, writing
from mcp_server.gateway.asked import LEAST_TIMEOUT, LONGEST_TIMEOUT, Name
from mcp_server.gateway.reading import USUAL_TIMEOUT
from mcp_server.gateway.shapes import Shape
from mcp_server.gateway.sse import Attended, EventStream, nobody
from mcp_server.gateway.whom import whom
from mcp_server.refusals import Refusal, refusal_of, request_id_of
from toolkit.messages import Attempt, Delta, Json, Reply

Wish: TypeAlias = dict[str, Any]
"""Keywords of `Toolkit.complete` and `Toolkit.stream`."""


class Body(Shape):
    """What a body says on both wires in the same words."""

    model: Name | None = Field(
        None,
        description="A name of `GET /v1/models`, a vendor's own name, `provider/model`; `default` or none: the chain.",
        examples=["default"],
    )
    stream: bool | None = Field(None, description="The answer piece by piece, as server-sent events.", examples=[True])
    session_id: Name | None = Field(
        None, description="The toolkit's: the conversation on the server that the turn continues and is kept in."
    )
    fallbacks: list[Name] | Literal["chain"] | None = Field(
        None,
        description="The toolkit's: models to try after `model`; `chain`: the rest of the chain.",
        examples=["chain"],
    )
    timeout: float | None = Field(
        None,
        ge=LEAST_TIMEOUT,
        le=LONGEST_TIMEOUT,
        description="The toolkit's: seconds for everything together.",
        examples=[120],
    )

    async def wish(self, asker: Asker) -> Wish:
        """Who asks whom, and for how long."""
        return {
            **await whom(asker.tk, self.model, self.fallbacks),
            "session": self.session_id,
            "timeout": self.timeout or USUAL_TIMEOUT,
            "user": asker.user,
            "origin": asker.origin,
            "authenticated": asker.who.authenticated,
        }


class Voice(Protocol):
    """Writes an answer piece by piece, as the events of one wire."""

    def begin(self, model: str) -> Iterable[bytes]:
        """What stands before all others; `model` speaks."""

    def take(self, delta: Delta) -> Iterable[bytes]:
        """The next piece; the last one has the reply."""

    def fail(self, refusal: Refusal) -> Iterable[bytes]:
        """How an answer ends that nobody finishes."""


@dataclass(frozen=True, slots=True)
class Answering:
    """A question on its way to its answer.

    Attributes:
        request: what is answered.
        who: asks.
        wish: what is asked.
        forget: awaited where no answer comes of it.
    """

    request: Request
    who: Asker
    wish: Wish
    forget: Callable[[], Awaitable[None]] | None = None

    async def whole(self, write: Callable[[Reply], Json]) -> Response:
        """The response with the whole answer, in the words of `write`; it is cancelled when the client goes away."""
        async with Attended(self.request.receive):
            reply = await self._reply()
            head = await self._head(reply.model, reply.attempts)
            return Response(writing.dumped(write(reply)), headers=head, media_type="application/json")
        return nobody()

    def in_pieces(self, voice: Voice) -> Response:
        """The response with the answer as a stream of events, in the words of `voice`."""
        head: dict[str, str] = {}
        return EventStream(self._events(voice, head), head)

    async def _events(self, voice: Voice, head: dict[str, str]) -> AsyncGenerator[bytes, None]:
        """The events; `head` gets the headers before the first of them. What fails before it is raised."""
        begun = False
        try:
            async with aclosing(self._deltas()) as deltas:
                async for delta in deltas:
                    events = b""
                    if not begun:
                        model, attempts = _introduced(delta)
                        head |= await self._head(model, attempts)
                        events = b"".join(voice.begin(model))
                        begun = True
                    if events := events + b"".join(voice.take(delta)):
                        yield events
        except Exception as error:
            if not begun:
                raise
            yield b"".join(voice.fail(refusal_of(error)))

    async def _reply(self) -> Reply:
        try:
            return await self.who.tk.complete(**self.wish)
        except BaseException:
            await self._forget()
            raise

    async def _deltas(self) -> AsyncGenerator[Delta, None]:
        kept = False
        try:
            async with aclosing(self.who.tk.stream(**self.wish, on_interrupt="continue")) as deltas:
                async for delta in deltas:
                    kept = delta.reply is not None
                    yield delta
        except BaseException:
            if not kept:
                await self._forget()
            raise

    async def _forget(self) -> None:
        if self.forget:
            await self.forget()

    async def _head(self, model: str, attempts: Sequence[Attempt]) -> dict[str, str]:
        """Who answers, how much may still be asked, and the request's id where Anthropic's clients look for it."""
        left = headers.left(self.who.tk, self.wish["user"], self.wish["origin"])
        named = request_id_of(self.request)
        return {**headers.answered(model, attempts), **left, **({"request-id": named} if named else {})}


def _introduced(first: Delta) -> tuple[str, Sequence[Attempt]]:
    """Who speaks, and who was asked until then."""
    if first.reply:
        return first.reply.model, first.reply.attempts
    return first.attempts[-1].name if first.attempts else "", first.attempts


def account(reply: Reply) -> Json:
    """What stands with the tokens that were counted: who answered, who failed, and what it cost."""
    found: Json = writing.usage([reply])["toolkit"]
    return found


def event(kind: str, data: Json) -> bytes:
    """`data` as a server-sent event of this kind."""
    return b"event: " + kind.encode() + b"\ndata: " + writing.dumped(data) + b"\n\n"

"""A conversation with the models: history in, tools called, the whole turn kept before it is acknowledged."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from contextvars import ContextVar
from dataclasses import replace
from functools import partial
from weakref import WeakValueDictionary

from toolkit.errors import ConfigError, Conflict, DatabaseError, DeadlineExceeded, StreamInterrupted, ToolkitError
from toolkit.messages import Delta, Message, Reply, Source, ToolCall
from toolkit.models.json_text import PartialJson
from toolkit.models.router import Router
from toolkit.sessions.form import Form
from toolkit.sessions.store import Sessions, keepable
from toolkit.sessions.turn import ChatOptions, Turn, in_order, new_to, on_behalf_of
from toolkit.stamps import now
from toolkit.tools.registry import ToolRegistry, no_such

__all__ = ["LONGEST_RESULT", "Chat", "ChatOptions"]

LONGEST_RESULT = 40_000
"""Characters of a tool's result that a model is told, about 10,000 tokens."""

# The sessions whose tools are being run by whoever is running: a turn inside a turn would wait for itself.
_in_a_turn: ContextVar[frozenset[str]] = ContextVar("in_a_turn", default=frozenset())


_USUAL = ChatOptions()


class Chat:
    """Asks models in sessions, and does for them what they want done.

    A model is asked what the session remembers and the question. As long as it asks for tools, they are called, all
    of one answer at once, and it is asked again; a tool's error is told to it in words. Where the answer must fit a
    type and does not, it is asked again with what is wrong. The turn (question, tool calls, results, answer) is then
    kept whole, before the reply is given; of a turn that failed or was cancelled nothing is kept, nor of answers that
    did not fit. Cancelled in the very moment of writing it is kept whole or not at all.

    Two turns in one session are put in order, first come first served. This order is this object's own: of turns in
    two processes each is kept whole, and neither has heard of the other.

    Args:
        sessions: what was said before.
        router: whom to ask.
        tools: what may be called.
    """

    def __init__(self, sessions: Sessions, router: Router, tools: ToolRegistry) -> None:
        self._sessions = sessions
        self._router = router
        self._tools = tools
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()  # those that a turn holds or wants

    async def run(
        self,
        messages: Sequence[Message],
        *,
        session: str | None = None,
        system: str | None = None,
        tools: Sequence[str] = (),
        sources: Sequence[Source] = (),
        remember: Sequence[Message] | None = None,
        options: ChatOptions = _USUAL,
    ) -> Reply:
        """The answer to `messages`.

        Args:
            messages: the question, oldest first. Instructions among them are kept, but not twice.
            session: what was said before, and where the turn is kept; None is nowhere.
            system: instructions for this turn, said before all others and not kept.
            tools: names of what the models may have called; nothing else is called.
            sources: the passages behind the question.
            remember: what is kept as the question instead of `messages`, e.g. without the passages.
            options: how to ask.

        Raises:
            NotFound: no such session, tool or model; no model was asked.
            SessionExpired: the session's time ran out; no model was asked.
            Conflict: a tool of a turn in this session asks for another turn in it.
            ToolError: the models asked for tools `max_rounds` times.
            AnswerInvalid: no answer fitted `options.response_model`.
            ConfigError: `options.response_model` is no type that a model can be asked for; no model was asked.
            AllModelsFailed, DeadlineExceeded, InvalidRequest, ContentRefused: as for `Router.complete`.
        """
        async with self._turn(
            messages,
            session=session,
            system=system,
            tools=tools,
            sources=sources,
            remember=remember,
            options=options,
        ) as turn:
            while True:
                routing = turn.routing
                with turn.as_one():
                    reply = await self._router.complete(turn.request, **routing)
                if await self._is_last(turn, reply):
                    return turn.closed(reply)

    async def stream(
        self,
        messages: Sequence[Message],
        *,
        session: str | None = None,
        system: str | None = None,
        tools: Sequence[str] = (),
        sources: Sequence[Source] = (),
        remember: Sequence[Message] | None = None,
        options: ChatOptions = _USUAL,
    ) -> AsyncGenerator[Delta, None]:
        """The same as `run`, piece by piece; the last piece carries the reply, after the turn was kept.

        What a model says before it asks for tools is passed on too, and is no part of `reply.text`. Where the answer
        must fit a type, pieces have `partial`; a new answer after one that did not fit is announced by a piece with
        `restarted`, and an answer that breaks off is begun again rather than continued.

        A stream that is left before its end keeps its session until it is closed; use `contextlib.aclosing`.

        Raises:
            StreamInterrupted: the answer broke off, and `options.on_interrupt` is `"raise"` or nobody could go on.
            NotFound, SessionExpired, Conflict, ToolError, AnswerInvalid: as for `run`, as are the others.
        """
        async with self._turn(
            messages,
            session=session,
            system=system,
            tools=tools,
            sources=sources,
            remember=remember,
            options=options,
        ) as turn:
            misfits = 0
            while True:
                last: Delta | None = None
                shown = _Shown(turn.form, anew=turn.misfits > misfits)
                misfits = turn.misfits
                routing = turn.routing
                with turn.as_one():
                    pieces = self._router.stream(turn.request, **routing, on_interrupt=turn.on_interrupt)
                    async with aclosing(pieces) as deltas:
                        async for delta in deltas:
                            last = shown.take(delta)
                            if delta.reply is None:
                                yield last
                if last is None or last.reply is None:
                    raise StreamInterrupted(
                        "The answer ended without its end; ask again.", text="", attempts=turn.attempts
                    )
                if await self._is_last(turn, last.reply):
                    yield replace(last, reply=turn.closed(last.reply))
                    return
                if last.text:
                    yield replace(last, reply=None)

    @asynccontextmanager
    async def _turn(
        self,
        messages: Sequence[Message],
        *,
        session: str | None,
        system: str | None,
        tools: Sequence[str],
        sources: Sequence[Source],
        remember: Sequence[Message] | None,
        options: ChatOptions,
    ) -> AsyncIterator[Turn]:
        """A turn that may begin: its session is alive and nobody else speaks in it."""
        begun = time.monotonic()
        if not messages:
            raise ConfigError("There is nothing to ask; give at least one message.")
        if options.validation_retries < 0:
            raise ConfigError(f"validation_retries must be at least 0 (it is {options.validation_retries}).")
        form = None if options.response_model is None else Form.of(options.response_model)
        specs = tuple(self._tools.get(name).spec for name in tools)
        async with self._alone_in(session, options.timeout):
            looked_at = now()
            found, history = await self._sessions.read(session) if session else (None, [])
            turn = Turn(
                options=options,
                session=session,
                caller=on_behalf_of(options.caller, found),
                asked=in_order(history, messages, system),
                kept=new_to(history, messages if remember is None else remember),
                tools=specs,
                sources=tuple(sources),
                form=form,
                begun=begun,
                looked_at=looked_at,
                ttl=found.ttl_seconds if found else None,
            )
            try:
                yield turn
            finally:
                await self._settle(turn)

    @asynccontextmanager
    async def _alone_in(self, session: str | None, seconds: float) -> AsyncIterator[None]:
        if session is None:
            yield
            return
        if session in _in_a_turn.get():
            raise Conflict(f"Session {session} is in the middle of the turn that asks for this; leave the session out.")
        lock = self._locks.setdefault(session, asyncio.Lock())
        try:
            async with asyncio.timeout(seconds):
                await lock.acquire()
        except TimeoutError as error:
            raise DeadlineExceeded(seconds) from error
        try:
            yield
        finally:
            lock.release()

    async def _is_last(self, turn: Turn, reply: Reply) -> bool:
        """Note the reply; then keep the turn, or do what the model wants done, or have it answer again."""
        turn.heard(reply)
        if reply.message.tool_calls:
            await self._settle(turn)
            turn.add(reply.message, *await self._call_all(turn, reply.message.tool_calls))
            return False
        if not turn.accepts(reply):
            return False
        if turn.session:
            await self._keep(turn, turn.session)
        return True

    async def _keep(self, turn: Turn, session: str) -> None:
        """Keep the turn, and what it cost, in one write."""
        append = partial(
            self._sessions.append, session, turn.kept, call_id=turn.call_id, begun_at=turn.looked_at, ttl=turn.ttl
        )
        try:
            await append(also=turn.unwritten)
        except DatabaseError as error:
            if type(error) is not DatabaseError:
                raise
            # It may be the ledger that cannot be written, which must not cost the turn.
            await append()
        else:
            turn.unwritten.clear()

    async def _settle(self, turn: Turn) -> None:
        """Write the rows of the ledger that were not kept with a turn."""
        rows = turn.unwritten.copy()
        turn.unwritten.clear()
        await self._router.keep(rows)

    async def _call_all(self, turn: Turn, calls: Sequence[ToolCall]) -> list[Message]:
        before = _in_a_turn.set(_in_a_turn.get() | ({turn.session} if turn.session else set()))
        try:
            async with asyncio.timeout(turn.left):
                return await asyncio.gather(*(self._call(turn, call) for call in calls))
        except TimeoutError as error:
            raise DeadlineExceeded(turn.options.timeout, turn.attempts) from error
        finally:
            _in_a_turn.reset(before)

    async def _call(self, turn: Turn, call: ToolCall) -> Message:
        """The result of one call, or in words why there is none."""
        offered = [spec.name for spec in turn.tools]
        if call.name not in offered:  # it may be registered all the same: what was not offered is not allowed
            return Message("tool", f"Error: {no_such('tool', call.name, offered)}", tool_call_id=call.id)
        try:
            text = (await self._tools.call(call.name, call.arguments, turn.context)).text
        except ToolkitError as error:
            text = f"Error: {error}"
        return Message("tool", _cut(keepable(text)), tool_call_id=call.id)


class _Shown:
    """One answer of a turn, as a reader sees it.

    Args:
        form: what it must fit, None for free text.
        anew: what was shown of the answer before does not stand.
    """

    def __init__(self, form: Form | None, *, anew: bool) -> None:
        self._form = form
        self._anew = anew
        self._partial = PartialJson()

    def take(self, delta: Delta) -> Delta:
        """What the reader gets for the router's `delta`."""
        if self._form is None:
            return delta
        if delta.restarted:
            self._partial = PartialJson()
        restarted = delta.restarted or (self._anew and bool(delta.text or delta.tool_calls))
        self._anew = self._anew and not restarted
        partial = self._partial.add(delta.text)
        if delta.reply:
            partial = self._partial.whole()
        return replace(delta, partial=self._form.unwrap(partial), restarted=restarted)


def _cut(text: str) -> str:
    if len(text) <= LONGEST_RESULT:
        return text
    return f"{text[:LONGEST_RESULT]}\n[Cut: these are the first {LONGEST_RESULT:,} of {len(text):,} characters.]"

"""A conversation with the models: history in, tools called, the whole turn kept before it is acknowledged."""

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial

from toolkit.db.keepable import keepable
from toolkit.errors import (
    CassetteError,
    ConfigError,
    DatabaseError,
    DeadlineExceeded,
    StreamInterrupted,
    ToolkitError,
    choices,
)
from toolkit.messages import NOT_APPROVED, CalledTool, Delta, Message, Reply, Source, ToolCall, ToolSpec
from toolkit.models.facts import facts_of
from toolkit.models.json_text import PartialJson
from toolkit.models.tokens import count
from toolkit.sessions.asking import Asking
from toolkit.sessions.exclusive import Exclusive, Held
from toolkit.sessions.filling import Filling
from toolkit.sessions.memory import Memory
from toolkit.sessions.schema_form import AnyForm, form_of
from toolkit.sessions.store import Sessions
from toolkit.sessions.turn import ChatOptions, Turn, in_order, new_to, on_behalf_of
from toolkit.stamps import begin, monotonic, now
from toolkit.tools.registry import ToolRegistry, no_such
from toolkit.usage.ledger import Ledger

__all__ = ["Chat", "ChatOptions"]

_USUAL = ChatOptions()
_log = logging.getLogger(__name__)


class Chat:
    """Asks models in sessions, and does for them what they want done.

    A model is asked what the session remembers and the question. As long as it asks for tools, they are called, all
    of one answer at once, and it is asked again; a tool's error is told to it in words. Where the answer must fit a
    type and does not, it is asked again with what is wrong. The turn (question, tool calls, results, answer) is then
    kept whole, before the reply is given; of a turn that failed or was cancelled nothing is kept, nor of answers that
    did not fit. Cancelled in the very moment of writing it is kept whole or not at all. Only a stream with
    `keep_partial` keeps what was said until it was cancelled.

    Two turns in one session are put in order, whichever processes they are in. The turn of a process that was killed
    keeps the others waiting for `exclusive.LEASE` seconds at most.

    Args:
        sessions: what was said before.
        asking: whom to ask.
        ledger: gets what is not written with a turn.
        tools: what may be called.
    """

    def __init__(self, sessions: Sessions, asking: Asking, ledger: Ledger, tools: ToolRegistry) -> None:
        self._sessions = sessions
        self._asking = asking
        self._ledger = ledger
        self._tools = tools
        self._exclusive = Exclusive(sessions)

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
            RateLimited, BudgetExceeded: a limit is used up, or the day's money.
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
                with turn.as_one():
                    reply = await self._asking.complete(turn)
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

        What a model says before it asks for tools is passed on too, and is no part of `reply.text`; a piece with
        `called` says what the tools gave. Where the answer must fit a type, pieces have `partial`; a new answer after
        one that did not fit is announced by a piece with `restarted`, and an answer that breaks off is begun again
        rather than continued.

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
            try:
                async with aclosing(self._rounds(turn)) as deltas:
                    async for delta in deltas:
                        yield delta
            except (asyncio.CancelledError, GeneratorExit):
                await self._break_off(turn)
                raise

    async def _rounds(self, turn: Turn) -> AsyncGenerator[Delta, None]:
        """The answers of the models that speak in a turn, one after the other, and between them what tools gave."""
        misfits = 0
        while True:
            last: Delta | None = None
            shown = _Shown(turn.form, anew=turn.misfits > misfits)
            misfits = turn.misfits
            with turn.as_one():
                async with aclosing(self._asking.stream(turn)) as deltas:
                    async for delta in deltas:
                        last = shown.take(delta)
                        if last.restarted:
                            turn.growing.clear()
                        turn.growing.append(last.text)
                        if delta.reply is None:
                            yield last
            if last is None or last.reply is None:
                raise StreamInterrupted("The answer ended without its end; ask again.", text="", attempts=turn.attempts)
            if await self._is_last(turn, last.reply):
                yield replace(last, reply=turn.closed(last.reply))
                return
            if last.text or turn.called:
                yield replace(last, reply=None, called=tuple(each for _, each in sorted(turn.called.items())))

    async def filling(
        self, session: str, *, model: str | None = None, tools: Sequence[str] = (), owner: str | None = None
    ) -> Filling:
        """How much of a model's window a session takes.

        Args:
            session: which one.
            model: who would be asked; None is the chain, of which the first counts.
            tools: names of what it may have called.
            owner: whose the session must be.

        Raises:
            NotFound: no such session, tool or model.
            SessionExpired: the session's time ran out.
        """
        messages = await self._sessions.messages(session, owner=owner)
        specs = [self._tools.get(name).spec for name in tools]
        first = (await self._asking.outlook(messages or [Message("user")], model)).first
        return Filling(first.name, count(messages, specs, first.model), facts_of(first).context_window)

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
        begun = begin()
        if not messages:
            raise ConfigError("There is nothing to ask; give at least one message.")
        if options.validation_retries < 0:
            raise ConfigError(f"validation_retries must be at least 0 (it is {options.validation_retries}).")
        if tools and options.offered:
            raise ConfigError("Offer either `tools`, which are called here, or tools that the caller runs, not both.")
        specs = tuple(self._tools.get(name).spec for name in tools)
        _check_choice(options.tool_choice, options.offered or specs)
        form = None if options.response_model is None else form_of(options.response_model)
        async with self._alone_in(session, options) as held:
            found, history = (held.session, held.messages) if held else (None, [])
            turn = Turn(
                options=options,
                held=held,
                memory=Memory(history, found.summary if found else None),
                caller=on_behalf_of(options.caller, found),
                asked=in_order(history, messages, system),
                kept=new_to(history, messages if remember is None else remember),
                tools=specs,
                sources=tuple(sources),
                form=form,
                begun=begun,
                looked_at=now(),
            )
            try:
                yield turn
            finally:
                await self._settle(turn)

    @asynccontextmanager
    async def _alone_in(self, session: str | None, options: ChatOptions) -> AsyncIterator[Held | None]:
        if session is None:
            yield None
            return
        async with self._exclusive.turn(session, seconds=options.timeout, owner=options.caller.owner) as held:
            yield held

    async def _is_last(self, turn: Turn, reply: Reply) -> bool:
        """Note the reply; then keep the turn, or do what the model wants done, or have it answer again."""
        turn.heard(reply)
        if reply.message.tool_calls and turn.options.offered:
            turn.add(reply.message)
        elif reply.message.tool_calls:
            await self._settle(turn)
            turn.calling = reply.message
            await self._call_all(turn, reply.message.tool_calls)
            turn.add_called()
            return False
        elif not turn.accepts(reply):
            return False
        if turn.held:
            await self._keep(turn, turn.held)
        return True

    async def _keep(self, turn: Turn, held: Held) -> None:
        """Keep the turn, and what it cost, and give the session free, in one write."""
        append = partial(
            self._sessions.append,
            held.session.id,
            turn.kept,
            call_id=turn.call_id,
            begun_at=turn.looked_at,
            ttl=held.session.ttl_seconds,
            turn_id=held.turn_id,
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
        held.kept = True

    async def _break_off(self, turn: Turn) -> None:
        """Keep what there is of an answer that is left before its end, if that is wished; a failure goes to the log."""
        if not (turn.held and turn.options.keep_partial) or turn.held.kept or turn.form or not turn.break_off():
            return
        try:
            await self._keep(turn, turn.held)
        except ToolkitError as error:  # why the stream ends is what is to be told
            _log.warning("A stopped answer in session %s could not be kept: %s", turn.session, error)

    async def _settle(self, turn: Turn) -> None:
        """Write the rows of the ledger that were not kept with a turn."""
        rows = turn.unwritten.copy()
        turn.unwritten.clear()
        await self._ledger.write(rows)

    async def _call_all(self, turn: Turn, calls: Sequence[ToolCall]) -> None:
        """Call what may be called, all at once; `turn.called` gets what came of each."""
        async with self._exclusive.running_tools(turn.session):
            forbidden = [await self._forbidden(turn, call) for call in calls]
            try:
                async with asyncio.timeout(turn.left):
                    await asyncio.gather(*map(partial(self._call, turn), range(len(calls)), calls, forbidden))
            except TimeoutError as error:
                raise DeadlineExceeded(turn.options.timeout, turn.attempts) from error

    async def _call(self, turn: Turn, place: int, call: ToolCall, forbidden: str) -> None:
        """Note the result of one call, or in words why there is none."""
        begun = monotonic()
        if turn.results.answers(call):
            text, failed = turn.results.read(call).text, False
        else:
            text, failed = (forbidden, True) if forbidden else await self._told(turn, call)
            text = turn.results.take(call, text)
        refused = forbidden == NOT_APPROVED
        turn.called[place] = CalledTool(call, text, failed, refused, (monotonic() - begun) * 1000)

    async def _told(self, turn: Turn, call: ToolCall) -> tuple[str, bool]:
        """What a tool gives, or its error in words, and whether it is one."""
        try:
            return str(keepable((await self._tools.call(call.name, call.arguments, turn.context)).text)), False
        except CassetteError:
            raise
        except ToolkitError as error:
            return f"Error: {keepable(str(error))}", True

    async def _forbidden(self, turn: Turn, call: ToolCall) -> str:
        """Why a call may not be made, in words for the model; empty if it may."""
        offered = [spec.name for spec in turn.tools]
        if turn.results.answers(call):
            return ""
        if call.name not in offered:  # it may be registered all the same: what was not offered is not allowed
            return f"Error: {no_such('tool', call.name, offered)}"
        begun = monotonic()
        try:
            if await self._approved(turn, call):
                return ""
            await self._tools.refused(call.name, call.arguments, turn.context, "It was not approved.")
        except CassetteError:
            raise
        except ToolkitError as error:
            return f"Error: {keepable(str(error))}"
        finally:
            turn.approving += monotonic() - begun
        return NOT_APPROVED

    async def _approved(self, turn: Turn, call: ToolCall) -> bool:
        """Whether nobody need be asked, or who was asked agreed."""
        approve, tool = turn.options.approve, self._tools.get(call.name)
        if approve is None or not tool.destructive:
            return True
        said = approve(call, tool)
        return await said if inspect.isawaitable(said) else said


def _check_choice(choice: str | None, tools: Sequence[ToolSpec]) -> None:
    names = [tool.name for tool in tools]
    if choice in (None, "none") or (choice == "required" and names) or choice in names:
        return
    raise ConfigError(f"tool_choice is {choice!r}, and among the tools {choices(names)}.")


class _Shown:
    """One answer of a turn, as a reader sees it.

    Args:
        form: what it must fit, None for free text.
        anew: what was shown of the answer before does not stand.
    """

    def __init__(self, form: AnyForm | None, *, anew: bool) -> None:
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

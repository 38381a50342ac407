"""The router: asks the models of a chain in order until one answers, within one deadline."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeAlias, TypeVar

from toolkit import providers, stamps
from toolkit.db import Statement
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, ToolkitError
from toolkit.messages import Caller, ChatRequest, Completion, Delta, Embeddings, Reply
from toolkit.models import news
from toolkit.models.call import Call, understood
from toolkit.models.candidates import Candidates, Fallbacks, too_small_for
from toolkit.models.catalog import Catalog
from toolkit.models.connections import Connect, Connections
from toolkit.models.doors import Doors, KeyHealth, Pass
from toolkit.models.facts import filled
from toolkit.models.hedging import SLOWER, hedged, reason
from toolkit.models.model import Model
from toolkit.models.outlook import Outlook
from toolkit.models.pace import Kind, Pace
from toolkit.models.quotas import Quotas, tokens_of
from toolkit.models.retry import GRACE, is_final
from toolkit.models.speech import Speech
from toolkit.models.streaming import OnInterrupt, Shown
from toolkit.models.tokens import count_text
from toolkit.models.turns import Turns
from toolkit.providers.base import Provider
from toolkit.usage.ledger import Ledger
from toolkit.usage.limits import Limits

T = TypeVar("T", Completion, Embeddings)
Hedge: TypeAlias = bool | float
Ask: TypeAlias = Callable[[Provider, Model, float], Awaitable[T]]

_NOBODY = Caller()


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[T]):
    """What came of one attempt: an answer, or an error."""

    leave: Pass
    answer: T | None = None
    error: ToolkitError | None = None


class Router:
    """Chooses who answers. What an error of one model means for the call stands in `retry`, for its key in `breaker`.

    Args:
        catalog: the models, and their order.
        ledger: gets a row for each attempt.
        environ: names to values, for the variables that rows refer to.
        limits: how much each model may be asked.
        connect: connects to a vendor.
        sleep: waits some seconds; a test passes its own.
        clock: seconds from any fixed point; a test passes its own.
    """

    def __init__(
        self,
        catalog: Catalog,
        ledger: Ledger,
        environ: Mapping[str, str],
        *,
        limits: Limits | None = None,
        connect: Connect = providers.connect,
        sleep: Callable[[float], Awaitable[None]] = stamps.sleep,
        clock: Callable[[], float] = stamps.monotonic,
    ) -> None:
        self._candidates = Candidates(catalog)
        self._ledger = ledger
        self._environ = environ
        self._connections = Connections(connect)
        self._doors = Doors(environ, clock)
        self._pace = Pace(ledger)
        self._quotas = Quotas(limits, ledger)
        self._sleep = sleep
        self._clock = clock

    async def complete(
        self,
        request: ChatRequest,
        *,
        model: str | Model | None = None,
        scope: str = "global",
        fallbacks: Fallbacks = (),
        timeout: float = 60.0,
        caller: Caller = _NOBODY,
        call_id: str | None = None,
        requirements: Mapping[str, Any] | None = None,
        hedge: Hedge = False,
        later: list[Statement] | None = None,
    ) -> Reply:
        """The whole answer of the first model that gives one.

        Args:
            request: what is asked.
            model: a name or id, `provider/model`, `"default"`, or None for the chain of `scope`. A model that is
                named is asked alone, unless there are fallbacks. A `Model` is asked even if it is disabled.
            scope: whose chain.
            fallbacks: names of the models to ask after that, or `"chain"` for the rest of the chain; disabled ones
                are passed over.
            timeout: seconds for the whole call.
            caller: on whose behalf, for the ledger.
            call_id: for the ledger; a new one if not given.
            requirements: what a model must have, and which of those that do is asked first; see `requirements.select`.
            hedge: ask a second model, too, when the first one takes longer than 95 of 100 of its answers did, or than
                this many seconds; the faster one is taken, the other one cancelled.
            later: gets the ledger's rows of the answer instead of the ledger, for a caller who writes them together
                with the conversation, or gives them to `keep`.

        Raises:
            AllModelsFailed: nobody answered.
            DeadlineExceeded: the time ran out.
            InvalidRequest: a vendor refused the request itself.
            ContentRefused: a vendor's policy refused the content.
            NotFound: there is no such model.
            ConfigError: the model is disabled, there is none to ask, or none that satisfies the requirements.
        """
        _check(hedge)
        call = self._call("chat", caller, timeout, call_id, later)
        found = await self._candidates.find(request, model, scope, fallbacks, requirements)

        async def ask(provider: Provider, asked: Model, limit: float) -> Completion:
            question = filled(asked, request)
            async with self._quotas.of(asked, lambda: tokens_of(question, asked.model)) as used:
                completion = await provider.complete(question, asked.model, timeout=limit)
                used(completion.usage)
                return completion

        answered, completion = await self._first(call, self._turns(call, found), ask, hedge)
        return call.reply(answered, completion, completion.message)

    async def stream(
        self,
        request: ChatRequest,
        *,
        model: str | Model | None = None,
        scope: str = "global",
        fallbacks: Fallbacks = (),
        timeout: float = 60.0,
        caller: Caller = _NOBODY,
        call_id: str | None = None,
        requirements: Mapping[str, Any] | None = None,
        hedge: Hedge = False,
        later: list[Statement] | None = None,
        on_interrupt: OnInterrupt = "continue",
    ) -> AsyncGenerator[Delta, None]:
        """The answer in pieces; the last one has the `reply`. Closing it early cancels the vendor's request.

        Nothing is given before the first text or tool call is there, so a failure before it is not seen. A model that
        says nothing for long, or drips so that it cannot end in time, is left for the next one.

        Args:
            request: as for `complete`, like the arguments that are not named here.
            model: as for `complete`.
            scope: as for `complete`.
            fallbacks: as for `complete`.
            timeout: seconds for the whole call, to the end of the answer.
            caller: as for `complete`.
            call_id: as for `complete`.
            requirements: as for `complete`.
            hedge: as for `complete`, until the first words: whose words come first goes on.
            later: as for `complete`.
            on_interrupt: what happens when the answer breaks off. `continue`: the next model goes on from the text
                so far. `restart`: it begins again, with a piece that is marked `restarted`. `raise`: nobody is asked.

        Raises:
            StreamInterrupted: the answer broke off after some text, and nobody finished it.
            ToolkitError: before any text, what `complete` raises.
        """
        _check(hedge)
        call = self._call("stream", caller, timeout, call_id, later)
        turns = self._turns(call, await self._candidates.find(request, model, scope, fallbacks, requirements))
        shown = Shown(on_interrupt)
        before: Pass | None = None
        error: ToolkitError | None = None
        while leave := await turns.next(before, error, onward=shown.begun):
            speech = self._speech(call, turns, leave)
            try:
                speech = await self._begun(call, turns, speech, request=request, shown=shown, hedge=hedge)
                introduced = False
                async for piece in speech:
                    if delta := shown.take(piece):
                        yield delta if introduced else replace(delta, attempts=speech.introduced())
                        introduced = True
                completion = speech.whole(shown.text, standing=shown.standing)
            except (asyncio.CancelledError, GeneratorExit):
                speech.cancelled()
                await speech.aclose()
                await call.settled()
                raise
            except Exception as surprise:  # noqa: BLE001 - whatever one model does, the next one is asked
                before, error = speech.leave, speech.failed(surprise)
                await speech.aclose()
                turns.leave_out(too_small_for(error, speech.model))
                if shown.ends_with(error, speech.model):
                    break
                continue
            speech.answered(completion)
            await speech.aclose()
            await call.settled()
            yield Delta(reply=call.reply(speech.model, completion, completion.message))
            return
        await call.settled()
        shown.give_up(call, before.model if before else None, error)

    async def embed(
        self, texts: Sequence[str], *, model: str, timeout: float = 60.0, caller: Caller = _NOBODY
    ) -> list[list[float]]:
        """One vector per text, in order, all of one model: another model's would not compare with them.

        Args:
            texts: what to embed; nobody is asked where there are none.
            model: a name or id, or `provider/model`.
            timeout: seconds for the whole call.
            caller: on whose behalf, for the ledger.

        Raises:
            ToolkitError: what `complete` raises.
        """
        if not texts:
            return []
        call = self._call("embed", caller, timeout)
        found = await self._candidates.named(model)

        async def ask(provider: Provider, asked: Model, limit: float) -> Embeddings:
            async with self._quotas.of(asked, lambda: sum(count_text(text, asked.model) for text in texts)) as used:
                embeddings = await provider.embed(texts, asked.model, timeout=limit)
                used(embeddings.usage)
                return embeddings

        _, embeddings = await self._first(call, self._turns(call, [found]), ask, hedge=False)
        return embeddings.vectors

    async def outlook(
        self,
        request: ChatRequest,
        *,
        model: str | Model | None = None,
        scope: str = "global",
        fallbacks: Fallbacks = (),
        requirements: Mapping[str, Any] | None = None,
    ) -> Outlook:
        """What is known of those who would be asked `request`; the arguments are those of `complete`.

        Raises:
            NotFound, ConfigError: as for `complete`.
        """
        return await Outlook.of(await self._candidates.find(request, model, scope, fallbacks, requirements))

    async def keep(self, rows: Sequence[Statement]) -> None:
        """Give the ledger the rows that a caller got as `later`; never raises."""
        await self._ledger.write(rows)

    def health(self) -> Listing[KeyHealth]:
        """How every key of every model fares that was asked since the start."""
        return self._doors.health()

    async def close(self) -> None:
        """Let go of every connection, and wait for the ledger's last rows."""
        await self._connections.close()
        await self._ledger.flush()

    def _call(
        self,
        kind: str,
        caller: Caller,
        timeout: float,
        call_id: str | None = None,
        later: list[Statement] | None = None,
    ) -> Call:
        return Call(
            self._ledger,
            self._environ,
            kind=kind,
            caller=caller,
            seconds=timeout,
            call_id=call_id,
            later=later,
            clock=self._clock,
        )

    def _turns(self, call: Call, candidates: Sequence[Model]) -> Turns:
        return Turns(call, candidates, self._doors, clock=self._clock, sleep=self._sleep)

    async def _first(self, call: Call, turns: Turns, ask: Ask[T], hedge: Hedge) -> tuple[Model, T]:
        """The first answer that `ask` gets, and whose it is."""
        before: Pass | None = None
        error: ToolkitError | None = None
        while leave := await turns.next(before, error):
            *others, last = await self._hedged(call, turns, leave, ask, hedge)
            if last.answer is not None:
                await call.settled()
                return last.leave.model, last.answer
            for other in others:
                turns.put_off(other.leave.model, other.error)
            before, error = last.leave, last.error
            if error is not None and is_final(error, before.model):
                await call.settled()
                raise error
            turns.leave_out(too_small_for(error, before.model))
        await call.settled()
        raise call.failure() from error

    async def _hedged(
        self, call: Call, turns: Turns, leave: Pass, ask: Ask[T], hedge: Hedge
    ) -> Sequence["_Outcome[T]"]:
        """What came of an attempt, and of a second one at its side if it took long; an answer comes last."""
        passes = [leave]

        def second() -> Coroutine[Any, Any, _Outcome[T]] | None:
            other = turns.spare()
            if other is None:
                return None
            passes.append(other)
            return self._attempt(call, turns, other, ask)

        try:
            after = await self._patience(leave.model, "whole", hedge)
            first = self._attempt(call, turns, leave, ask)
            if after is None:
                return [await first]
            return await hedged(first, second, after=after, good=lambda outcome: outcome.error is None)
        finally:
            for each in passes:  # harmless for those who have given it back
                self._doors.leave(each, cancelled=True)

    async def _attempt(self, call: Call, turns: Turns, leave: Pass, ask: Ask[T]) -> "_Outcome[T]":
        """Ask one model once, and note what came of it."""
        start = call.start()
        model = leave.model
        news.asking(model.name, call.attempts)
        try:
            async with self._connections.use(model, leave.key, within=call.left()) as provider:
                limit = turns.limit(leave)
                async with asyncio.timeout(min(limit + GRACE, call.left())):
                    answer = await ask(provider, model, limit)
        except asyncio.CancelledError as gone:
            self._doors.leave(leave, cancelled=True)
            call.cancelled(leave, start, reason(gone))
            await call.settled()
            raise
        except Exception as surprise:  # noqa: BLE001 - whatever one model does, the next one is asked
            error = understood(surprise, model)
            self._doors.leave(leave, error)
            call.failed(leave, start, error)
            return _Outcome(leave, error=error)
        self._doors.leave(leave)
        self._pace.note(model.name, "whole", self._clock() - start.clock)
        call.answered(leave, start, answer)
        return _Outcome(leave, answer)

    def _speech(self, call: Call, turns: Turns, leave: Pass) -> Speech:
        limit, others = turns.limit(leave), turns.others_follow
        return Speech(call, leave, self._doors, self._pace, self._quotas, limit=limit, others=others)

    async def _begun(
        self, call: Call, turns: Turns, speech: Speech, *, request: ChatRequest, shown: Shown, hedge: Hedge
    ) -> Speech:
        """The attempt whose first words came first: `speech`, or another at its side if it took long.

        It may have failed; it then raises that when it is listened to.
        """

        async def begin(one: Speech) -> Speech:
            question = shown.ask(filled(one.model, request), anew=providers.last_resort(one.model.provider))
            await one.begin(self._connections, question)
            return one

        after = None if shown.begun else await self._patience(speech.model, "first", hedge)
        if after is None:
            return await begin(speech)
        speeches = [speech]

        def second() -> Coroutine[Any, Any, Speech] | None:
            leave = turns.spare()
            if leave is None:
                return None
            speeches.append(self._speech(call, turns, leave))
            return begin(speeches[-1])

        chosen = None
        try:
            *_, chosen = await hedged(begin(speech), second, after=after, good=lambda one: one.surprise is None)
            return chosen
        finally:
            for one in speeches:
                if one is chosen:
                    continue
                if one.surprise is None:
                    one.cancelled(SLOWER if chosen else None)
                else:
                    turns.put_off(one.model, one.failed(one.surprise))
                await one.aclose()

    async def _patience(self, model: Model, kind: Kind, hedge: Hedge) -> float | None:
        """Seconds after which a second model is asked at the side of `model`; None if nobody is, or it is unknown."""
        if isinstance(hedge, bool):
            return await self._pace.p95(model.name, kind) if hedge else None
        return hedge


def _check(hedge: Hedge) -> None:
    if not isinstance(hedge, bool) and not hedge > 0:
        raise ConfigError(f"hedge must be True, False or a number of seconds above 0 (it is {hedge}).")

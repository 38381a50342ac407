"""One question of a turn to the models: from the cache if it was asked before, within the limits, cut to the window."""

import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any, Final, Literal

from toolkit import providers
from toolkit.errors import AllModelsFailed, ToolkitError
from toolkit.messages import Attempt, Caller, ChatRequest, Delta, Message, Reply, ToolCallFragment, cost_of
from toolkit.models.outlook import Outlook
from toolkit.models.router import Router
from toolkit.models.tokens import count, count_message
from toolkit.sessions.session import Summary
from toolkit.sessions.store import Sessions
from toolkit.sessions.turn import Turn
from toolkit.sessions.window import room
from toolkit.stamps import now
from toolkit.usage.cache import Cached, CacheKey, Flight, ResponseCache
from toolkit.usage.ledger import Ledger
from toolkit.usage.limits import Admission, Limits

USUAL_TTL: Final = 3600
"""Seconds that an answer is kept whose caller wants it kept, where the settings do not say how long."""

_SHORT = 8_000  # characters that fit into every model's window
_TRIES = 4  # how often a conversation is cut that did not fit although it should have
_SHORTER = 0.6  # the part of it that is tried next
_KEPT = frozenset({"stop", "tool_calls", "length"})  # the ends of answers that may be given again
_LONGEST_SUMMARY = 800  # tokens
_SUM_UP = (
    "Sum up this conversation for one who will go on with it: what is wanted, what was found and decided, names, "
    "numbers and open questions. Leave out what was settled and is of no more use. Write plain sentences."
)
_log = logging.getLogger(__name__)


class Asking:
    """Asks the router, and spares it what can be spared.

    Args:
        router: whom to ask.
        sessions: where a summary of a conversation is kept.
        ledger: gets a row for an answer of the cache, too.
        limits: how much may be asked.
        cache: what was answered before.
        ttl: seconds that answers are kept where the caller does not say; None keeps none.
        summary_model: sums up what models are not told; None leaves it out.
    """

    def __init__(
        self,
        router: Router,
        sessions: Sessions,
        ledger: Ledger,
        limits: Limits,
        cache: ResponseCache,
        *,
        ttl: int | None = None,
        summary_model: str | None = None,
    ) -> None:
        self._router = router
        self._sessions = sessions
        self._ledger = ledger
        self._limits = limits
        self._cache = cache
        self._ttl = ttl
        self._summary_model = summary_model

    async def complete(self, turn: Turn) -> Reply:
        """The next answer of a turn; raises what `Router.complete` does, and RateLimited and BudgetExceeded."""
        await self._prepare(turn)
        async with self._flight(turn) as flight:
            if flight and flight.found:
                return self._again(turn, flight.found, "chat")
            reply = await self._fitting(turn)
            await self._keep(flight, reply, ())
            return reply

    async def stream(self, turn: Turn) -> AsyncGenerator[Delta, None]:
        """The same piece by piece; the last piece carries the reply."""
        await self._prepare(turn)
        async with self._flight(turn) as flight:
            if flight and flight.found:
                once: tuple[Attempt, ...] = (
                    Attempt(flight.found.model, flight.found.provider, flight.found.vendor_model),
                )
                for text in flight.found.chunks():
                    yield Delta(text=text, attempts=once)
                    once = ()
                if calls := flight.found.message.tool_calls:
                    whole = enumerate(calls)
                    yield Delta(
                        tool_calls=tuple(ToolCallFragment(n, c.id, c.name, json.dumps(c.arguments)) for n, c in whole),
                        attempts=once,
                    )
                yield Delta(reply=self._again(turn, flight.found, "stream"))
                return
            pieces: list[int] = []
            async with aclosing(self._fitting_stream(turn)) as deltas:
                async for delta in deltas:
                    pieces = [] if delta.restarted else pieces
                    pieces += [len(delta.text)] * bool(delta.text)
                    if delta.reply:
                        await self._keep(flight, delta.reply, tuple(pieces))
                    yield delta

    async def _fitting(self, turn: Turn) -> Reply:
        """Ask, and where nobody has room for it all, ask again with less."""
        for tries in range(_TRIES):
            try:
                async with self._admitted(turn, turn.request, turn.chosen) as settle:
                    reply = await self._router.complete(turn.request, **turn.routing)
                    await settle(reply.attempts)
                    return reply
            except AllModelsFailed as error:
                if tries == _TRIES - 1 or not await self._shorten(turn, error):
                    raise
        raise AssertionError  # the last try returns or raises

    async def _fitting_stream(self, turn: Turn) -> AsyncGenerator[Delta, None]:
        for tries in range(_TRIES):
            try:
                async with self._admitted(turn, turn.request, turn.chosen) as settle:
                    pieces = self._router.stream(turn.request, **turn.routing, on_interrupt=turn.on_interrupt)
                    async with aclosing(pieces) as deltas:
                        async for delta in deltas:
                            if delta.reply:
                                await settle(delta.reply.attempts)
                            yield delta
                    return
            except AllModelsFailed as error:  # only before the first piece
                if tries == _TRIES - 1 or not await self._shorten(turn, error):
                    raise

    @asynccontextmanager
    async def _flight(self, turn: Turn) -> AsyncIterator[Flight | None]:
        """The right to make the answer, or the answer that somebody else made; None where it is not to be kept."""
        wanted = turn.options.cache
        ttl = self._ttl if wanted is None else (self._ttl or USUAL_TTL) if wanted else None
        if ttl is None:
            yield None
            return
        key = self._key(turn)
        async with self._cache.once(
            key, ttl=ttl, refresh=wanted == "refresh", within=turn.left, prompt=turn.options.prompt
        ) as flight:
            yield flight

    def _key(self, turn: Turn) -> CacheKey:
        options = turn.options
        fallbacks = options.fallbacks if isinstance(options.fallbacks, str) else list(options.fallbacks)
        asked = {**turn.chosen, "fallbacks": fallbacks, "requirements": dict(options.requirements or {})}
        if turn.caller.owner is not None:  # what a proven user is told is nobody else's
            asked["partition"] = turn.caller.owner
        return self._cache.key(turn.request, asked)

    async def _keep(self, flight: Flight | None, reply: Reply, pieces: tuple[int, ...]) -> None:
        if flight is None or reply.finish_reason not in _KEPT:
            return
        last = reply.attempts[-1]
        # What a last resort says costs nothing, and shall not be heard when a better model is there again.
        if not providers.last_resort(last.provider):
            await flight.keep(
                Cached(
                    message=reply.message,
                    model=reply.model,
                    provider=last.provider,
                    vendor_model=last.model,
                    finish_reason=reply.finish_reason,
                    usage=last.usage,
                    cost_nano_usd=last.cost_nano_usd,
                    pieces=pieces if sum(pieces) == len(reply.text) else (),
                )
            )

    def _again(self, turn: Turn, found: Cached, kind: Literal["chat", "stream"]) -> Reply:
        """An answer of the cache as a reply; nobody was asked and nothing paid, and the ledger says so."""
        answer = Attempt(found.model, found.provider, found.vendor_model, cost_nano_usd=0)
        turn.unwritten += self._ledger.rows(
            answer, call_id=turn.call_id, number=0, kind=kind, caller=turn.caller, started_at=now(), cached=True
        )
        return Reply(
            message=found.message,
            model=found.model,
            attempts=(),
            call_id=turn.call_id,
            finish_reason=found.finish_reason,
            cached=True,
        )

    @asynccontextmanager
    async def _admitted(
        self, turn: Turn, request: ChatRequest, chosen: Mapping[str, Any]
    ) -> AsyncIterator[Callable[[tuple[Attempt, ...]], Awaitable[None]]]:
        """The leave of the limits to ask this of `chosen`, corrected in the end to what was really used."""

        def tokens() -> int:
            return count(request.messages, request.tools) + (request.max_tokens or 0)

        async def price() -> int | None:
            outlook = await self._router.outlook(request, **chosen)
            return outlook.price(count(request.messages, request.tools, outlook.first.model), request.max_tokens)

        wait = min(turn.options.queue, turn.left)
        admission = await self._limits.admit(turn.caller, tokens=tokens, price=price, wait=wait)

        async def settle(attempts: tuple[Attempt, ...]) -> None:
            turn.unwritten += await self._settlement(admission, attempts)

        try:
            yield settle
        except ToolkitError as error:  # of a caller who went away the estimate stands: nobody knows what was paid
            await settle(getattr(error, "attempts", ()))
            raise

    async def _settlement(self, admission: Admission | None, attempts: tuple[Attempt, ...]) -> tuple[Any, ...]:
        if admission is None:
            return ()
        used = sum(attempt.usage.total_tokens for attempt in attempts if attempt.usage)
        answered = any(attempt.ok for attempt in attempts)
        if not answered and any(attempt.uncounted for attempt in attempts):
            return ()  # nobody knows what was paid: the estimate stands
        known = all(attempt.usage for attempt in attempts if attempt.ok)
        cost = cost_of(attempts)
        return await self._limits.settle(
            admission, tokens=used if known else None, nano_usd=None if cost is None else round(cost * 1e9)
        )

    async def outlook(self, messages: Sequence[Message], model: str | None) -> Outlook:
        """What is known of those who would be asked `messages`; raises what `Router.outlook` does."""
        return await self._router.outlook(ChatRequest(tuple(messages)), model=model)

    async def _outlook(self, turn: Turn) -> Outlook:
        return await self._router.outlook(turn.request, **turn.chosen)

    async def _prepare(self, turn: Turn) -> None:
        """Cut the conversation to the largest window, if it may be longer than that."""
        length = sum(len(message.text) for message in turn.asked)
        if length <= _SHORT:
            return
        outlook = await self._outlook(turn)
        if outlook.window is not None and length > outlook.window // 2:
            await self._cut_to(turn, room(outlook.window, turn.options.max_tokens), outlook.widest.model)

    async def _shorten(self, turn: Turn, error: AllModelsFailed) -> bool:
        """Whether less is told from now on, because it did not fit; False if that was not it, or nothing is left."""
        if not any(attempt.error == "ContextTooLong" for attempt in error.attempts):
            return False
        before = turn.memory.told(turn.asked)
        outlook = await self._outlook(turn)
        model = outlook.widest.model
        tokens = round(sum(count_message(message, model) for message in before) * _SHORTER)
        if outlook.known_window is not None:
            tokens = min(tokens, room(outlook.known_window, turn.options.max_tokens))
        await self._cut_to(turn, tokens, model)
        if len(turn.memory.told(turn.asked)) >= len(before):
            return False
        turn.attempts += error.attempts
        return True

    async def _cut_to(self, turn: Turn, tokens: int, model: str) -> None:
        memory = turn.memory
        memory.room, memory.model = tokens, model
        untold, until = memory.untold(turn.asked) if self._summary_model and turn.session else ([], 0)
        if not untold or turn.session is None:
            return
        try:
            text = await self._summed_up(turn, untold)
            memory.summary = Summary(until, text)
            await self._sessions.set_summary(turn.session, until, text, owner=turn.caller.owner)
        except ToolkitError as error:
            _log.warning("Session %s could not be summed up: %s", turn.session, error)

    async def _summed_up(self, turn: Turn, untold: list[Message]) -> str:
        """What was said in `untold`, and before it, in a few sentences of the summary model."""
        before = [f"Summed up before: {turn.memory.summary.text}"] if turn.memory.summary else []
        said = "\n\n".join([*before, *(f"{m.role}: {m.text}" for m in untold if m.text)])
        chosen: dict[str, Any] = {"model": self._summary_model}
        outlook = await self._router.outlook(ChatRequest((Message("user", "?"),)), **chosen)
        # Its own window may be small, too: what is newest is told, at two characters per token to be safe.
        said = said[-2 * room(outlook.known_window or 16_000, _LONGEST_SUMMARY) :]
        caller = Caller(turn.caller.user, turn.caller.origin, turn.session, turn.caller.authenticated)
        request = ChatRequest((Message("system", _SUM_UP), Message("user", said)), max_tokens=_LONGEST_SUMMARY)
        async with self._admitted(turn, request, chosen) as settle:
            reply = await self._router.complete(
                request, **chosen, timeout=turn.left / 2, caller=caller, call_id=turn.call_id
            )
            await settle(reply.attempts)
        turn.attempts += reply.attempts
        return reply.text

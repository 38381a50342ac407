"""The router: asks the models of a chain in order until one answers, within one deadline."""

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Literal, TypeAlias, TypeVar

from toolkit import providers
from toolkit.errors import ConfigError, ToolkitError
from toolkit.messages import Caller, ChatRequest, Completion, Delta, Embeddings, Reply
from toolkit.models.call import Call, Turns, understood
from toolkit.models.catalog import Catalog
from toolkit.models.connections import Connect, Connections
from toolkit.models.model import Model
from toolkit.models.retry import GRACE, is_final
from toolkit.models.streaming import OnInterrupt, Pieces, Shown
from toolkit.providers.base import Provider
from toolkit.usage.ledger import Ledger

T = TypeVar("T", Completion, Embeddings)
Fallbacks: TypeAlias = Sequence[str] | Literal["chain"]

_NOBODY = Caller()


class Router:
    """Chooses who answers. What an error of one model means for the call stands in `retry`.

    Args:
        catalog: the models, and their order.
        ledger: gets a row for each attempt.
        environ: names to values, for the variables that rows refer to.
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
        connect: Connect = providers.connect,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._environ = environ
        self._connections = Connections(connect, environ)
        self._sleep = sleep
        self._clock = clock

    async def complete(
        self,
        request: ChatRequest,
        *,
        model: str | None = None,
        scope: str = "global",
        fallbacks: Fallbacks = (),
        timeout: float = 60.0,
        caller: Caller = _NOBODY,
        call_id: str | None = None,
    ) -> Reply:
        """The whole answer of the first model that gives one.

        Args:
            request: what is asked.
            model: a name or id, `provider/model`, `"default"`, or None for the chain of `scope`. A model that is
                named is asked alone, unless there are fallbacks.
            scope: whose chain.
            fallbacks: names of the models to ask after that, or `"chain"` for the rest of the chain; disabled ones
                are passed over.
            timeout: seconds for the whole call.
            caller: on whose behalf, for the ledger.
            call_id: for the ledger; a new one if not given.

        Raises:
            AllModelsFailed: nobody answered.
            DeadlineExceeded: the time ran out.
            InvalidRequest: a vendor refused the request itself.
            ContentRefused: a vendor's policy refused the content.
            NotFound: there is no such model.
            ConfigError: the model is disabled, or there is none to ask.
        """
        call = self._call("chat", caller, timeout, call_id)
        candidates = await self._candidates(request, model, scope, fallbacks)

        async def ask(provider: Provider, asked: Model, limit: float) -> Completion:
            return await provider.complete(asked.fill(request), asked.model, timeout=limit)

        answered, completion = await self._first(call, candidates, ask)
        return call.reply(answered, completion, completion.message)

    async def stream(
        self,
        request: ChatRequest,
        *,
        model: str | None = None,
        scope: str = "global",
        fallbacks: Fallbacks = (),
        timeout: float = 60.0,
        caller: Caller = _NOBODY,
        call_id: str | None = None,
        on_interrupt: OnInterrupt = "continue",
    ) -> AsyncGenerator[Delta, None]:
        """The answer in pieces; the last one has the `reply`. Closing it early cancels the vendor's request.

        Nothing is given before the first text or tool call is there, so a failure before it is not seen.

        Args:
            request: as for `complete`, like the arguments that are not named here.
            model: as for `complete`.
            scope: as for `complete`.
            fallbacks: as for `complete`.
            timeout: seconds for the whole call, to the end of the answer.
            caller: as for `complete`.
            call_id: as for `complete`.
            on_interrupt: what happens when the answer breaks off. `continue`: the next model goes on from the text
                so far. `restart`: it begins again, with a piece that is marked `restarted`. `raise`: nobody is asked.

        Raises:
            StreamInterrupted: the answer broke off after some text, and nobody finished it.
            ToolkitError: before any text, what `complete` raises.
        """
        call = self._call("stream", caller, timeout, call_id)
        turns = Turns(call, await self._candidates(request, model, scope, fallbacks), self._sleep)
        shown = Shown(on_interrupt)
        error: ToolkitError | None = None
        while asked := await turns.next(error, onward=shown.begun):
            start = call.start()
            try:
                async with self._connections.use(asked, within=call.left()) as provider:
                    question = shown.ask(asked.fill(request), anew=providers.last_resort(asked.provider))
                    limit = turns.limit()
                    stream = provider.stream(question, asked.model, timeout=limit)
                    async with aclosing(Pieces(stream, call, asked, limit)) as pieces:
                        async for piece in pieces:
                            if delta := shown.take(piece):
                                yield delta
                completion = pieces.whole(shown)
            except (asyncio.CancelledError, GeneratorExit):
                await call.record(asked, start, cancelled=True)
                raise
            except Exception as surprise:  # noqa: BLE001 - whatever one model does, the next one is asked
                error = understood(surprise, asked)
                await call.record(asked, start, error=error)
                if shown.ends_with(error):
                    break
                continue
            await call.record(asked, start, answer=completion)
            yield Delta(reply=call.reply(asked, completion, completion.message))
            return
        shown.give_up(call, error)

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
        call = self._call("embed", caller, timeout, None)
        candidates = await self._catalog.resolve(model)

        async def ask(provider: Provider, asked: Model, limit: float) -> Embeddings:
            return await provider.embed(texts, asked.model, timeout=limit)

        _, found = await self._first(call, candidates[:1], ask)
        return found.vectors

    async def close(self) -> None:
        """Let go of every connection, and wait for the ledger's last rows."""
        await self._connections.close()
        await self._ledger.flush()

    def _call(self, kind: str, caller: Caller, timeout: float, call_id: str | None) -> Call:
        return Call(
            self._ledger,
            self._environ,
            kind=kind,
            caller=caller,
            seconds=timeout,
            call_id=call_id,
            clock=self._clock,
        )

    async def _candidates(
        self, request: ChatRequest, model: str | None, scope: str, fallbacks: Fallbacks
    ) -> Sequence[Model]:
        """Who may be asked, in order, each once; a last resort that nobody named only where it can be of use."""
        found = list(await self._catalog.resolve(model, scope=scope))
        named = set() if model is None else {each.id for each in found}
        if fallbacks == "chain":
            found += await self._catalog.chain(scope)
        else:
            for name in fallbacks:
                with suppress(ConfigError):  # a fallback that somebody disabled must not fail the call
                    fallback = await self._catalog.resolve(name, scope=scope)
                    named |= {each.id for each in fallback}
                    found += fallback
        candidates = list({candidate.id: candidate for candidate in found}.values())
        if not request.sources:
            able = [c for c in candidates if c.id in named or not providers.last_resort(c.provider)]
            candidates = able or candidates
        if not candidates:
            raise ConfigError(
                "No model is enabled; set OPENAI_API_KEY or ANTHROPIC_API_KEY, "
                "or add one with `toolkit models add PROVIDER MODEL`."
            )
        return candidates

    async def _first(
        self, call: Call, candidates: Sequence[Model], ask: Callable[[Provider, Model, float], Awaitable[T]]
    ) -> tuple[Model, T]:
        """The first answer that `ask` gets from one of `candidates`, and whose it is."""
        turns = Turns(call, candidates, self._sleep)
        error: ToolkitError | None = None
        while asked := await turns.next(error):
            start = call.start()
            try:
                async with self._connections.use(asked, within=call.left()) as provider:
                    limit = turns.limit()
                    async with asyncio.timeout(min(limit + GRACE, call.left())):
                        answer = await ask(provider, asked, limit)
            except asyncio.CancelledError:
                await call.record(asked, start, cancelled=True)
                raise
            except Exception as surprise:
                error = understood(surprise, asked)
                await call.record(asked, start, error=error)
                if is_final(error):
                    raise
                continue
            await call.record(asked, start, answer=answer)
            return asked, answer
        raise call.failure() from error

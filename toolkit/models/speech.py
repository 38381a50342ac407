"""One model speaking: its stream, from the question to the end mark, each wait bounded."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Final, Self

from toolkit.errors import BadAnswer, ProviderTimeout, ToolkitError
from toolkit.messages import Attempt, ChatRequest, Completion, Delta, Usage
from toolkit.models.call import Call, understood
from toolkit.models.connections import Connections
from toolkit.models.doors import Doors, Pass
from toolkit.models.model import Model
from toolkit.models.pace import Pace
from toolkit.models.quotas import Quotas, tokens_of
from toolkit.models.retry import GRACE, RESERVE, SLOW

SILENCE: Final = 20.0
"""Seconds between two pieces, where the model's row does not say."""

_log = logging.getLogger(__name__)


class Speech:
    """An attempt to have a question answered piece by piece.

    `begin` asks and waits for the first piece; iterating gives that and the others, and raises what it failed with. It
    ends with `answered`, `failed` or `cancelled`, which tell the call and give back the pass, and then with `aclose`.

    Args:
        call: whose deadline holds.
        leave: who is asked, with which key.
        limit: seconds until the first piece at most, and between any two.
        others: another model could go on with the answer.

    Attributes:
        leave: who speaks, with which key.
        completion: the whole answer, None before its end.
        begun: whether there were words, or a tool call.
        surprise: why it failed before its first words; None if it did not.
    """

    def __init__(
        self, call: Call, leave: Pass, doors: Doors, pace: Pace, quotas: Quotas, *, limit: float, others: bool
    ) -> None:
        model = leave.model
        self.leave = leave
        self.completion: Completion | None = None
        self.begun = False
        self.surprise: Exception | None = None
        self._call = call
        self._doors = doors
        self._pace = pace
        self._quotas = quotas
        self._limit = min(limit, model.first_token_timeout or limit)
        self._silence = min(limit, model.silence_timeout or SILENCE)
        self._others = others
        self._start = call.start()
        self._held: list[Delta] = []
        self._pieces = 0
        self._left_at_first = 0.0  # seconds of the call that were left when the first piece came
        self._stream: AsyncIterator[Delta] | None = None
        self._open = AsyncExitStack()
        self._used: Callable[[Usage | None], None] = lambda _usage: None
        self._ended = False

    @property
    def model(self) -> Model:
        """Who speaks."""
        return self.leave.model

    def introduced(self) -> tuple[Attempt, ...]:
        """Who was asked until now, and last who speaks."""
        return self._call.speaking(self.leave, self._start)

    async def begin(self, connections: Connections, request: ChatRequest) -> None:
        """Ask, and wait until the first words or the end are there; what it fails with is its `surprise`."""
        try:
            await self._begin(connections, request)
        except Exception as surprise:  # noqa: BLE001 - whatever it is, it is raised to whoever listens
            self.surprise = surprise

    async def _begin(self, connections: Connections, request: ChatRequest) -> None:
        model, key = self.leave.model, self.leave.key
        provider = await self._open.enter_async_context(connections.use(model, key, within=self._call.left()))
        asked = self._call.left()
        quota = self._quotas.of(model, lambda: tokens_of(request, model.model))
        self._used = await self._open.enter_async_context(quota)
        self._stream = provider.stream(request, model.model, timeout=self._limit)
        while not self.begun and self.completion is None:
            piece = await self._next(max(0.0, self._limit + GRACE - (asked - self._call.left())))
            self._held.append(piece)
        seconds = asked - self._call.left()
        self._pace.note(model.name, "first", seconds)
        self._call.began(self.leave, seconds)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        if self.surprise is not None:
            raise self.surprise
        if self._held:
            return self._held.pop(0)
        if self.completion is not None:
            raise StopAsyncIteration
        # The provider itself notices a silence of `limit`, and knows best what to say of it.
        return await self._next(self._silence if self._silence < self._limit else self._limit + GRACE)

    def whole(self, text: str, *, standing: bool) -> Completion:
        """The completion, with the `text` that the reader saw.

        Raises:
            BadAnswer: it says nothing: there is no text `standing` and no tool call.
        """
        completion = self.completion
        if completion is None or not (standing or completion.message.tool_calls):
            raise BadAnswer(f"The answer of {self.model.name} is empty.", provider=self.model.provider)
        return replace(completion, message=replace(completion.message, text=text))

    def answered(self, completion: Completion) -> None:
        """It answered."""
        self._ended = True
        self._doors.leave(self.leave)
        self._used(completion.usage)
        self._call.answered(self.leave, self._start, completion)

    def failed(self, surprise: Exception) -> ToolkitError:
        """It failed; gives the error as one that the rules know."""
        self._ended = True
        error = understood(surprise, self.model)
        self._doors.leave(self.leave, error)
        self._call.failed(self.leave, self._start, error, begun=self.begun)
        return error

    def cancelled(self, why: str | None = None) -> None:
        """Nobody waits for it any more; harmless if it has ended."""
        if not self._ended:
            self._ended = True
            self._doors.leave(self.leave, cancelled=True)
            self._call.cancelled(self.leave, self._start, why)

    async def aclose(self) -> None:
        """Cancel the provider's request if it is still under way, and let go of the connection."""
        close = getattr(self._stream, "aclose", None)
        try:
            if close is not None:
                await close()
        except Exception as error:  # noqa: BLE001 - the stream is over for us, however it ends
            _log.warning("A stream of %s did not close cleanly: %s", self.model.provider, type(error).__name__)
        finally:
            await self._open.aclose()

    async def _next(self, wait: float) -> Delta:
        stream = self._stream
        assert stream is not None  # noqa: S101 - `begin` comes first
        left = self._call.left()
        spare = self._spare(left)
        if left <= spare:
            raise self._too_late(spare)
        try:
            async with asyncio.timeout(min(wait, left - spare)):
                piece = await anext(stream)
        except StopAsyncIteration:
            raise BadAnswer(
                f"The stream of {self.model.name} ended without its end mark.", provider=self.model.provider
            ) from None
        except TimeoutError:
            if wait > left - spare:
                raise self._too_late(spare) from None
            raise
        if not self._pieces:
            self._left_at_first = self._call.left()
        self._pieces += 1
        self.begun = self.begun or bool(piece.text or piece.tool_calls)
        self.completion = piece.completion
        return piece

    def _too_late(self, spare: float) -> ProviderTimeout:
        reason = "speaks too slowly to end in time" if spare else "did not end in time"
        return ProviderTimeout(f"{self.model.name} {reason}.", provider=self.model.provider)

    def _spare(self, left: float) -> float:
        """Seconds at the end of the call that one who drips does not get, because another could finish the answer."""
        if not (self._others and self._pieces):
            return 0.0
        spent = self._left_at_first - left  # what came before its first piece says nothing of how fast it speaks
        return self._call.seconds * RESERVE if spent / self._pieces > SLOW else 0.0

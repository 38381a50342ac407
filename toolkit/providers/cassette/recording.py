"""A provider whose calls are recorded, and played where they are known already."""

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, cast

from toolkit import stamps
from toolkit.errors import CassetteError, CassetteMiss, ConfigError, ToolkitError
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings, Json
from toolkit.providers.base import Provider
from toolkit.providers.cassette import words
from toolkit.providers.cassette.episode import Episode, Kind, Subject
from toolkit.providers.cassette.tape import Asked, Tape

T = TypeVar("T")


@dataclass(slots=True)
class _Heard:
    """The pieces of a stream that came, and when.

    Attributes:
        kept: the whole answer is kept already.
    """

    begun: float
    deltas: list[Delta] = field(default_factory=list)
    first_at: float = 0.0
    last_at: float = 0.0
    kept: bool = False

    def add(self, delta: Delta) -> None:
        self.last_at = time.monotonic()
        if not self.deltas:
            self.first_at = self.last_at
        self.deltas.append(delta)

    @property
    def milliseconds(self) -> tuple[int, ...]:
        now = time.monotonic()
        if not self.deltas:
            return _between(self.begun, now), 0, 0
        return _between(self.begun, self.first_at), _between(self.first_at, self.last_at), _between(self.last_at, now)


class Recorder:
    """Makes the calls that are not known, and keeps what comes of them.

    Attributes:
        tape: where to.
        environ: the variables seen so far.
    """

    def __init__(self, tape: Tape, environ: Mapping[str, int]) -> None:
        self.tape = tape
        self.environ = environ

    def keep(self, asked: Asked, milliseconds: tuple[int, ...], **outcome: Any) -> None:
        """Keep what came of `asked`: an `answer`, an `error`, or that nobody waited for it (`left`)."""
        pause = self.tape.keeps(asked)
        episode = Episode(asked.subject, asked.request, **outcome, milliseconds=milliseconds, pause=pause)
        self.tape.record(asked, episode, self.environ)

    def fail(self, asked: Asked, error: Exception, milliseconds: tuple[int, ...], answer: Json | None = None) -> None:
        """Keep that it failed, and of a stream what came before."""
        failure = words.failure(error, asked.subject.who, self.tape.veil, asked.ids)
        self.keep(asked, milliseconds, answer=answer, error=failure)

    def cancel(self, asked: Asked, milliseconds: tuple[int, ...], answer: Json | None = None) -> None:
        """Keep why it was cancelled, which shows a moment later: `asyncio.timeout` takes its own cancellation back."""
        task = asyncio.current_task()

        def decide() -> None:
            if task is not None and not task.done() and not task.cancelling():
                self.fail(asked, TimeoutError(), milliseconds, answer)
            else:
                self.keep(asked, milliseconds, answer=answer, left="cancelled")

        asyncio.get_running_loop().call_soon(decide)

    def end(self, asked: Asked, heard: _Heard, completion: Completion) -> None:
        """Keep a streamed answer, before anybody sees its end: most do not read further."""
        if not heard.kept:
            heard.kept = True
            answer = words.said(completion, heard.deltas, self.tape.veil, asked.ids)
            self.keep(asked, heard.milliseconds, answer=answer)

    @contextmanager
    def listening(self, asked: Asked, heard: _Heard) -> Iterator[None]:
        """Inside a stream is read; what came of it is kept, unless it was by `end`."""

        def so_far() -> Json | None:
            return words.heard(heard.deltas, self.tape.veil, asked.ids) if heard.deltas else None

        try:
            yield
        except GeneratorExit:
            if not heard.kept:
                self.keep(asked, heard.milliseconds, answer=so_far(), left="closed")
            raise
        except asyncio.CancelledError:
            if not heard.kept:
                self.cancel(asked, heard.milliseconds, so_far())
            raise
        except Exception as error:
            if not heard.kept:
                self.fail(asked, error, heard.milliseconds, so_far())
            raise
        if not heard.kept:
            self.keep(asked, heard.milliseconds, answer=so_far(), left="unfinished")

    async def whole(self, asked: Asked, do: Callable[[], Awaitable[T]], told: Callable[[T], Json]) -> T:
        """What `do` gives, kept as `told` tells it."""
        try:
            value = await do()
        except asyncio.CancelledError:
            self.cancel(asked, (_since(asked.begun),))
            raise
        except Exception as error:
            self.fail(asked, error, (_since(asked.begun),))
            raise
        self.keep(asked, (_since(asked.begun),), answer=told(value))
        return value


class Player:
    """The provider of one vendor.

    Args:
        vendor: its name.
        recorder: knows what was recorded, and records.
        connect: connects to the vendor itself.
        missing: variables that would be needed for that and are not set.
        at_once: connect now, as without a cassette; else when a call is made that is not known.
    """

    def __init__(
        self,
        vendor: str,
        recorder: Recorder,
        connect: Callable[[], Provider],
        missing: Sequence[str] = (),
        *,
        at_once: bool,
    ) -> None:
        self._vendor = vendor
        self._recorder = recorder
        self._tape = recorder.tape
        self._connect = connect
        self._missing = missing
        begun = time.monotonic()
        self._real: Provider | ToolkitError | None = self._connected() if at_once else None
        self._spent = time.monotonic() - begun  # until it is added to the first call, which waited for it
        self._connecting = asyncio.Lock()

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask, or play what was answered."""
        asked = self._ask("chat", model, request)
        veil, ids = self._tape.veil, asked.ids
        if asked.found:
            await play(asked.found, self._tape, ids)
            return words.answer(answered(asked.found), veil, ids)
        self._charge(asked)

        async def do() -> Completion:
            return await (await self._provider()).complete(request, model, timeout=timeout)

        return await self._recorder.whole(asked, do, lambda completion: words.said(completion, (), veil, ids))

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """Ask, or play the pieces that came."""
        asked = self._ask("stream", model, request)
        pieces = self._played(asked.found, asked) if asked.found else self._recorded(asked, request, model, timeout)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        """Ask, or play the vectors that came."""
        ids: list[str] = []
        hidden = self._tape.veil.hide({"texts": list(texts)}, ids, add=True)
        asked = self._tape.ask(Subject("embed", self._vendor, model), hidden, ids)
        if asked.found:
            await play(asked.found, self._tape, ids)
            return words.embeddings(answered(asked.found))
        self._charge(asked)

        async def do() -> Embeddings:
            return await (await self._provider()).embed(texts, model, timeout=timeout)

        return await self._recorder.whole(asked, do, words.vectors)

    async def close(self) -> None:
        """Let go of the connection, if there ever was one."""
        if self._real is not None and not isinstance(self._real, ToolkitError):
            await self._real.close()

    def _ask(self, kind: Kind, model: str, request: ChatRequest) -> Asked:
        ids: list[str] = []
        hidden = words.question(request, self._tape.veil, ids)
        return self._tape.ask(Subject(kind, self._vendor, model), hidden, ids)

    def _charge(self, asked: Asked) -> None:
        """Let the time in which the connection was made be a part of the first call."""
        asked.begun -= self._spent
        asked.pause = max(0.0, asked.pause - self._spent)
        self._spent = 0.0

    async def _provider(self) -> Provider:
        """The vendor itself; what connecting failed with, it fails with each time."""
        if self._missing:
            raise CassetteMiss(f"To record a call of {self._vendor}, set {' and '.join(self._missing)}.")
        async with self._connecting:
            if self._real is None:
                self._real = await asyncio.to_thread(self._connected)
        if isinstance(self._real, ToolkitError):
            raise self._real
        return self._real

    def _connected(self) -> Provider | ToolkitError:
        try:
            return self._connect()
        except ToolkitError as error:
            return error
        except Exception as error:  # noqa: BLE001 - told as it is told without a cassette
            told = ConfigError(f"The provider {self._vendor!r} cannot be set up ({type(error).__name__}: {error}).")
            told.__cause__ = error
            return told

    async def _recorded(
        self, asked: Asked, request: ChatRequest, model: str, seconds: float
    ) -> AsyncGenerator[Delta, None]:
        self._charge(asked)
        heard = _Heard(asked.begun)
        with self._recorder.listening(asked, heard):
            stream = (await self._provider()).stream(request, model, timeout=seconds)
            async with aclosing(cast("AsyncGenerator[Delta, None]", stream)):
                async for delta in stream:
                    heard.add(delta)
                    if delta.completion:
                        self._recorder.end(asked, heard, delta.completion)
                    yield delta

    async def _played(self, episode: Episode, asked: Asked) -> AsyncGenerator[Delta, None]:
        veil, ids, answer = self._tape.veil, asked.ids, episode.answer or {}
        first, between, end = (*episode.milliseconds, 0, 0, 0)[:3]
        deltas = list(words.pieces(answer, veil, ids))
        whole = episode.error is None and episode.left is None
        completion = words.answer(answer, veil, ids) if whole else None
        step = between / max(len(deltas) - 1, 1)
        for place, delta in enumerate(deltas):
            stamps.elapse((first if place == 0 else step) / 1000)
            await asyncio.sleep(0)
            last = place == len(deltas) - 1
            yield replace(delta, completion=completion) if last and answer.get("joined") else delta
        stamps.elapse((end if deltas else first + between + end) / 1000)
        await _end(episode, self._tape, ids)
        if completion and not answer.get("joined"):
            yield Delta(completion=completion)


async def play(episode: Episode, tape: Tape, ids: Sequence[str]) -> None:
    """Let the time of a call pass, and end as it ended, unless it was answered."""
    stamps.elapse(sum(episode.milliseconds) / 1000)
    await asyncio.sleep(0)
    await _end(episode, tape, ids)


async def _end(episode: Episode, tape: Tape, ids: Sequence[str]) -> None:
    if episode.error is not None:
        raise words.exception(episode.error, episode.subject.who, tape.veil, ids)
    if episode.left == "cancelled":
        await asyncio.Event().wait()  # whoever cancelled it then, does so now
    if episode.left == "closed":
        raise CassetteMiss(
            f"The stream of {episode.subject} was left in the middle when it was recorded, and is read further now; "
            "record it anew with TOOLKIT_RECORD=all."
        )


def answered(episode: Episode) -> Json:
    """What was answered.

    Raises:
        CassetteError: somebody removed it from the file.
    """
    if episode.answer is None:
        raise CassetteError(f"A call of {episode.subject} has neither an answer nor an error in the cassette; mend it.")
    return episode.answer


def _since(begun: float) -> int:
    return _between(begun, time.monotonic())


def _between(one: float, other: float) -> int:
    """Whole milliseconds, rounded up: nothing takes no time."""
    return math.ceil((other - one) * 1000)

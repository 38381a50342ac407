"""A router over a real catalog and ledger, with scripted vendors and a clock that only moves when told to."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from typing import Any

import pytest

from toolkit.db import Database
from toolkit.messages import Attempt, ChatRequest, Completion, Delta, Embeddings, Message
from toolkit.models.catalog import Catalog, Model
from toolkit.models.router import Router
from toolkit.providers.base import Provider
from toolkit.providers.scripted import Line, Scripted
from toolkit.usage.ledger import Ledger

HELLO = ChatRequest((Message("user", "Hello?"),))


class Clock:
    """Seconds that pass when somebody sleeps, or when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def passing(self, seconds: float, line: Line) -> Callable[[ChatRequest], Line]:
        """A scripted line that takes `seconds`."""

        def say(_: ChatRequest) -> Line:
            self.now += seconds
            return line

        return say


class Stage:
    """The router under test, and what it stands on.

    Attributes:
        vendors: the provider that a row connects to, by the row's `config["script"]`.
        limits: the seconds that each attempt was given, in order.
        environ: what the rows' variables hold.
    """

    def __init__(self, db: Database) -> None:
        self.db = db
        self.clock = Clock()
        self.catalog = Catalog(db, {})
        self.ledger = Ledger(db)
        self.vendors: dict[str, Provider] = {}
        self.limits: list[float] = []
        self.environ: dict[str, str] = {}
        self.router = Router(
            self.catalog, self.ledger, self.environ, connect=self.connect, sleep=self.clock.sleep, clock=self.clock
        )

    def connect(self, provider: str, auth: Mapping[str, str], config: Mapping[str, Any]) -> Provider:
        assert provider
        assert auth is not None
        return Watched(self.vendors[config["script"]], self.limits)

    async def add(self, name: str, *lines: Line, provider: str = "scripted", **options: Any) -> Scripted:
        """A model called `name` that says `lines`; priority by the order of adding."""
        scripted = Scripted(*lines)
        await self.put(name, scripted, provider=provider, **options)
        return scripted

    async def put(self, name: str, vendor: Provider, *, provider: str = "scripted", **options: Any) -> Model:
        self.vendors[name] = vendor
        config = {"script": name, **options.pop("config", {})}
        options.setdefault("priority", len(self.vendors))
        return await self.catalog.add(provider, f"vendors-{name}", name=name, config=config, **options)

    def say(self, name: str, *lines: Line) -> None:
        """Let the model called `name` say more."""
        vendor = self.vendors[name]
        assert isinstance(vendor, Scripted)
        vendor.say(*lines)

    async def recorded(self) -> list[tuple[str, str, str | None]]:
        """What the ledger has: name, status, error; oldest first."""
        return [(c.attempt.name, c.status, c.attempt.error) for c in reversed(await self.ledger.calls())]


class Watched:
    """Another provider, and a note of the limits it was given."""

    def __init__(self, inner: Provider, limits: list[float]) -> None:
        self._inner = inner
        self._limits = limits

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        self._limits.append(timeout)
        return await self._inner.complete(request, model, timeout=timeout)

    def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncIterator[Delta]:
        self._limits.append(timeout)
        return self._inner.stream(request, model, timeout=timeout)

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        self._limits.append(timeout)
        return await self._inner.embed(texts, model, timeout=timeout)

    async def close(self) -> None:
        await self._inner.close()


class Deaf:
    """A vendor that ignores its time limit: says `pieces`, then nothing more, until it is cancelled.

    Attributes:
        asked: set when it has nothing more to say.
        cancelled: whether its request was cancelled.
    """

    def __init__(self, *pieces: str) -> None:
        self._pieces = pieces
        self.asked = asyncio.Event()
        self.cancelled = False
        self.closed = False

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        assert (bool(request.messages), bool(model), timeout > 0) == (True, True, True)
        await self._wait()
        raise AssertionError("it is never answered")

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        assert (bool(request.messages), bool(model), timeout > 0) == (True, True, True)
        try:
            for piece in self._pieces:
                yield Delta(piece)
        except GeneratorExit:
            self.cancelled = True
            raise
        await self._wait()

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        assert (bool(texts), bool(model), timeout > 0) == (True, True, True)
        await self._wait()
        raise AssertionError("it is never answered")

    async def close(self) -> None:
        self.closed = True

    async def _wait(self) -> None:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise


class Dripping(Deaf):
    """A vendor that says one word after the other, and takes its time for each."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        super().__init__()
        self._clock = clock
        self._seconds = seconds

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        assert (bool(request.messages), bool(model), timeout > 0) == (True, True, True)
        while True:
            await asyncio.sleep(0)
            self._clock.now += self._seconds
            yield Delta("drip ")


def outcomes(attempts: Sequence[Attempt]) -> list[tuple[str, str | None]]:
    return [(attempt.name, attempt.error) for attempt in attempts]


@pytest.fixture
async def stage(db: Database) -> AsyncIterator[Stage]:
    made = Stage(db)
    yield made
    await made.router.close()

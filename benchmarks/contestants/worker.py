"""What every contestant does on the word of the benchmark: JSON lines on standard input, answers on standard output.

| line | answer |
|---|---|
| `{"do": "connect", "chain": […], "limits": {…}, "folder": "…"}` | `{}` |
| `{"do": "ask", "stream": false, "seconds": 30.0}` | an `Answer` |
| `{"do": "load", "stream": false, "calls": 200, "at_once": 64}` | a `Load` |

A failure outside of a call is answered by `{"failed": "…"}`. It imports nothing but the standard library.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol, TypedDict

QUESTION = "Why does the circuit breaker stay open after the provider has come back? Here is what the log says."
KEY = "key-of-the-benchmark"


class Member(TypedDict):
    """One member of the chain: its `wire` (`openai` or `anthropic`), its `url`, and its `name`."""

    name: str
    wire: str
    url: str


class Limits(TypedDict):
    """Seconds: for one attempt, for the first word of a stream, between two words, for everything."""

    attempt: float
    first_token: float
    silence: float
    total: float


class Contestant(Protocol):
    """A client, used as its documentation says."""

    async def prepare(self, calls: int) -> None:
        """Make ready, outside of what is measured, for so many questions."""
        ...

    async def whole(self, question: str) -> str:
        """The text of the answer."""
        ...

    def stream(self, question: str) -> AsyncIterator[str]:
        """The text of the answer, piece by piece; nothing may be empty."""
        ...

    async def close(self) -> None:
        """Let go of the connections."""
        ...


class Connect(Protocol):
    """Makes a contestant."""

    async def __call__(self, chain: Sequence[Member], limits: Limits, folder: str) -> Contestant:
        """A client that asks the members of `chain` in order; it may keep files in `folder`."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one question, by the clock that all processes of the machine share.

    Attributes:
        text: all that was given, of a stream also what came before it broke.
        error: the class of what was raised, None if nothing was.
        began: when it was asked.
        first: when the first text came, None if none did.
        ended: when the answer was whole, or the error there.
    """

    text: str
    error: str | None
    began: float
    first: float | None
    ended: float


@dataclass(frozen=True, slots=True)
class Load:
    """What many questions cost: `cpu` seconds of all threads, `wall` seconds, and `chunks` that were given."""

    cpu: float
    wall: float
    chunks: int


async def ask(contestant: Contestant, *, stream: bool, seconds: float) -> Answer:
    """One question, for so many seconds at most; whatever is raised is part of the answer."""
    said: list[str] = []
    first = error = None
    await contestant.prepare(1)
    began = time.monotonic()
    try:
        async with asyncio.timeout(seconds):
            if stream:
                async for piece in contestant.stream(QUESTION):
                    first = first or time.monotonic()
                    said.append(piece)
            else:
                said.append(await contestant.whole(QUESTION))
                first = time.monotonic()
    except Exception as failure:  # noqa: BLE001 - whatever a client raises is its answer
        error = type(failure).__name__
    return Answer("".join(map(str, said)), error, began, first, time.monotonic())


async def load(contestant: Contestant, *, stream: bool, calls: int, at_once: int) -> Load:
    """`calls` questions, `at_once` of them under way at any time."""
    left = iter(range(calls))
    chunks = 0

    async def caller() -> None:
        nonlocal chunks
        for _ in left:
            if stream:
                async for _piece in contestant.stream(QUESTION):
                    chunks += 1
            else:
                await contestant.whole(QUESTION)

    await contestant.prepare(calls)
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller() for _ in range(at_once)))
    return Load(time.process_time() - cpu, time.perf_counter() - wall, chunks)


async def _serve(connect: Connect) -> None:
    contestant: Contestant | None = None
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a client prints is not an answer
    try:
        while line := await asyncio.to_thread(sys.stdin.readline):
            asked: dict[str, Any] = json.loads(line)
            what = asked.pop("do")
            try:
                if what == "connect":
                    if contestant:
                        await contestant.close()
                    contestant = await connect(**asked)
                    told: dict[str, Any] = {}
                else:
                    act: Callable[..., Any] = ask if what == "ask" else load
                    told = asdict(await act(contestant, **asked))
            except Exception as failure:  # noqa: BLE001 - the benchmark is told, and ends
                told = {"failed": f"{type(failure).__name__}: {failure}"}
            print(json.dumps(told), file=answers, flush=True)
    finally:
        if contestant:
            await contestant.close()


def main(connect: Connect) -> None:
    """Serve until the standard input ends."""
    asyncio.run(_serve(connect))

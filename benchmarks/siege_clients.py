"""Clients that go on asking whatever happens to the gateway, and keep a book of what they were told."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import httpx2
import openai

from benchmarks.siege_vendor import answer, question

TURNS: Final = 12  # in one session; then the next one begins
TIMEOUT: Final = 60.0  # seconds of one attempt
_PAUSE: Final = 1.0  # seconds after a refusal, at most
_THINKING: Final = 0.1  # seconds between an answer and the next question, at most


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A question that was answered to its end.

    Attributes:
        token: that it was about.
        session: where the turn is kept; None: nowhere.
        call_id: of the ledger.
    """

    token: str
    session: str | None
    call_id: str


@dataclass
class Phase:
    """What happened to attempts that ended in it.

    Attributes:
        seconds: from the question to the whole answer, of those that were answered.
        refused: attempts by what they were told: a status; `connection` for none, or for a stream that broke off; the
            code of an error that ended a stream.
        longest: seconds that a client waited for an answer, with all attempts that it took.
        fallbacks: answers that were not given by the model that was asked first.
    """

    name: str
    seconds: list[float] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    longest: float = 0.0
    fallbacks: int = 0


class Book:
    """What all clients were told."""

    def __init__(self) -> None:
        self.phases = [Phase("calm")]
        self.acknowledged: list[Acknowledged] = []
        self.sessions: list[str] = []
        self.complaints: list[str] = []
        self.enough = False

    def begin(self, name: str) -> None:
        """From now on questions belong to another phase."""
        self.phases.append(Phase(name))


class Room:
    """A session that two clients speak in, until it has had its turns."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._id = ""
        self._left = 0
        self._lock = asyncio.Lock()

    async def enter(self, client: openai.AsyncOpenAI) -> tuple[str, str]:
        """For one more turn: the session's id, and its short name."""
        async with self._lock:
            if not self._left:
                begun: Any = await client.post("/sessions", cast_to=object, body={})
                self._book.sessions.append(begun["id"])
                self._id, self._left = begun["id"], TURNS
            self._left -= 1
            return self._id, f"s{self._book.sessions.index(self._id) + 1}"


class Client:
    """One that asks a question after the other; half of them streamed, a quarter in no session.

    Args:
        number: which one it is.
        url: of the balancer.
        room: where it speaks.
        book: where it writes what it was told.
        seed: of what is left to chance.
    """

    def __init__(self, number: int, url: str, room: Room, book: Book, seed: int) -> None:
        self._number = number
        self._url = url
        self._room = room
        self._book = book
        self._asked = 0
        self._chance = random.Random(seed * 1000 + number)

    async def run(self) -> None:
        """Ask until it is enough."""
        # A new connection each time: the next replica answers.
        headers = {"Connection": "close"}
        async with openai.AsyncOpenAI(
            base_url=f"{self._url}/v1", api_key="none", max_retries=0, timeout=TIMEOUT, default_headers=headers
        ) as client:
            while not self._book.enough:
                await self._insist(client)
                await asyncio.sleep(self._chance.uniform(0, _THINKING))

    async def _insist(self, client: openai.AsyncOpenAI) -> None:
        """Ask until there is an answer, each time with a token of its own."""
        first = time.monotonic()
        streamed, alone = self._chance.random() < 0.5, self._chance.random() < 0.25
        while not self._book.enough:
            begun = time.monotonic()
            refusal, pause = await self._attempt(client, streamed=streamed, alone=alone)
            phase = self._book.phases[-1]
            phase.longest = max(phase.longest, time.monotonic() - first)
            if refusal is None:
                phase.seconds.append(time.monotonic() - begun)
                break
            phase.refused[refusal] += 1
            await asyncio.sleep(min(pause, _PAUSE))

    async def _attempt(self, client: openai.AsyncOpenAI, *, streamed: bool, alone: bool) -> tuple[str | None, float]:
        """Why there is no answer, and how long to wait; None: there is one, and it is in the book."""
        try:
            session, name = (None, f"s{10_000 + self._number}") if alone else await self._room.enter(client)
            self._asked += 1
            token = f"{name}.c{self._number}.{self._asked}"
            text, told = await _ask(client, token, session, streamed=streamed)
        except openai.APIStatusError as error:
            return str(error.status_code), float(error.response.headers.get("retry-after", 0.2))
        except openai.APIConnectionError as error:
            return "timeout" if isinstance(error, openai.APITimeoutError) else "connection", 0.2
        except openai.APIError as error:
            return f"{error.code} in a stream", 0.2
        except httpx2.HTTPError:
            return "connection", 0.2
        if told is None:
            return "end missing", 0.2
        self._book.phases[-1].fallbacks += len({attempt["name"] for attempt in told["attempts"]}) > 1
        self._book.acknowledged.append(Acknowledged(token, session, told["call_id"]))
        if text != answer(token):
            self._book.complaints.append(f"a wrong answer about {token}: {text!r}")
        return None, 0.0


async def _ask(
    client: openai.AsyncOpenAI, token: str, session: str | None, *, streamed: bool
) -> tuple[str, dict[str, Any] | None]:
    """The text, and what the toolkit tells of it; None where the end is missing."""
    asked: dict[str, Any] = {
        "model": "default",
        "messages": [{"role": "user", "content": question(token)}],
        "extra_body": {"session_id": session} if session else {},
    }
    if not streamed:
        whole = await client.chat.completions.create(**asked)
        return whole.choices[0].message.content or "", _told(whole.usage)
    text, told = "", None
    stream = await client.chat.completions.create(**asked, stream=True, stream_options={"include_usage": True})
    async for chunk in stream:
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
        told = _told(chunk.usage) or told
    return text, told


def _told(usage: Any) -> dict[str, Any] | None:
    return (usage.model_extra or {}).get("toolkit") if usage else None

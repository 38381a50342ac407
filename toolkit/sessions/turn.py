"""One question on its way to an answer: what is asked of the models, and what will be kept of it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from toolkit.errors import DeadlineExceeded, ToolError
from toolkit.messages import Attempt, Caller, ChatRequest, Message, Reply, Source, ToolSpec
from toolkit.sessions.session import Session
from toolkit.stamps import new_id
from toolkit.tools.tool import ToolContext


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """How a question is asked.

    Attributes:
        model: see `Toolkit.complete`, as for all that are not described here.
        timeout: seconds for everything together: waiting for the session's turn before, models and tools.
        caller: for the ledger and the tools. Its session is the one that is given with the question; what it does not
            say of user and origin, the session does.
        on_interrupt: of a stream only: what happens when an answer breaks off after it began.
        max_rounds: how often models are asked, at most, while they ask for tools.
    """

    model: str | None = None
    scope: str = "global"
    fallbacks: Sequence[str] | Literal["chain"] = ()
    temperature: float | None = None
    max_tokens: int | None = None
    stop: tuple[str, ...] = ()
    seed: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    timeout: float = 60.0
    caller: Caller = field(default_factory=Caller)
    on_interrupt: Literal["continue", "restart", "raise"] = "continue"
    max_rounds: int = 8


@dataclass(slots=True)
class Turn:
    """A question, and what was said since.

    Attributes:
        session: where it will be kept; None is nowhere.
        caller: in whose name models are asked and tools are called.
        asked: what the next model is asked, oldest first.
        kept: what the session will keep.
        tools: what the models may have called.
        sources: the passages behind the question.
        begun: the monotonic clock when the question came.
        looked_at: when the session was alive.
        attempts: every model asked so far.
        rounds: how often models were asked.
    """

    options: ChatOptions
    session: str | None
    caller: Caller
    asked: list[Message]
    kept: list[Message]
    tools: tuple[ToolSpec, ...]
    sources: tuple[Source, ...]
    begun: float
    looked_at: datetime
    call_id: str = field(default_factory=new_id)
    attempts: list[Attempt] = field(default_factory=list)
    rounds: int = 0

    @property
    def request(self) -> ChatRequest:
        """What the next model is asked."""
        options = self.options
        return ChatRequest(
            messages=tuple(self.asked),
            tools=self.tools,
            sources=self.sources,
            temperature=options.temperature,
            max_tokens=options.max_tokens,
            stop=options.stop,
            seed=options.seed,
            extra=options.extra,
        )

    @property
    def routing(self) -> dict[str, Any]:
        """Whom to ask, as the router's keywords."""
        options = self.options
        return {
            "model": options.model,
            "scope": options.scope,
            "fallbacks": options.fallbacks,
            "timeout": self.left,
            "caller": self.caller,
            "call_id": self.call_id,
        }

    @property
    def context(self) -> ToolContext:
        """In whose name tools are called."""
        return ToolContext(session_id=self.session, user=self.caller.user, origin=self.caller.origin)

    @property
    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            DeadlineExceeded: none.
        """
        seconds = self.begun + self.options.timeout - time.monotonic()
        if seconds <= 0:
            raise DeadlineExceeded(self.options.timeout, self.attempts)
        return seconds

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """Inside, whoever finds the rest of the time too short speaks of the time for the whole turn."""
        try:
            yield
        except DeadlineExceeded as error:
            raise DeadlineExceeded(self.options.timeout, (*self.attempts, *error.attempts)) from error

    def heard(self, reply: Reply) -> None:
        """Note what a model said.

        Raises:
            ToolError: it asks for tools once more than it may.
        """
        self.attempts += reply.attempts
        self.rounds += 1
        if reply.message.tool_calls and self.rounds >= self.options.max_rounds:
            raise ToolError(
                f"The models asked for tools {self.rounds} times and never answered; "
                "raise max_rounds, or offer fewer tools."
            )
        self.add(reply.message)

    def add(self, *messages: Message) -> None:
        """Note what was said by a model or a tool."""
        self.asked += messages
        self.kept += messages

    def closed(self, reply: Reply) -> Reply:
        """The last model's `reply` as the answer to the whole turn."""
        return replace(
            reply,
            attempts=tuple(self.attempts),
            call_id=self.call_id,
            session_id=self.session,
            milliseconds=(time.monotonic() - self.begun) * 1000,
        )


def on_behalf_of(caller: Caller, session: Session | None) -> Caller:
    """`caller`, and where it says nothing of user and origin, those whom the session belongs to."""
    if session is None:
        return caller
    return Caller(caller.user or session.user, caller.origin or session.origin, session.id)


def in_order(history: Sequence[Message], messages: Sequence[Message], system: str | None) -> list[Message]:
    """What a model is asked: instructions first, each once, then what was said before, then the question."""
    everything = [*([Message("system", system)] if system else []), *history, *messages]
    instructions: list[Message] = []
    for message in everything:
        if message.role == "system" and message not in instructions:
            instructions.append(message)
    return [*instructions, *(message for message in everything if message.role != "system")]


def new_to(history: Sequence[Message], messages: Sequence[Message]) -> list[Message]:
    """`messages` without the instructions that a session has already: a wire's client sends them with every turn."""
    known = [message for message in history if message.role == "system"]
    return [message for message in messages if message not in known]

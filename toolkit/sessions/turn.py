"""One question on its way to an answer: what is asked of the models, and what will be kept of it."""

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeAlias

from toolkit.db import Statement
from toolkit.errors import AllModelsFailed, AnswerInvalid, ConfigError, DeadlineExceeded, StreamInterrupted, ToolError
from toolkit.messages import Attempt, CalledTool, Caller, ChatRequest, Message, Reply, Source, ToolCall, ToolSpec
from toolkit.models.structured import in_words
from toolkit.sessions.exclusive import Held
from toolkit.sessions.form import Misfit
from toolkit.sessions.memory import Memory
from toolkit.sessions.results import READ_ON, LongResults
from toolkit.sessions.schema_form import AnyForm
from toolkit.sessions.session import Session
from toolkit.stamps import monotonic, new_id
from toolkit.tools.tool import Tool, ToolContext

Approve: TypeAlias = Callable[[ToolCall, Tool], bool | Awaitable[bool]]
"""Whether a destructive tool may be called with these arguments."""

_LONGEST_QUEUE = 3600.0
_UNANSWERED = "Error: the caller went on without calling this tool."
_BROKEN_OFF = "Error: the user stopped the answer before this call had ended."


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
        response_model: the type that the answer must fit, None for free text.
        validation_context: what its validators find at `info.context`.
        validation_retries: how often models are asked again, at most, with what does not fit.
        requirements: what a model must have to be asked.
        hedge: whether a second model is asked where the first is slow.
        cache: whether an answer may come from the response cache; `"refresh"`: it is asked for anew and kept; None: as
            the settings say.
        queue: seconds to wait, at most, where a limit is used up.
        approve: asked before a destructive tool is called, one call after the other; None: what was offered may be
            called. The time that it takes does not count.
        prompt: the id of the prompt that the question was made with.
        offered: tools that the caller runs: an answer that asks for them is the turn's last.
        tool_choice: whether the model must, or must not, ask for a tool, see `ChatRequest`. It holds until it has asked
            for one.
        keep_partial: of a stream in a session only: what was said of an answer is kept, marked as stopped, where the
            stream is cancelled or closed before its end. Not of one that must fit a type.
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
    response_model: Any = None
    validation_context: Any = None
    validation_retries: int = 2
    requirements: Mapping[str, Any] | None = None
    hedge: bool | float = False
    cache: bool | Literal["refresh"] | None = None
    queue: float = 0.0
    approve: Approve | None = None
    prompt: str | None = None
    offered: tuple[ToolSpec, ...] = ()
    tool_choice: str | None = None
    keep_partial: bool = False

    def __post_init__(self) -> None:
        texts = {"model": self.model, "user": self.caller.user, "origin": self.caller.origin, "prompt_id": self.prompt}
        for name, text in texts.items():
            _check(text is None or isinstance(text, str), name, "a text", text)
        _check(self.cache in (None, True, False, "refresh"), "cache", 'True, False or "refresh"', self.cache)
        _check(_number(self.timeout), "timeout", "a number of seconds", self.timeout)
        _check(_number(self.queue) and 0 <= self.queue <= _LONGEST_QUEUE, "queue", "seconds up to an hour", self.queue)
        warmth, most = self.temperature, self.max_tokens
        _check(warmth is None or (_number(warmth) and warmth >= 0), "temperature", "a number, 0 or more", warmth)
        whole = isinstance(most, int) and not isinstance(most, bool)
        _check(most is None or (whole and most > 0), "max_tokens", "a whole number of at least 1", most)


@dataclass(slots=True)
class Turn:
    """A question, and what was said since.

    Attributes:
        held: the session that it will be kept in; None is nowhere.
        memory: how much of the conversation the models are told.
        caller: in whose name models are asked and tools are called.
        asked: what the next model is asked, oldest first.
        kept: what the session will keep.
        tools: what the models may have called.
        sources: the passages behind the question.
        form: what the answer must fit, None for free text.
        begun: the monotonic clock when the question came.
        looked_at: when the session was alive.
        unwritten: rows of the ledger that are to be written with the turn.
        attempts: every model asked so far.
        rounds: how often models asked for tools.
        misfits: how many answers did not fit the form.
        parsed: the answer as an instance of its type, None until there is one.
        results: the tools' results that were too long to be told at once.
        cached: how many answers came from the cache.
        growing: what the model that speaks has said so far, in pieces; empty between two of them.
        calling: a model's wish for tools that are being called, None while none are.
        called: what came of those calls so far, or of the last ones, by their places among them: ids may be missing.
        approving: seconds that it took to have calls approved.
    """

    options: ChatOptions
    held: Held | None
    memory: Memory
    caller: Caller
    asked: list[Message]
    kept: list[Message]
    tools: tuple[ToolSpec, ...]
    sources: tuple[Source, ...]
    form: AnyForm | None
    begun: float
    looked_at: datetime
    unwritten: list[Statement] = field(default_factory=list)
    call_id: str = field(default_factory=new_id)
    attempts: list[Attempt] = field(default_factory=list)
    rounds: int = 0
    misfits: int = 0
    parsed: Any = None
    results: LongResults = field(default_factory=LongResults)
    cached: int = 0
    growing: list[str] = field(default_factory=list)
    calling: Message | None = None
    called: dict[int, CalledTool] = field(default_factory=dict)
    approving: float = 0.0

    @property
    def session(self) -> str | None:
        """The id of the session, None without one."""
        return self.held.session.id if self.held else None

    @property
    def request(self) -> ChatRequest:
        """What the next model is asked."""
        options = self.options
        return ChatRequest(
            messages=tuple(self.memory.told(self.asked)),
            tools=(*self.tools, READ_ON) if self.results else self.options.offered or self.tools,
            tool_choice=None if self.rounds else options.tool_choice,
            sources=self.sources,
            temperature=options.temperature,
            max_tokens=options.max_tokens,
            stop=options.stop,
            seed=options.seed,
            extra=options.extra,
            output=self.form.output if self.form else None,
        )

    @property
    def chosen(self) -> dict[str, Any]:
        """Who may be asked, as the router's keywords."""
        options = self.options
        return {
            "model": options.model,
            "scope": options.scope,
            "fallbacks": options.fallbacks,
            "requirements": options.requirements,
        }

    @property
    def routing(self) -> dict[str, Any]:
        """Whom to ask, and in whose name, as the router's keywords."""
        return {
            **self.chosen,
            "hedge": self.options.hedge,
            "timeout": self.left,
            "caller": self.caller,
            "call_id": self.call_id,
            "later": self.unwritten,
        }

    @property
    def context(self) -> ToolContext:
        """In whose name tools are called."""
        caller = self.caller
        return ToolContext(
            session_id=self.session,
            user=caller.user,
            origin=caller.origin,
            authenticated=caller.authenticated,
            call_id=self.call_id,
        )

    @property
    def left(self) -> float:
        """Seconds until the deadline.

        Raises:
            DeadlineExceeded: none.
        """
        seconds = self.begun + self.options.timeout + self.approving - monotonic()
        if seconds <= 0:
            raise DeadlineExceeded(self.options.timeout, self.attempts)
        return seconds

    @contextmanager
    def as_one(self) -> Iterator[None]:
        """Inside, an error of the router's speaks of the whole turn: of its time, and of all that were asked in it."""
        try:
            yield
        except DeadlineExceeded as error:
            raise DeadlineExceeded(self.options.timeout, self._all(error.attempts)) from error
        except (AllModelsFailed, StreamInterrupted) as error:
            error.attempts = self._all(error.attempts)
            raise

    def _all(self, attempts: Sequence[Attempt]) -> tuple[Attempt, ...]:
        """The attempts of the turn, and those of `attempts` that are new."""
        known = set(map(id, self.attempts))
        return (*self.attempts, *(attempt for attempt in attempts if id(attempt) not in known))

    @property
    def on_interrupt(self) -> Literal["continue", "restart", "raise"]:
        """What happens when an answer breaks off: nobody can go on in the middle of a form."""
        chosen = self.options.on_interrupt
        return "restart" if self.form and chosen == "continue" else chosen

    def heard(self, reply: Reply) -> None:
        """Note that a model spoke.

        Raises:
            ToolError: it asks for tools once more than it may.
        """
        self.growing.clear()
        self.called = {}
        self.attempts += reply.attempts
        self.cached += reply.cached
        self.rounds += bool(reply.message.tool_calls)
        if reply.message.tool_calls and self.rounds >= self.options.max_rounds:
            raise ToolError(
                f"The models asked for tools {self.rounds} times and never answered; "
                "raise max_rounds, or offer fewer tools."
            )

    def accepts(self, reply: Reply) -> bool:
        """Note a model's answer; False where it does not fit the form, and the model is to be asked again.

        What is said about an answer that does not fit is not kept.

        Raises:
            AnswerInvalid: it does not fit, and nobody is asked again.
        """
        if self.form:
            try:
                self.parsed = self.form.read(reply.text, self.options.validation_context)
            except Misfit as misfit:
                self.misfits += 1
                self._give_up_on(reply, misfit)
                self.asked += (reply.message, Message("user", asked_again(misfit, self.form)))
                return False
        self.add(reply.message)
        return True

    def _give_up_on(self, reply: Reply, misfit: Misfit) -> None:
        """Raise where asking again would not help, or was done often enough."""
        cut_off = misfit.unreadable and reply.finish_reason == "length"
        if not cut_off and self.misfits <= self.options.validation_retries:
            return
        if cut_off:
            message = "The answer was cut off before its JSON was whole; raise max_tokens."
        else:
            times = "once" if self.misfits == 1 else f"{self.misfits} times"
            name = self.form.output.name if self.form else ""
            message = (
                f"The model was asked {times} for {name}, and its answer does not fit: {'; '.join(misfit.errors)}."
            )
        cause = misfit.__cause__ or misfit
        raise AnswerInvalid(message, text=reply.text, errors=misfit.errors, attempts=self.attempts) from cause

    def add(self, *messages: Message) -> None:
        """Note what was said by a model or a tool."""
        self.asked += messages
        self.kept += messages

    def add_called(self) -> None:
        """Note what the model wanted called, and what came of it; of a call that has not ended, that it was stopped."""
        message, self.calling = self.calling, None
        if message is not None:
            results = {place: each.result for place, each in self.called.items()}
            told = ((call.id, results.get(place, _BROKEN_OFF)) for place, call in enumerate(message.tool_calls))
            self.add(message, *(Message("tool", result, tool_call_id=call) for call, result in told))

    def break_off(self) -> bool:
        """Note what was said of an answer that is left before its end; False where there is nothing of it, or all."""
        self.add_called()
        if (said := "".join(self.growing)).strip():
            self.add(Message("assistant", said, stopped=True))
        elif self.rounds and self.kept[-1].role == "tool":
            last = max(place for place, message in enumerate(self.kept) if message.role == "assistant")
            self.kept[last] = replace(self.kept[last], stopped=True)
        else:
            return False
        return True

    def closed(self, reply: Reply) -> Reply:
        """The last model's `reply` as the answer to the whole turn."""
        return replace(
            reply,
            attempts=tuple(self.attempts),
            call_id=self.call_id,
            session_id=self.session,
            parsed=self.parsed,
            cached=self.cached > 0 and not self.attempts,
            trimmed=self.memory.trimmed,
            milliseconds=(monotonic() - self.begun) * 1000,
        )


def _check(fits: bool, name: str, what: str, value: Any) -> None:
    if not fits:
        raise ConfigError(f"`{name}` must be {what} (got {value!r}).")


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def asked_again(misfit: Misfit, form: AnyForm) -> str:
    """What a model is told whose answer does not fit; one that did not even try JSON is told the form in words."""
    mistakes = "\n".join(f"- {error}" for error in misfit.errors)
    words = f"Your answer does not fit:\n{mistakes}\nGive the whole answer again, with this put right."
    return f"{words} {in_words(form.output.schema)}" if misfit.unreadable else words


def on_behalf_of(caller: Caller, session: Session | None) -> Caller:
    """`caller`, and where it says nothing of user and origin, those whom the session belongs to."""
    if session is None:
        return caller
    return replace(
        caller, user=caller.user or session.user, origin=caller.origin or session.origin, session_id=session.id
    )


def in_order(history: Sequence[Message], messages: Sequence[Message], system: str | None) -> list[Message]:
    """What a model is asked: instructions first, each once, then what was said before, then the question."""
    said = answered([*history, *messages]) if history else messages
    everything = [*([Message("system", system)] if system else []), *said]
    instructions: list[Message] = []
    for message in everything:
        if message.role == "system" and message not in instructions:
            instructions.append(message)
    return [*instructions, *(message for message in everything if message.role != "system")]


def answered(messages: Sequence[Message]) -> list[Message]:
    """`messages`, and behind each call of a tool that nobody has answered that it was not: vendors refuse it else."""
    told: list[Message] = []
    waiting: list[str] = []
    for message in messages:
        if message.role == "tool":
            waiting = [call for call in waiting if call != message.tool_call_id]
        else:
            told += [Message("tool", _UNANSWERED, tool_call_id=call) for call in waiting]
            waiting = [call.id for call in message.tool_calls]
        told.append(message)
    return told


def new_to(history: Sequence[Message], messages: Sequence[Message]) -> list[Message]:
    """`messages` without the instructions that a session has already: a wire's client sends them with every turn."""
    known = [message for message in history if message.role == "system"]
    return [message for message in messages if message not in known]

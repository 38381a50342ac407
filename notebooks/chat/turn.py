"""One question and what came of it, as a person reads it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Any, Literal

from notebooks.chat import calls
from notebooks.chat.calls import Wishes
from toolkit.display.markdown import render
from toolkit.display.words import dollars, seconds, tokens
from toolkit.messages import Attempt, CalledTool, Delta, Message, Reply, ToolCall
from toolkit.search.answer import Answer, Passage

State = Literal["running", "answered", "stopped", "failed"]

_MOST_PASSAGE = 600


@dataclass(frozen=True, slots=True)
class Step:
    """What a model said before it had tools called, and what came of them."""

    text: str
    called: tuple[CalledTool, ...]


@dataclass(slots=True, eq=False)
class Turn:
    """A question, and its answer as far as it has come.

    Attributes:
        text: the answer, in Markdown; what was said before tools were called stands in `steps`.
        state: how it stands with the answer.
        error: why there is none, in a sentence.
        reply: who answered, once the answer is whole; None for a turn that was read from a session.
        steps: what was said and done before the answer.
        sources: the passages that the answer cites, by their numbers.
        given: what was handed in beside the question, in a few words each.
        note: where the turn stands, e.g. that it is a branch; may be empty.
        kept: it stands in the session.
        attempts: who was asked until the model that speaks.
        session: the id of the session that it was asked in.
    """

    question: str
    text: str = ""
    state: State = "running"
    error: str = ""
    reply: Reply | None = None
    steps: list[Step] = field(default_factory=list)
    sources: tuple[Passage, ...] = ()
    given: tuple[str, ...] = ()
    note: str = ""
    kept: bool = False
    attempts: tuple[Attempt, ...] = ()
    session: str | None = None
    _wishes: Wishes = field(default_factory=Wishes)

    def add(self, piece: Delta | Answer) -> None:
        """Take in the next piece of the answer."""
        if isinstance(piece, Answer):
            cited = {each.number for each in piece.citations}
            self.sources = tuple(each for each in piece.passages if each.number in cited)
            return
        if piece.restarted:
            self._wishes.clear()
        self.attempts = piece.attempts or self.attempts
        self.text = piece.text if piece.restarted else self.text + piece.text
        for fragment in piece.tool_calls:
            self._wishes.take(fragment)
        if piece.called:
            self.steps.append(Step(self.text, piece.called))
            self.text = ""
            self._wishes.clear()
        if piece.reply is not None:
            self.text, self.reply, self.state = piece.reply.text, piece.reply, "answered"

    def end(self, state: State, error: str = "") -> None:
        """Note that nothing more will come."""
        if called := self._wishes.stopped():
            self.steps.append(Step(self.text, called))
            self.text = ""
        self.state, self.error = state, error

    @property
    def said(self) -> str:
        """All that was said, before tools were called and after."""
        return "\n\n".join(filter(None, [*(step.text for step in self.steps), self.text]))

    @property
    def so_far(self) -> Reply:
        """The reply; of an answer that was stopped what came of it, with `message.stopped`."""
        if self.reply is not None:
            return self.reply
        model = self.attempts[-1].name if self.attempts else ""
        message = Message("assistant", self.said, stopped=True)
        return Reply(message, model, self.attempts, call_id="", session_id=self.session)

    def row(self) -> dict[str, Any]:
        """The turn as a row of a table."""
        used = self.reply.usage if self.reply else None
        return {
            "question": self.question,
            "answer": self.said,
            "state": self.state,
            "model": self.so_far.model or None,
            "tools": len([each for step in self.steps for each in step.called]),
            "input_tokens": used.input_tokens if used else None,
            "output_tokens": used.output_tokens if used else None,
            "cost_usd": self.reply.cost_usd if self.reply else None,
            "seconds": self.reply.milliseconds / 1000 if self.reply else None,
        }

    def html(self, *, timed: bool = True) -> str:
        """The turn as it stands; `timed` says whether with the seconds that it took."""
        return f"{self.asked_html()}{self.steps_html(timed=timed)}{self.answer_html()}{self.foot_html(timed=timed)}"

    def asked_html(self) -> str:
        """The question, and what was handed in beside it."""
        given = "".join(f"<li>{escape(each)}</li>" for each in self.given)
        return (
            f'<div class="toolkit-asked"><div class="toolkit-who">You</div>'
            f'<div class="toolkit-said">{escape(self.question)}</div>'
            f"{f'<ul class=toolkit-given>{given}</ul>' if given else ''}</div>"
        )

    def steps_html(self, *, timed: bool = True) -> str:
        """Who answers, and what was said and done before the answer."""
        note = f"<span>{'writing' if self.text else 'waiting for the first word'}</span>" if self._waits else ""
        done = "".join(
            f'{_answer(render(step.text)) if step.text else ""}<div class="toolkit-calls">'
            f"{''.join(calls.page(each, timed=timed) for each in step.called)}</div>"
            for step in self.steps
        )
        return f'<div class="toolkit-who">Assistant{note}</div>{done}'

    def answer_html(self) -> str:
        """The answer as far as it has come, and the tools that are being called."""
        said = render(self.text) if self.text else ""
        running = self.state == "running"
        wished = f'<div class="toolkit-calls">{self._wishes.page()}</div>' if running and self._wishes else ""
        caret = '<span class="toolkit-caret"></span>' if running and not self._wishes else ""
        failed = f'<div class="toolkit-error" role="alert">{escape(self.error)}</div>' if self.error else ""
        return f"{_answer(f'{said}{caret}{failed}', busy=running)}{wished}{self._sources()}"

    def foot_html(self, *, timed: bool = True) -> str:
        """Who answered, who was asked before, what it cost and how long it took; empty until there is an answer."""
        spans = [f"<span>{escape(text)}</span>" for text in [*self._ending(), *self._figures(timed=timed)]]
        if self.reply and (badge := fallback(self.reply)):
            reasons = "".join(f"<li>{escape(reason(a))}</li>" for a in self.reply.attempts if not a.ok)
            details = f'<details><summary class="toolkit-badge">{escape(badge)}</summary><ul>{reasons}</ul></details>'
            spans.insert(1, details)
        spans += [f"<span>{escape(self.note)}</span>"] if self.note else []
        return f'<div class="toolkit-foot">{" ".join(spans)}</div>' if spans else ""

    def markdown(self) -> str:
        """The turn for a file, without the seconds: the same conversation reads the same."""
        done = [part for step in self.steps for part in (step.text, "\n".join(map(calls.line, step.called)))]
        said = [*done, self.text, self.error and f"*{self.error}*"]
        cited = "\n".join(f"[{each.number}] {each.title}" for each in self.sources)
        foot = " · ".join(
            [*self._ending(), *([fallback(self.reply)] if self.reply else []), *self._figures(timed=False)]
        )
        asked = [f"**You:** {self.question}", *(f"*with {each}*" for each in self.given)]
        return "\n\n".join(filter(None, [*asked, "**Assistant:**", *said, cited, foot and f"*{foot}*"]))

    @property
    def _waits(self) -> bool:
        return self.state == "running" and not self._wishes

    def _sources(self) -> str:
        if not self.sources:
            return ""
        count = len(self.sources)
        listed = "".join(
            f"<li><b>[{each.number}]</b> {escape(each.title)}<blockquote>{escape(_cut(each.text))}</blockquote></li>"
            for each in self.sources
        )
        return (
            f'<details class="toolkit-sources"><summary>{count} source{"" if count == 1 else "s"}</summary>'
            f"<ul>{listed}</ul></details>"
        )

    def _ending(self) -> list[str]:
        if self.state == "stopped":
            return ["stopped"]
        return [self.reply.model] if self.reply else []

    def _figures(self, *, timed: bool) -> list[str]:
        if self.reply is None:
            return []
        used = self.reply.usage
        cut = ["cut off at the length allowed"] if self.reply.finish_reason == "length" else []
        spent = [tokens(used.input_tokens, used.output_tokens), dollars(self.reply.cost_usd)]
        took = [seconds(self.reply.milliseconds)] if timed else []
        return [*cut, *(spent if used.total_tokens else []), *took]


def turns_of(messages: Iterable[Message]) -> list[Turn]:
    """The turns of a stored conversation, tool calls and stopped answers too."""
    said = list(messages)
    results = {each.tool_call_id: each.text for each in said if each.role == "tool"}
    turns: list[Turn] = []
    for message in said:
        if message.role == "user":
            turns.append(Turn(message.text, state="answered", given=_pictures(len(message.images)), kept=True))
        elif message.role == "assistant" and turns:
            _hear(turns[-1], message, results)
    return turns


def fallback(reply: Reply) -> str:
    """Whether others were asked first, in a few words; empty if not."""
    failed = [a for a in reply.attempts if not a.ok]
    others = list(dict.fromkeys(a.name for a in failed if a.name != reply.model))
    if others:
        return f"fell back from {', '.join(others)}"
    return "tried again" if failed else ""


def reason(attempt: Attempt) -> str:
    """Why a model did not answer."""
    return f"{attempt.name}: {attempt.message or attempt.error}"


def _hear(turn: Turn, message: Message, results: dict[str | None, str]) -> None:
    if message.stopped:
        turn.state = "stopped"
    if message.tool_calls:
        turn.steps.append(Step(message.text, _done(message.tool_calls, results)))
    else:
        turn.text = "\n\n".join(filter(None, [turn.text, message.text]))


def _done(wanted: Sequence[ToolCall], results: dict[str | None, str]) -> tuple[CalledTool, ...]:
    return tuple(calls.called(call, results.get(call.id)) for call in wanted)


def _pictures(count: int) -> tuple[str, ...]:
    return (f"{count} picture{'' if count == 1 else 's'}",) if count else ()


def _answer(html: str, *, busy: bool = False) -> str:
    return f'<div class="toolkit-answer" role="log" aria-live="polite" aria-busy="{str(busy).lower()}">{html}</div>'


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_PASSAGE else f"{text[:_MOST_PASSAGE]} …"

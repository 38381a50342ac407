"""One question and what came of it, as a person reads it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Literal, Self

from toolkit.display.markdown import render
from toolkit.display.words import dollars, seconds, tokens
from toolkit.messages import Attempt, Delta, Message, Reply

State = Literal["running", "answered", "stopped", "failed"]


@dataclass(slots=True)
class Turn:
    """A question, and its answer as far as it has come.

    Attributes:
        text: the answer, in Markdown.
        state: how it stands with the answer.
        error: why there is none, in a sentence.
        reply: who answered, once the answer is whole; None for a turn that was read from a session.
    """

    question: str
    text: str = ""
    state: State = "running"
    error: str = ""
    reply: Reply | None = None

    def add(self, delta: Delta) -> None:
        """Take in the next piece of the answer."""
        self.text = delta.text if delta.restarted else self.text + delta.text
        if delta.reply is not None:
            self.text, self.reply, self.state = delta.reply.text, delta.reply, "answered"

    def html(self, *, timed: bool = True) -> str:
        """The turn as it stands; `timed` says whether with the seconds that it took."""
        running = self.state == "running"
        note = f"<span>{'writing' if self.text else 'waiting for the first word'}</span>" if running else ""
        said = render(self.text) if self.text else ""
        caret = '<span class="toolkit-caret"></span>' if running else ""
        failed = f'<div class="toolkit-error" role="alert">{escape(self.error)}</div>' if self.error else ""
        return (
            f'<div class="toolkit-asked"><div class="toolkit-who">You</div>'
            f'<div class="toolkit-said">{escape(self.question)}</div></div>'
            f'<div class="toolkit-who">Assistant{note}</div>'
            f'<div class="toolkit-answer" role="log" aria-live="polite" aria-busy="{str(running).lower()}">'
            f"{said}{caret}{failed}</div>{self._foot(timed=timed)}"
        )

    def markdown(self) -> str:
        """The turn for a file, without the seconds: the same conversation reads the same."""
        said = [self.text, self.error and f"*{self.error}*"]
        foot = " · ".join(
            [*self._ending(), *([fallback(self.reply)] if self.reply else []), *self._figures(timed=False)]
        )
        return "\n\n".join(filter(None, [f"**You:** {self.question}", "**Assistant:**", *said, foot and f"*{foot}*"]))

    def _foot(self, *, timed: bool) -> str:
        spans = [f"<span>{escape(text)}</span>" for text in [*self._ending(), *self._figures(timed=timed)]]
        if self.reply and (badge := fallback(self.reply)):
            reasons = "".join(f"<li>{escape(reason(a))}</li>" for a in self.reply.attempts if not a.ok)
            details = f'<details><summary class="toolkit-badge">{escape(badge)}</summary><ul>{reasons}</ul></details>'
            spans.insert(1, details)
        return f'<div class="toolkit-foot">{" ".join(spans)}</div>' if spans else ""

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


class Transcript(str):
    """A conversation as Markdown text, which a notebook shows as a page.

    The page is made like the panel's, not by the notebook's own Markdown, which runs what a model may have written.
    """

    __slots__ = ("_page",)
    _page: str

    def __new__(cls, turns: Sequence[Turn]) -> Self:
        """The transcript of `turns`, oldest first."""
        self = super().__new__(cls, "\n\n".join(turn.markdown() for turn in turns))
        self._page = "".join(f'<div class="toolkit-turn">{turn.html(timed=False)}</div>' for turn in turns)
        return self

    def _repr_html_(self) -> str:
        return f'<div class="toolkit-page">{self._page}</div>'


def turns_of(messages: Iterable[Message]) -> list[Turn]:
    """The turns of a stored conversation; what tools said in between is left out."""
    turns: list[Turn] = []
    for message in messages:
        if message.role == "user":
            turns.append(Turn(message.text, state="answered"))
        elif message.role == "assistant" and message.text and turns:
            turns[-1].text = "\n\n".join(filter(None, [turns[-1].text, message.text]))
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

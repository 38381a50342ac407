"""An answer in pieces, that may be begun by one model and finished by another."""

from dataclasses import replace
from typing import Literal, NoReturn, TypeAlias

from toolkit.errors import StreamInterrupted, ToolkitError
from toolkit.messages import ChatRequest, Delta, Message
from toolkit.models.call import Call
from toolkit.models.model import Model
from toolkit.models.retry import is_final

OnInterrupt: TypeAlias = Literal["continue", "restart", "raise"]

_GO_ON = (
    "Your answer was cut off by a fault of the connection. Go on with it. Begin by repeating, letter by letter, the "
    "end of what arrived, which stands between the marks, and go straight on from there, in the middle of a word if "
    "need be. Do not mention the interruption, and write no marks.\n<<<{end}>>>"
)
_ANCHOR = 40
"""Characters at the end of an answer that whoever goes on with it repeats, so that the seam can be found."""

_LONG = 8  # characters that do not repeat by chance


class Shown:
    """What the reader has seen of the answer, over all models that took part in it.

    Args:
        on_interrupt: what happens when the answer breaks off after some of its text was shown.
    """

    def __init__(self, on_interrupt: OnInterrupt) -> None:
        self._on_interrupt = on_interrupt
        self._parts: list[str] = []
        self._tool_calls = False
        self._restart = False  # the next piece voids what was shown
        self._held: str | None = None  # how a continuation begins, until it is clear whether it repeats

    @property
    def text(self) -> str:
        """The text that stands."""
        return "".join(self._parts)

    @property
    def begun(self) -> bool:
        """Whether anything was shown."""
        return bool(self._parts) or self._tool_calls

    @property
    def standing(self) -> bool:
        """Whether there is text that the present model has not still to begin again."""
        return bool(self._parts) and not self._restart

    def ask(self, request: ChatRequest, *, anew: bool) -> ChatRequest:
        """What the next model is asked: `request`, or to go on with it.

        Half a tool call is of no use, nor is half a form, which models write from the beginning: such an answer begins
        again, announced with its first piece.

        Args:
            request: what the first model was asked.
            anew: the next model cannot go on with another one's text.
        """
        self._restart = self.begun and (anew or not self._can_go_on(request))
        self._held = "" if self.begun and not self._restart else None
        if self._held is None:
            return request
        so_far = (Message("assistant", self.text), Message("user", go_on(self.text)))
        return replace(request, messages=request.messages + so_far)

    def take(self, piece: Delta) -> Delta | None:
        """What the reader sees of a provider's `piece`; None if that is nothing yet."""
        text = piece.text if self._held is None else self._unrepeated(self._held + piece.text, piece)
        if not text and not piece.tool_calls:
            return None
        restarted, self._restart = self._restart, False
        if restarted:
            self._parts, self._tool_calls = [], False
        if text:
            self._parts.append(text)
        self._tool_calls = self._tool_calls or bool(piece.tool_calls)
        return Delta(text=text, tool_calls=piece.tool_calls, restarted=restarted, extra=piece.extra)

    def give_up(self, call: Call, model: Model | None, error: ToolkitError | None) -> NoReturn:
        """Raise what is raised when nobody finishes the answer, `model` the last: with the text, if any was shown."""
        if self._parts:
            last = call.attempts[-1]
            raise StreamInterrupted(
                f"The answer broke off after {len(self.text)} characters: "
                f"{last.name} failed with {last.error} ({last.message}).",
                text=self.text,
                attempts=call.attempts,
            ) from error
        if error is not None and model is not None and is_final(error, model):
            raise error
        raise call.failure() from error

    def ends_with(self, error: ToolkitError, model: Model) -> bool:
        """Whether nobody is asked any more after `error` of `model`."""
        return is_final(error, model) or (bool(self._parts) and self._on_interrupt == "raise")

    def _can_go_on(self, request: ChatRequest) -> bool:
        """Whether the answer can be finished by another one: half a tool call and half a form cannot."""
        return not (self._tool_calls or request.output or self._on_interrupt == "restart")

    def _unrepeated(self, beginning: str, piece: Delta) -> str:
        """The part of a continuation's `beginning` that is new; empty while it may still be a repetition."""
        more_may_come = not piece.tool_calls and piece.completion is None
        self._held = beginning if more_may_come and beginning in self.text else None
        return beginning[overlap(self.text, beginning) :] if self._held is None else ""


def go_on(text: str) -> str:
    """What a model is told that goes on with `text`, the answer so far."""
    end = text[-_ANCHOR:]
    words = end.split(" ", 1)  # a half word at the beginning of the anchor would be repeated as a whole one
    return _GO_ON.format(end=words[1] if len(text) > _ANCHOR and len(words) > 1 and words[1].strip() else end)


def overlap(shown: str, more: str) -> int:
    """How many characters at the beginning of `more` repeat the end of `shown`.

    A repetition is one that is long, or that begins where a word begins: `"The capital of Fr"` and `"France"` share
    two characters, `"hel"` and `"lo"` none.
    """
    for length in range(min(len(shown), len(more)), 1, -1):
        start = len(shown) - length
        whole_words = more[0].isalnum() and (start == 0 or not shown[start - 1].isalnum())
        if (length >= _LONG or whole_words) and shown.endswith(more[:length]):
            return length
    return 0

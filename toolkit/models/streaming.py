"""An answer in pieces, that may be begun by one model and finished by another."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Literal, NoReturn, Self, TypeAlias

from toolkit.errors import BadAnswer, StreamInterrupted, ToolkitError
from toolkit.messages import ChatRequest, Completion, Delta, Message
from toolkit.models.call import Call
from toolkit.models.model import Model
from toolkit.models.retry import GRACE, is_final

OnInterrupt: TypeAlias = Literal["continue", "restart", "raise"]

GO_ON = (
    "Your answer was cut off. Go on exactly where it stopped, in the middle of a word if need be: begin with the very "
    "next character, repeat nothing of what you have said, and do not mention the interruption."
)
"""What a model is told that goes on with another one's answer."""

_LONG = 8  # characters that do not repeat by chance
_log = logging.getLogger(__name__)


class Pieces:
    """A provider's stream, its waits bounded, its end checked.

    Args:
        stream: what the provider gives.
        call: whose deadline holds.
        model: who is speaking.
        limit: seconds for the first piece to come, and between any two.
    """

    def __init__(self, stream: AsyncIterator[Delta], call: Call, model: Model, limit: float) -> None:
        self._stream = stream
        self._call = call
        self._model = model
        self._limit = limit
        self._first_due = call.left() - limit - GRACE  # the first piece is due when this much of the call is left
        self._begun = False
        self.completion: Completion | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Delta:
        if self.completion is not None:
            raise StopAsyncIteration
        left = self._call.left()
        wait = self._limit + GRACE if self._begun else left - self._first_due
        try:
            async with asyncio.timeout(max(0.0, min(wait, left))):
                piece = await anext(self._stream)
        except StopAsyncIteration:
            raise BadAnswer(
                f"The stream of {self._model.name} ended without its end mark.", provider=self._model.provider
            ) from None
        self._begun = self._begun or bool(piece.text or piece.tool_calls)
        self.completion = piece.completion
        return piece

    def whole(self, shown: "Shown") -> Completion:
        """The completion, with the text that the reader saw.

        Raises:
            BadAnswer: it says nothing.
        """
        completion = self.completion
        if completion is None or not (shown.standing or completion.message.tool_calls):
            raise BadAnswer(f"The answer of {self._model.name} is empty.", provider=self._model.provider)
        return replace(completion, message=replace(completion.message, text=shown.text))

    async def aclose(self) -> None:
        """Cancel the provider's request if it is still under way."""
        close = getattr(self._stream, "aclose", None)
        if close is None:
            return
        try:
            await close()
        except Exception as error:  # noqa: BLE001 - the stream is over for us, however it ends
            _log.warning("A stream of %s did not close cleanly: %s", self._model.provider, type(error).__name__)


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

        Half a tool call is of no use, so an answer that had begun one begins again, announced with its first piece.

        Args:
            request: what the first model was asked.
            anew: the next model cannot go on with another one's text.
        """
        self._restart = self.begun and (self._tool_calls or anew or self._on_interrupt == "restart")
        self._held = "" if self.begun and not self._restart else None
        if self._held is None:
            return request
        so_far = (Message("assistant", self.text), Message("user", GO_ON))
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
        return Delta(text=text, tool_calls=piece.tool_calls, restarted=restarted)

    def give_up(self, call: Call, error: ToolkitError | None) -> NoReturn:
        """Raise what is raised when nobody finishes the answer: with the text, if any was shown."""
        if self._parts:
            last = call.attempts[-1]
            raise StreamInterrupted(
                f"The answer broke off after {len(self.text)} characters: "
                f"{last.name} failed with {last.error} ({last.message}).",
                text=self.text,
                attempts=call.attempts,
            ) from error
        if error is not None and is_final(error):
            raise error
        raise call.failure() from error

    def ends_with(self, error: ToolkitError) -> bool:
        """Whether nobody is asked any more after `error`."""
        return is_final(error) or (bool(self._parts) and self._on_interrupt == "raise")

    def _unrepeated(self, beginning: str, piece: Delta) -> str:
        """The part of a continuation's `beginning` that is new; empty while it may still be a repetition."""
        more_may_come = not piece.tool_calls and piece.completion is None
        self._held = beginning if more_may_come and beginning in self.text else None
        return beginning[overlap(self.text, beginning) :] if self._held is None else ""


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

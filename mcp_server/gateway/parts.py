"""The parts of a streamed answer one after another: a text, or the wish that a tool be called, at a time."""

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from toolkit.errors import StreamInterrupted
from toolkit.messages import Attempt, Delta, Reply, ToolCallFragment

Moment: TypeAlias = Literal["begins", "goes on", "ends", "breaks off"]


@dataclass(slots=True)
class Part:
    """A text, or a tool's call, as far as it has come.

    Attributes:
        number: its place in the answer, from 0; -1 as long as it has none.
        call_id: of a tool's call, None of a text.
        name: of the tool.
        text: what came of it so far: the text, or the arguments as JSON.
    """

    number: int = -1
    call_id: str | None = None
    name: str = ""
    text: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether something else may follow: a call whose JSON has not ended goes on."""
        if self.call_id is None:
            return True
        try:
            json.loads(self.text)
        except ValueError:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to a part; `text` is what it is longer by."""

    moment: Moment
    part: Part
    text: str = ""


def at_once(reply: Reply) -> Delta:
    """A whole answer as one piece."""
    calls = enumerate(reply.message.tool_calls)
    fragments = (
        ToolCallFragment(n, call.id, call.name, json.dumps(call.arguments, ensure_ascii=False)) for n, call in calls
    )
    return Delta(reply.text, tuple(fragments))


class Parts:
    """Puts the pieces of an answer in order.

    Vendors may send the calls of several tools interwoven; those who read a stream are told of them in turn.

    Attributes:
        attempts: who was asked until the last model began to speak.
    """

    def __init__(self) -> None:
        self.attempts: tuple[Attempt, ...] = ()
        self._open: Part | None = None
        self._shown = 0
        self._calls: dict[int, Part] = {}
        self._waiting: deque[Part] = deque()

    def take(self, delta: Delta) -> Iterator[Step]:
        """What comes of the next piece.

        Raises:
            StreamInterrupted: the answer begins again, and a tool's call was shown, which cannot be taken back.
        """
        self.attempts = delta.attempts or self.attempts
        if delta.restarted:
            yield from self._begin_again()
        if delta.text:
            yield from self._say(delta.text)
        for fragment in delta.tool_calls:
            yield from self._call(fragment)

    def end(self) -> Iterator[Step]:
        """What comes of the answer's end."""
        while self._open or self._waiting:
            yield from self._close("ends")
            yield from self._next()

    def _say(self, text: str) -> Iterator[Step]:
        if self._open is None or self._open.call_id is not None:
            yield from self.end()
            yield from self._begin(Part())
        yield from self._add(text)

    def _call(self, fragment: ToolCallFragment) -> Iterator[Step]:
        part = self._calls.get(fragment.index)
        if part is None:
            part = Part(call_id=fragment.id or f"call_{fragment.index}", name=fragment.name)
            self._calls[fragment.index] = part
            self._waiting.append(part)
        if part is self._open:
            yield from self._add(fragment.arguments)
            return
        part.text += fragment.arguments
        if self._waiting and (self._open is None or self._open.is_whole):
            yield from self._close("ends")
            yield from self._next()

    def _next(self) -> Iterator[Step]:
        if self._waiting:
            part = self._waiting.popleft()
            come, part.text = part.text, ""
            yield from self._begin(part)
            yield from self._add(come)

    def _begin(self, part: Part) -> Iterator[Step]:
        part.number, self._shown = self._shown, self._shown + 1
        self._open = part
        yield Step("begins", part)

    def _add(self, text: str) -> Iterator[Step]:
        if text and self._open:
            self._open.text += text
            yield Step("goes on", self._open, text)

    def _close(self, moment: Moment) -> Iterator[Step]:
        if self._open is None:
            return
        if self._open.call_id is not None and not self._open.text:
            yield from self._add("{}")
        yield Step(moment, self._open)
        self._open = None

    def _begin_again(self) -> Iterator[Step]:
        if self._calls:
            raise StreamInterrupted(
                "The answer broke off within a tool's call, and another model begins it again; ask again.",
                text="",
                attempts=self.attempts,
            )
        yield from self._close("breaks off")

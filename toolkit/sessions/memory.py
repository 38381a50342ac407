"""What the models of one turn are told of a conversation that has outgrown their windows."""

from collections.abc import Sequence

from toolkit.messages import Message
from toolkit.models.tokens import count_message
from toolkit.sessions.session import Summary
from toolkit.sessions.window import Fitted, fit

SLACK = 0.7
"""The part of the room that is filled when the beginning is summed up, so that it is not summed up again every turn."""

_SUMMED_UP = "What was said before, summed up:\n"


class Memory:
    """A conversation, and how much of it fits.

    Args:
        history: what the session remembers, in the order of its positions.
        summary: what was summed up of its beginning, None where nothing was.

    Attributes:
        summary: what models are told in the place of what they are not told.
        room: tokens that there are for the conversation; None is enough for all of it.
        model: by whose tokens, by its vendor's name; None is anybody's.
        trimmed: how many messages the last model was not told.
    """

    def __init__(self, history: Sequence[Message], summary: Summary | None = None) -> None:
        self._positions = {id(message): place for place, message in enumerate(history, 1)}
        self._history = history  # holds the ids above
        self.summary = summary
        self.room: int | None = None
        self.model: str | None = None
        self.trimmed = 0
        # Holds the messages, so that their ids stay theirs.
        self._sizes: dict[tuple[int, str | None], tuple[Message, int]] = {}

    def told(self, asked: Sequence[Message]) -> list[Message]:
        """What a model is told of `asked`."""
        fitted = self._fit(asked, self.room)
        self.trimmed = len(fitted.dropped)
        if not fitted.dropped or self.summary is None:
            return fitted.messages
        instructions = sum(message.role == "system" for message in fitted.messages)  # they come first
        summary = self._summed_up(self.summary)
        return [*fitted.messages[:instructions], summary, *fitted.messages[instructions:]]

    def untold(self, asked: Sequence[Message]) -> tuple[list[Message], int]:
        """What of the session's messages is to be summed up anew, and up to which position; nothing and 0 if none is.

        It is more than must be left out, so that the summary holds for some turns.
        """
        until = self.summary.until if self.summary else 0
        if not any(self._position(message) > until for message in self._fit(asked, self.room).dropped):
            return [], 0
        more = self._fit(asked, round((self.room or 0) * SLACK)).dropped
        new = [message for message in more if self._position(message) > until]
        return new, max((self._position(message) for message in more), default=0)

    def _fit(self, asked: Sequence[Message], room: int | None) -> Fitted:
        if room is None or sum(map(self._size, asked)) <= room:
            return Fitted(list(asked), [])
        until = self.summary.until if self.summary else 0
        # What may be left out at all, and the summary speaks for.
        covered = {id(m) for m in fit(asked, 0, self._size).dropped if 0 < self._position(m) <= until}
        dropped = [message for message in asked if id(message) in covered]
        room -= count_message(self._summed_up(self.summary), self.model) if self.summary else 0
        rest = fit([message for message in asked if id(message) not in covered], room, self._size)
        return Fitted(rest.messages, [*dropped, *rest.dropped])

    def _summed_up(self, summary: Summary) -> Message:
        return Message("system", _SUMMED_UP + summary.text)

    def _size(self, message: Message) -> int:
        """Tokens of a message, counted once: it is asked for with every answer of the turn."""
        key = (id(message), self.model)
        if key not in self._sizes:
            self._sizes[key] = (message, count_message(message, self.model))
        return self._sizes[key][1]

    def _position(self, message: Message) -> int:
        return self._positions.get(id(message), 0)

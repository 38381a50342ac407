"""What a model with a small window is told of a long conversation.

The policy: the oldest turns are left out first, whole: a question with all that was said until the next one, so that a
tool's result never stands without its call. Instructions (`system`), pinned messages and the last turn are always kept.
Nothing is left out while the largest window among the models that may be asked can hold everything.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from toolkit.messages import Message

ROOM_FOR_ANSWER = 0.125
"""The part of a window that is kept free for the answer where the caller does not say how long it may be."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A conversation as a model is told it.

    Attributes:
        messages: what it is told.
        dropped: what it is not told, oldest first.
    """

    messages: list[Message]
    dropped: list[Message]


def room(window: int, max_tokens: int | None) -> int:
    """Tokens of a window that a conversation may take; at least half of it."""
    answer = round(window * ROOM_FOR_ANSWER) if max_tokens is None else max_tokens
    return max(window - answer, window // 2)


def fit(messages: Sequence[Message], tokens: int, count: Callable[[Message], int]) -> Fitted:
    """`messages` with the oldest turns left out until they have at most `tokens`, as far as the policy allows.

    Args:
        messages: oldest first; the instructions may stand anywhere.
        tokens: the room there is.
        count: how many tokens a message has.
    """
    sizes = [count(message) for message in messages]
    total = sum(sizes)
    gone: set[int] = set()
    for turn in _turns(messages)[:-1]:
        if total <= tokens:
            break
        leaving = [place for place in turn if place not in _kept(messages, turn)]
        gone.update(leaving)
        total -= sum(sizes[place] for place in leaving)
    told = [message for place, message in enumerate(messages) if place not in gone]
    return Fitted(told, [messages[place] for place in sorted(gone)])


def _turns(messages: Sequence[Message]) -> list[list[int]]:
    """The places of the messages, a list per turn; those before the first question are a turn of their own."""
    turns: list[list[int]] = [[]]
    for place, message in enumerate(messages):
        if message.role == "user" and any(messages[before].role != "user" for before in turns[-1]):
            turns.append([])
        if message.role != "system":
            turns[-1].append(place)
    return turns


def _kept(messages: Sequence[Message], turn: Sequence[int]) -> set[int]:
    """The places in a turn that stay though it is left out: what is pinned, and a call with its results together."""
    kept = {place for place in turn if messages[place].pinned}
    calls: dict[str, int] = {}
    for place in turn:
        calls |= {call.id: place for call in messages[place].tool_calls}
    for place in turn:
        call = messages[place].tool_call_id
        asked = calls.get(call) if call else None
        if asked is not None and {asked, place} & kept:
            kept |= {asked} | {other for other in turn if calls.get(messages[other].tool_call_id or "", None) == asked}
    return kept

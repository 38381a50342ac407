"""What is said when a call is not in the cassette: which recorded one is nearest, and what differs."""

import difflib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from toolkit.errors import CassetteMiss
from toolkit.providers.cassette.episode import Episode, Subject
from toolkit.providers.cassette.form import dump

HOW_TO_RECORD: Final = "TOOLKIT_RECORD=new_episodes records what is missing."

_CANDIDATES: Final = 200
"""Recorded calls, at most, that a call that is missing is compared with."""
_LINES: Final = 24
"""Lines of a difference that are shown."""
_LONG: Final = 160
"""Characters of a line that are shown."""
_COMPARED: Final = 4000
"""Characters of a request that decide how near it is."""


def miss(path: Path, asked: Episode, recorded: Sequence[Episode], times: int) -> CassetteMiss:
    """The error for `asked`.

    Args:
        path: the cassette.
        asked: the call, without an answer.
        recorded: every call in the cassette.
        times: how often just this call is in it; all of them were used.
    """
    begin = f"The call of {asked.subject} is not in the cassette {path.name}"
    if times:
        often = "once" if times == 1 else f"{times} times"
        return CassetteMiss(f"{begin} any more: it was recorded {often} and is made once more. {HOW_TO_RECORD}")
    if not recorded:
        return CassetteMiss(f"{begin}, which is empty. {HOW_TO_RECORD}")
    number, nearest = _nearest(asked, recorded)
    return CassetteMiss(f"{begin}. {HOW_TO_RECORD}\n{_difference(number, nearest, asked)}")


def _nearest(asked: Episode, recorded: Sequence[Episode]) -> tuple[int, Episode]:
    """The recorded call that is most like `asked`, and its number in the file."""
    numbered = list(enumerate(recorded, 1))
    alike = [each for each in numbered if each[1].subject == asked.subject] or [
        each for each in numbered if _kin(each[1].subject, asked.subject)
    ]
    text = _text(asked)[:_COMPARED]
    matcher = difflib.SequenceMatcher(b=text, autojunk=False)

    def likeness(each: tuple[int, Episode]) -> float:
        matcher.set_seq1(_text(each[1])[:_COMPARED])
        return matcher.quick_ratio()

    return max((alike or numbered)[-_CANDIDATES:], key=likeness)


def _kin(one: Subject, other: Subject) -> bool:
    return (one.kind == "tool") == (other.kind == "tool")


def _difference(number: int, nearest: Episode, asked: Episode) -> str:
    lines = difflib.unified_diff(
        _text(nearest).splitlines(),
        _text(asked).splitlines(),
        f"recorded (episode {number})",
        "asked",
        lineterm="",
        n=1,
    )
    shown = [line if len(line) <= _LONG else f"{line[:_LONG]}…" for line in islice(lines, _LINES + 1)]
    if len(shown) > _LINES:
        shown[-1] = "…"
    return "\n".join(shown)


def _text(episode: Episode) -> str:
    """The call as the file has it, so that a difference can be found there."""
    return dump({**episode.subject.to_json(), "request": episode.request})

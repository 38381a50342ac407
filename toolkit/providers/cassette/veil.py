"""What must not stand in a cassette: secrets are struck out; this machine's folders and new ids get names.

    /home/ada/birds/notes.md                 {cwd}/notes.md
    018f2c1e-…-7…, made while recording      {id1}, and the same {id1} where an answer repeats it

In a replay the names stand for the folders and the ids of that moment.
"""

import re
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, Final, Literal

from toolkit.redaction import redact

LEAST_SECRET: Final = 8
"""Characters from which on a variable's value can be a secret: a shorter one would be found in every other word."""

_NAMES = r"cwd|home|tmp_path|tmp|id\d+|brace"
_NAME = re.compile(rf"\{{({_NAMES})\}}")
_UUID7 = r"\b[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\b"

Change = Callable[[str], str]


_more: dict[str, str] = {}


@contextmanager
def known_as(name: Literal["tmp_path"], folder: Path) -> Iterator[None]:
    """Inside, `folder`, which has another path each time, has a name in the cassettes that are opened."""
    _more[name] = str(folder)
    try:
        yield
    finally:
        del _more[name]


def folders() -> dict[str, str]:
    """This machine's folders, by their names in a cassette."""
    return {**_more, "cwd": str(Path.cwd()), "home": str(Path.home()), "tmp": tempfile.gettempdir()}


class Veil:
    """Hides, and shows again, what belongs to one call.

    Args:
        places: folders by name, of `cwd`, `home`, `tmp` and `tmp_path`.
        secrets: the values that nobody may read.
    """

    def __init__(self, places: Mapping[str, str], secrets: Iterable[str] = ()) -> None:
        self._places = dict(places)
        self._secrets = sorted({secret for secret in secrets if len(secret) >= LEAST_SECRET})
        self._names: dict[str, str] = {}
        for name, path in places.items():
            for spelling in {path, Path(path).as_posix(), str(Path(path).resolve())}:
                if len(Path(spelling).parts) > 1:  # the root is in every path
                    self._names.setdefault(spelling, name)
        longest_first = "|".join(re.escape(path) for path in sorted(self._names, key=len, reverse=True))
        folder = rf"(?<![\w./-])(?P<folder>{longest_first})(?![\w-])|" if longest_first else ""
        self._hidden = re.compile(rf"{folder}(?P<id>{_UUID7})|\{{(?=(?:{_NAMES})\}})")

    def hide(self, value: Any, ids: list[str], *, add: bool = False) -> Any:
        """`value`, JSON, as it may stand in the file.

        Args:
            value: a request or an answer.
            ids: those of the request, in the order in which they come.
            add: whether an id that is not among them gets a name, and is added.
        """
        return _changed(value, lambda text: self._hide(text, ids, add=add)[0])

    def hide_pieces(self, pieces: Sequence[str], ids: list[str]) -> tuple[str, list[int]]:
        """The text that `pieces` make together, and how long each of them is in it; none begins within a name."""
        text = "".join(pieces)
        hidden, spans = self._hide(text, ids, add=False)
        if spans is None:  # a secret may lie across several of them
            return hidden, [len(hidden)]
        ends = [end for _, end, _ in spans]

        def moved(place: int) -> int:
            before = bisect_right(ends, place)
            shift = spans[before - 1][2] if before else 0
            inside = before < len(spans) and spans[before][0] < place
            return spans[before][1] + spans[before][2] if inside else place + shift

        marks = [moved(place) for place in accumulate(map(len, pieces), initial=0)]
        return hidden, [later - earlier for earlier, later in pairwise(marks)]

    def show(self, value: Any, ids: Sequence[str]) -> Any:
        """What `hide` hid, with the folders of this machine and the ids of this request."""

        def shown(name: re.Match[str]) -> str:
            word = name[1]
            if word == "brace":
                return "{"
            if word.startswith("id"):
                place = int(word[2:])
                return ids[place - 1] if 0 < place <= len(ids) else name[0]
            return self._places.get(word, name[0])

        return _changed(value, lambda text: _NAME.sub(shown, text))

    def _hide(self, text: str, ids: list[str], *, add: bool) -> tuple[str, list[tuple[int, int, int]] | None]:
        """The text hidden, and which spans were replaced: begin, end, and by how much the text behind moved."""
        safe = redact(text, *self._secrets)
        spans: list[tuple[int, int, int]] = []
        shift = 0

        def name(found: re.Match[str]) -> str:
            nonlocal shift
            word = self._name(found, ids, add=add)
            shift += len(word) - len(found[0])
            spans.append((found.start(), found.end(), shift))
            return word

        hidden = self._hidden.sub(name, safe)
        return hidden, spans if safe == text else None

    def _name(self, found: re.Match[str], ids: list[str], *, add: bool) -> str:
        if folder := found.groupdict().get("folder"):
            return f"{{{self._names[folder]}}}"
        if found["id"] is None:
            return "{brace}"
        if found["id"] not in ids:
            if not add:
                return found[0]
            ids.append(found["id"])
        return f"{{id{ids.index(found['id']) + 1}}}"


def _changed(value: Any, change: Change) -> Any:
    """`value` with every text in it changed."""
    match value:
        case str():
            return change(value)
        case dict():
            return type(value)({change(name): _changed(each, change) for name, each in value.items()})
        case list():
            return type(value)(_changed(each, change) for each in value)
        case _:
            return value

"""A cassette while it is used: which calls it holds, which of them were played, which are being recorded."""

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from toolkit.messages import Json
from toolkit.providers.cassette.episode import Episode, Subject
from toolkit.providers.cassette.file import Content, Writer
from toolkit.providers.cassette.miss import miss
from toolkit.providers.cassette.veil import Veil

_PAUSE: Final = 0.25
"""Seconds in which nobody was asked, from which on they are kept: a key that rests rests longer."""


@dataclass(slots=True)
class Asked:
    """A call that is made now.

    Attributes:
        ids: what stands in its request for `{id1}`, `{id2}` …
        found: what was recorded of it; None where it is to be recorded.
        place: in the file, where it is to be recorded.
        pause: seconds before it in which nobody was asked.
        begun: by `time.monotonic`.
    """

    subject: Subject
    request: Json
    ids: list[str]
    found: Episode | None = None
    place: int = 0
    pause: float = 0.0
    begun: float = field(default_factory=time.monotonic)


class Tape:
    """The episodes of one cassette.

    Args:
        path: the file, for what is said of it.
        content: what it holds; None where it is new, or recorded anew.
        writer: writes what is recorded; None in a replay.
        veil: hides what must not be written.
    """

    def __init__(self, path: Path, content: Content | None, writer: Writer | None, veil: Veil) -> None:
        self.veil = veil
        self._path = path
        self._writer = writer
        self._episodes = list(content.episodes) if content else []
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, episode in enumerate(self._episodes):
            self._places[episode.key].append(place)
        self.rewind()
        self._under_way = 0
        self._ended_at: float | None = None

    def rewind(self) -> None:
        """Play from the beginning."""
        self._played = [False] * len(self._episodes)
        self._next = 0
        self._used: dict[str, int] = defaultdict(int)
        self._paused = 0  # the episodes whose pauses have passed

    def ask(self, subject: Subject, request: Json, ids: Iterable[str]) -> Asked:
        """A call that begins: the n-th of equal ones gets the n-th that was recorded, and a list of tools the last one.

        Raises:
            CassetteMiss: it was not recorded, and is not to be.
            CassetteError: it cannot be recorded.
        """
        asked = Asked(subject, request, list(ids))
        wanted = Episode(subject, request)
        places, used = self._places.get(wanted.key, ()), self._used[wanted.key]
        if places and subject.is_list:
            used = min(used, len(places) - 1)
        if used < len(places):
            self._used[wanted.key] += 1
            self._played[places[used]] = True
            asked.found = self._episodes[places[used]]
            return asked
        if self._writer is None:
            raise miss(self._path, wanted, self._episodes, len(places))
        self._writer.begin()
        asked.place = self._writer.place()
        if self._ended_at is not None and not self._under_way:
            asked.pause = asked.begun - self._ended_at
        self._under_way += 1
        return asked

    def record(self, asked: Asked, episode: Episode, environ: Mapping[str, int]) -> None:
        """Keep what came of a call."""
        self._under_way -= 1
        self._ended_at = time.monotonic()
        if self._writer is not None:
            self._writer.add(asked.place, episode)
            self._writer.write(environ)

    def pause(self) -> float:
        """The seconds that passed, when it was recorded, before the question that is asked next; each time once."""
        while self._next < len(self._played) and self._played[self._next]:
            self._next += 1
        if self._next == len(self._played) or self._next < self._paused:
            return 0.0
        self._paused = self._next + 1
        return self._episodes[self._next].pause

    def keeps(self, asked: Asked) -> float:
        """The pause before `asked` as it is kept."""
        return round(asked.pause, 1) if asked.pause >= _PAUSE else 0.0

    def close(self, environ: Mapping[str, int]) -> None:
        """Write what is to be written."""
        if self._writer is not None:
            self._writer.close(environ)

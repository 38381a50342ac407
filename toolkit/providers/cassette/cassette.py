"""A cassette as the house uses it: put in front of what connects, of the environment and of remote tools."""

import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime, time
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeAlias, TypeVar

from toolkit import stamps
from toolkit.errors import CassetteError
from toolkit.messages import Json
from toolkit.providers.base import Provider
from toolkit.providers.cassette import words
from toolkit.providers.cassette.environ import PLACEHOLDER, Seen, secrets, stand_ins
from toolkit.providers.cassette.episode import Subject
from toolkit.providers.cassette.file import Content, Writer, read
from toolkit.providers.cassette.recording import Player, Recorder, answered, play
from toolkit.providers.cassette.tape import Tape
from toolkit.providers.cassette.veil import Veil, folders
from toolkit.settings import Record

R = TypeVar("R")

Connect: TypeAlias = Callable[[str, Mapping[str, str], Mapping[str, Any]], Provider]
Do: TypeAlias = Callable[[], Awaitable[R]]
Through: TypeAlias = Callable[[str, str, Json, Do[R]], Awaitable[R]]


class Cassette:
    """A file of recorded calls. Where nothing is recorded, nobody is asked, and clock and ids are those of a replay.

    Made by `open`. `start` comes before the first call, `close` after the last one; then `start` begins again.

    Attributes:
        path: the file.
        replays: whether nothing is recorded.
    """

    def __init__(self, path: Path, content: Content | None, writer: Writer | None, veil: Veil) -> None:
        self.path = path
        self.replays = writer is None
        self._content = content
        self._tape = Tape(path, content, writer, veil)
        self._names: Mapping[str, int] = dict(content.environ) if content else {}
        self._recorder = Recorder(self._tape, self._names)
        self._frozen: ExitStack | None = None

    @classmethod
    def open(
        cls,
        path: str | PathLike[str],
        mode: Record = "none",
        *,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """The cassette `path`.

        Args:
            path: a YAML file.
            mode: `none` only replays. `once` records if there is no file, and replays if there is one. `new_episodes`
                replays what is known and records the rest. `all` records everything anew.
            environ: its secrets are written nowhere; by default the process's.

        Raises:
            CassetteError: there is nothing to replay, or the file cannot be read.
        """
        file = Path(path)
        there = file.exists()
        if mode == "none" and not there:
            raise CassetteError(
                f"There is no cassette {file}; TOOLKIT_RECORD=once records it, with the vendors' keys set."
            )
        old = _read(file, anew=mode == "all") if there else None
        replays = mode == "none" or (mode == "once" and there)
        writer = None if replays else Writer(file, old, anew=mode == "all")
        hidden = secrets(os.environ if environ is None else environ)
        return cls(file, None if mode == "all" else old, writer, Veil(folders(), hidden))

    def start(self) -> None:
        """Begin: in a replay the clock stands at the day of the recording, and ids count from one."""
        if self._frozen is not None:
            return
        self._frozen = ExitStack()
        self._tape.rewind()
        if self.replays and self._content:
            noon = datetime.combine(self._content.recorded, time(12), UTC)
            self._frozen.enter_context(stamps.replay(noon, self._tape.pause, name=self.path.name))

    def close(self) -> None:
        """End: what was recorded is written, and the clock runs again.

        Harmless where it has ended: the file may be another's by then.

        Raises:
            CassetteError: the file cannot be written.
        """
        frozen, self._frozen = self._frozen, None
        if frozen is None:
            return
        try:
            self._tape.close(self._names)
        finally:
            frozen.close()

    def environ(self, environ: Mapping[str, str]) -> Mapping[str, str]:
        """What is to be used in place of `environ`, so that there are the same models as there were.

        A recording notes the names of the variables that are looked up. A replay has just these, with values that
        stand for keys.
        """
        if self.replays:
            return stand_ins(self._names)
        seen = Seen({**stand_ins(self._names), **environ}, self._names)
        self._names = seen.names
        self._recorder.environ = seen.names
        return seen

    def connect(self, connect: Connect) -> Connect:
        """What is to be used in place of `connect`, which a replay never asks."""

        def player(name: str, auth: Mapping[str, str], config: Mapping[str, Any]) -> Provider:
            lacking = sorted(
                value.removeprefix(PLACEHOLDER) for value in auth.values() if value.startswith(PLACEHOLDER)
            )
            at_once = not self.replays and not self._content
            return Player(name, self._recorder, partial(connect, name, auth, config), lacking, at_once=at_once)

        return player

    def through(self, result: Callable[[str, Json], R]) -> Through[R]:
        """What remote tools go through: `through(server, name, arguments, do)` gives what `do` gives, or once gave.

        Args:
            result: makes a tool's result of its text and its data.
        """

        async def through(server: str, name: str, arguments: Json, do: Do[R]) -> R:
            veil, ids = self._tape.veil, list[str]()
            request = veil.hide({"arguments": words.plain(arguments)}, ids, add=True)
            asked = self._tape.ask(Subject("tool", server, name), request, ids)

            def told(value: Any) -> Json:
                out: Json = veil.hide({"text": value.text, "data": words.plain(value.data)}, ids)
                return out

            if asked.found is None:
                return await self._recorder.whole(asked, do, told)
            await play(asked.found, self._tape, asked.ids)
            value = veil.show(answered(asked.found), asked.ids)
            return result(value.get("text", ""), value.get("data", {}))

        return through


def _read(file: Path, *, anew: bool) -> Content | None:
    """What the file holds; None for one that is unreadable and to be replaced."""
    try:
        return read(file)
    except CassetteError:
        if anew:
            return None
        raise

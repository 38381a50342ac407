"""The file: read at once, written as a whole in the place of the old one, by one process at a time."""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import IO, Any, Final

from toolkit.errors import CassetteError
from toolkit.providers.cassette.episode import Episode
from toolkit.providers.cassette.form import FORMAT, dump, load

_VERSION: Final = "toolkit_cassette"
_PATIENT: Final = 20.0
"""A file is written when this many times as long has passed as writing it last took: recording stays quick."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds.

    Attributes:
        recorded: the day on which it was begun.
        environ: the variables that were set, and how many values between commas each had.
        episodes: in the order in which they began.
    """

    recorded: date
    environ: Mapping[str, int] = field(default_factory=dict)
    episodes: Sequence[Episode] = ()

    @property
    def lasting(self) -> Any:
        """What of it is the same when the same is recorded again."""
        return dict(self.environ), [episode.lasting for episode in self.episodes]


def read(path: Path) -> Content:
    """The cassette `path`.

    Raises:
        CassetteError: it cannot be read, or is none.
    """
    try:
        value = load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CassetteError(
            f"The cassette {path.name} cannot be read ({error}); mend it, or record it anew."
        ) from error
    if not isinstance(value, dict) or _VERSION not in value:
        raise CassetteError(f"{path.name} is no cassette: its first line must be `{_VERSION}: {FORMAT}`.")
    if value[_VERSION] != FORMAT:
        raise CassetteError(
            f"The cassette {path.name} has the format {value[_VERSION]}, and this version of the toolkit reads "
            f"{FORMAT}; record it anew with TOOLKIT_RECORD=all."
        )
    try:
        recorded = date.fromisoformat(value["recorded"])
    except (KeyError, TypeError, ValueError) as error:
        raise CassetteError(f"The cassette {path.name} must say `recorded: '2026-01-31'`, the day.") from error
    episodes = []
    for number, each in enumerate(value.get("episodes") or (), 1):
        try:
            episodes.append(Episode.from_json(each))
        except ValueError as error:
            raise CassetteError(f"Episode {number} of the cassette {path.name} cannot be read: {error}.") from error
    return Content(recorded, value.get("environ") or {}, episodes)


class Writer:
    """Writes one cassette.

    Args:
        path: the file.
        old: what it held when it was opened, None if it was not there.
        anew: nothing of `old` is kept, but it stays until `close`, and for good if nothing was recorded.
    """

    def __init__(self, path: Path, old: Content | None, *, anew: bool) -> None:
        self._path = path
        self._old = old
        self._anew = anew
        self._was = _signature(path)
        self._lock: IO[bytes] | None = None
        self._texts: dict[int, str] = {}
        self._episodes: dict[int, Episode] = {}
        self._places = 0
        self._due = 0.0
        self._unwritten = False
        if old and not anew:
            for episode in old.episodes:
                self.add(self.place(), episode)
        self._unwritten = False

    def begin(self) -> None:
        """Take the file for this process.

        Raises:
            CassetteError: another process records into it, or has changed it since it was opened, or it cannot be
                written.
        """
        if self._lock is not None:
            return
        name = hashlib.sha256(str(self._path.resolve()).encode(errors="surrogatepass")).hexdigest()[:32]
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._path.parent):
                pass  # what cannot be kept is not to be asked, and paid, first
            lock = Path(tempfile.gettempdir(), f"toolkit-cassette-{name}.lock").open("ab")  # noqa: SIM115 - it is held until `close`
        except OSError as error:
            raise _unwritable(self._path, error) from error
        if not _locked(lock):
            lock.close()
            raise CassetteError(f"Another process records into the cassette {self._path.name}; give each one its own.")
        if _signature(self._path) != self._was:
            lock.close()
            raise CassetteError(
                f"The cassette {self._path.name} was changed meanwhile by another process; start again."
            )
        self._lock = lock

    def place(self) -> int:
        """The place in the file of a call that begins now."""
        self._places += 1
        return self._places

    def add(self, place: int, episode: Episode) -> None:
        """Add what came of a call."""
        self._episodes[place] = episode
        self._texts[place] = dump([episode.to_json()])
        self._unwritten = True

    def write(self, environ: Mapping[str, int]) -> None:
        """Write what was added, if it was not done just now.

        Raises:
            CassetteError: it cannot be written.
        """
        begun = time.monotonic()
        if begun >= self._due and self._unwritten:
            self._replace(self._beside if self._anew else self._path, environ)
            self._due = time.monotonic() + _PATIENT * (time.monotonic() - begun)

    def close(self, environ: Mapping[str, int]) -> None:
        """Write what was not written, and let others record.

        Raises:
            CassetteError: it cannot be written.
        """
        try:
            if self._texts and (self._anew or self._unwritten) and not self._is_as_before(environ):
                self._replace(self._path, environ)
            with suppress(OSError):  # it is not there, or its folder is none
                self._beside.unlink()
        finally:
            if self._lock is not None:
                self._lock.close()
                self._lock = None
            self._was = _signature(self._path)

    @property
    def _beside(self) -> Path:
        """Where a recording that replaces an old one grows."""
        return self._path.with_name(f".{self._path.name}.recording")

    def _content(self, environ: Mapping[str, int]) -> Content:
        recorded = self._old.recorded if self._old and not self._anew else datetime.now(UTC).date()
        return Content(recorded, environ, [self._episodes[place] for place in sorted(self._episodes)])

    def _is_as_before(self, environ: Mapping[str, int]) -> bool:
        """Whether the file says the same already, but for times and ids: a review should not see a change."""
        return self._anew and self._old is not None and self._old.lasting == self._content(environ).lasting

    def _replace(self, path: Path, environ: Mapping[str, int]) -> None:
        head = {_VERSION: FORMAT, "recorded": self._content(environ).recorded.isoformat()}
        if environ:
            head["environ"] = dict(sorted(environ.items()))
        text = "".join([dump(head), "episodes:\n", *(self._texts[place] for place in sorted(self._texts))])
        new = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with new.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            new.replace(path)
        except OSError as error:
            new.unlink(missing_ok=True)
            raise _unwritable(path, error) from error
        self._unwritten = False


def _unwritable(path: Path, error: OSError) -> CassetteError:
    return CassetteError(
        f"The cassette {path.name} cannot be written ({error.strerror}); name a file in a folder that can be written."
    )


def _signature(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError:
        return ()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _locked(file: IO[bytes]) -> bool:
    """Whether `file` is locked for this process now; the lock ends with it, however it ends."""
    try:
        if sys.platform == "win32":
            import msvcrt  # noqa: PLC0415 - only there

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl  # noqa: PLC0415 - not on Windows

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True

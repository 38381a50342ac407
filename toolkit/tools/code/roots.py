"""The folders whose code may be read, and nothing outside of them."""

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from toolkit.db.files import is_of_database
from toolkit.errors import ConfigError, NotFound

MOST_BYTES = 1_000_000
"""Of a file that is read as code."""


class Roots:
    """Folders that a path must lie in, once every link in it is followed.

    Args:
        paths: the folders; none is the working directory, unless that is the home folder or the whole disk: an agent
            host may start its servers there.
    """

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._paths = tuple(paths)

    def resolve(self, path: str) -> Path:
        """The file or folder that `path` names, absolute and without links.

        A path that is not absolute is looked for in each folder in turn.

        Raises:
            ConfigError: it lies outside, or is neither a file nor a folder.
            NotFound: it is not there.
        """
        if not path.strip() or "\0" in path:
            raise ConfigError("There is no path; name a file or a folder.")
        roots = [_real(root) for root in self._paths or (_working_folder(),)]
        inside = [
            place for root in roots if _within(place := _real(root / Path(path).expanduser()), roots)
        ]  # a link or `..` may lead from one folder into another
        if not inside:
            # Said of everything outside, there or not: what is there is nobody's business.
            raise ConfigError(
                f"{path} lies outside the folders that may be read ({', '.join(map(str, roots))}); "
                "TOOLKIT_CODE_ROOTS names them."
            )
        found = next((place for place in inside if _is_there(place)), None)
        if found is None:
            raise NotFound(f"There is no {path} in {', '.join(map(str, roots))}.")
        if not (found.is_file() or found.is_dir()):
            raise ConfigError(f"{path} is neither a file nor a folder; name one that holds code.")
        return found

    def read(self, path: str) -> tuple[Path, str]:
        """The file that `path` names, and its text.

        Raises:
            ConfigError: it lies outside, is no text, or is larger than `MOST_BYTES`.
            NotFound: it is not there.
        """
        place = self.resolve(path)
        if place.is_dir():
            raise ConfigError(f"{path} is a folder; name one file in it.")
        try:
            data = read_bytes(place)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror or error}.") from error
        if data is None:
            raise ConfigError(
                f"{path} is larger than {MOST_BYTES:,} bytes; name a smaller file, or give the code itself."
            )
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = "\0"
        if "\0" in text:
            raise ConfigError(f"{path} is no text in UTF-8; name a file that holds code.")
        return place, text


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes | None:
    """What is in a regular file, None if it is more than `most` bytes.

    Raises:
        OSError: it cannot be read, or is no regular file (any more).
    """
    if is_of_database(path):
        raise OSError("it is a database")
    # Not a link that was put there meanwhile, and no pipe that never says anything.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError("it is no regular file")
        data = file.read(most + 1)
    return data if len(data) <= most else None


def _working_folder() -> Path:
    folder = Path.cwd()
    if folder == folder.parent or folder == Path.home():
        raise ConfigError(f"No folder of code is named, and {folder} holds too much; name some in TOOLKIT_CODE_ROOTS.")
    return folder


def _real(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle
        raise ConfigError(f"{path} leads nowhere ({error}); name a file or a folder.") from error


def _is_there(place: Path) -> bool:
    try:
        return place.exists()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False


def _within(place: Path, roots: Sequence[Path]) -> bool:
    return any(place.is_relative_to(root) for root in roots)

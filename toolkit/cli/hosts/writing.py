"""A host's file, changed in one step: whoever reads it meanwhile, or after a power cut, finds the old or the new."""

import os
import shutil
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from toolkit.errors import ConfigError

_BOM = "\ufeff"
_OWN = 0o600  # of a new file: it may hold the password of a database


def rewrite(path: Path, edit: Callable[[str], str]) -> Path | None:
    """Replace what is in `path` by what `edit` makes of it; gives the copy of the old file.

    Where `path` is a link, what it points to is replaced. Ends of lines and the file's mode stay.

    Args:
        path: need not exist, nor its folder.
        edit: gets text whose lines end as on Unix; raises ValueError where it cannot do it.

    Returns:
        None where there was no file, or nothing changed.

    Raises:
        ConfigError: the file cannot be read, edited or written; the message says why.
    """
    try:
        target = path.resolve()
        before = target.read_bytes().decode() if target.exists() else ""
        after = _edited(before, edit)
        if after == before:
            return None
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = _copied(target) if target.exists() else None
        _replace(target, after)
    except ValueError as error:  # UnicodeDecodeError is one
        raise ConfigError(
            f"{path} cannot be changed: {error}; mend it, or paste what is printed without --write."
        ) from error
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise ConfigError(
            f"{path} cannot be written: {reason}; paste what is printed without --write, or name a place with --path."
        ) from error
    return copy


def _edited(before: str, edit: Callable[[str], str]) -> str:
    text = before.removeprefix(_BOM)
    newline = "\r\n" if "\r\n" in text else "\n"
    plain = text.replace("\r\n", "\n")
    edited = edit(plain)
    if edited == plain:
        return before
    return before[: len(before) - len(text)] + edited.replace("\n", newline)


def _copied(target: Path) -> Path:
    stamp = datetime.now().astimezone().strftime("%Y-%m-%d-%H%M%S")
    copy = target.with_name(f"{target.name}.{stamp}.bak")
    number = 1
    while copy.exists():
        number += 1
        copy = target.with_name(f"{target.name}.{stamp}-{number}.bak")
    return Path(shutil.copy2(target, copy))


def _replace(target: Path, text: str) -> None:
    mode = target.stat().st_mode & 0o777 if target.exists() else _OWN
    descriptor, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

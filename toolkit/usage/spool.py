"""Rows of the ledger in files, while the database does not take them."""

import json
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.stamps import fresh_id

_END = ".jsonl"
_log = logging.getLogger(__name__)


class Spool:
    """A folder of JSON Lines; each file is written once, whole, and is for one database.

    A file is never changed, only removed by whoever has brought all its rows into the ledger. As a row has an id, two
    processes that do it at the same time do no harm.

    Args:
        folder: made when it is first needed, for nobody but its owner.
        database: the URL, without a password, of the database that the rows are for.
    """

    def __init__(self, folder: Path, database: str) -> None:
        self._folder = folder
        self._database = database

    def keep(self, rows: Sequence[Mapping[str, Any]]) -> Path:
        """Write rows into a new file; they are on the disk when this returns.

        Raises:
            OSError: they could not be written; nothing is left.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = self._folder / f"{fresh_id()}{_END}"
        part = file.with_suffix(".part")
        lines = [{"database": self._database}, *rows]
        text = "".join(json.dumps(line, ensure_ascii=True, separators=(",", ":")) + "\n" for line in lines)
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as out:
                out.write(text)
                out.flush()
                os.fsync(out.fileno())
            part.replace(file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return file

    def files(self) -> list[Path]:
        """The files of this database, oldest first."""
        if not self._folder.is_dir():
            return []
        return [file for file in sorted(self._folder.glob(f"*{_END}")) if self._is_ours(file)]

    def read(self, file: Path) -> list[dict[str, Any]]:
        """The rows of a file; none if another process has just removed it."""
        rows: list[dict[str, Any]] = []
        for line in _lines(file)[1:]:
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if isinstance(row, dict):
                rows.append(row)
            else:
                _log.warning("A line of %s is not JSON, and is left out.", file.name)
        return rows

    def remove(self, file: Path) -> None:
        """Remove a file whose rows are in the ledger."""
        file.unlink(missing_ok=True)

    def _is_ours(self, file: Path) -> bool:
        first = _lines(file)[:1]
        try:
            return bool(first) and json.loads(first[0]) == {"database": self._database}
        except ValueError:
            return False


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").splitlines()
    except (FileNotFoundError, UnicodeDecodeError):
        return []

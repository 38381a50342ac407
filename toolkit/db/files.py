"""Files of SQLite databases, which nobody but SQLite may open."""

from pathlib import Path
from typing import Final

_SUFFIXES: Final = frozenset({".db", ".db3", ".sqlite", ".sqlite3"})
_BESIDE: Final = ("-wal", "-shm", "-journal")


def is_of_database(path: Path) -> bool:
    """Whether a file is a SQLite database, or lies beside one and belongs to it; told without opening it.

    A process loses all of its locks on a file as soon as it closes any descriptor of it (POSIX). So a database that is
    open here and is read as a file, too, is no longer locked: the next program that opens and closes it takes its log
    away under our feet, which ends this process and may damage the file (sqlite.org/howtocorrupt.html, 2.2).
    """
    file = path.resolve()
    for ending in _BESIDE:
        if file.name.endswith(ending):
            return file.with_name(file.name.removesuffix(ending)).exists()
    return file.suffix.lower() in _SUFFIXES or any(file.with_name(file.name + each).exists() for each in _BESIDE)

"""The SQLite that sqlite-utils uses: the package `pysqlite3`, often newer, where it is installed, else Python's own."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from typing import Any


class _Missing(MetaPathFinder):
    """Finds nothing, and lets nobody else find these packages for the thread that made it."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002 - Python's own
        """Raise for one of the names; other threads may import them meanwhile."""
        if fullname in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{fullname} is not needed here", name=fullname)


@contextmanager
def _as_if_missing(*names: str) -> Iterator[None]:
    """Let an import do without these packages, unless they are imported already."""
    missing = _Missing(*names)
    sys.meta_path.insert(0, missing)
    try:
        yield
    finally:
        sys.meta_path.remove(missing)


# sqlite-utils takes them for the columns that it can guess from values, which nobody asks of it here; wherever they are
# installed they would cost half a second and 55 MB.
with _as_if_missing("pandas", "numpy"):
    from sqlite_utils import Database as Connection
    from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # its one name for the choice

__all__ = ["Connection", "sqlite3"]

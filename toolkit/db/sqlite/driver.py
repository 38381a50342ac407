"""The SQLite that sqlite-utils uses: the package `pysqlite3`, often newer, where it is installed, else Python's own."""

from sqlite_utils import Database as Connection
from sqlite_utils.utils import sqlite3  # type: ignore[attr-defined]  # its one name for the choice

__all__ = ["Connection", "sqlite3"]

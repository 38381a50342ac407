"""How a connection to a SQLite database is opened."""

import time
from contextlib import closing
from pathlib import Path

from toolkit.db.sqlite import schema
from toolkit.db.sqlite.driver import Connection, sqlite3
from toolkit.errors import DatabaseUnavailable

MEMORY = ":memory:"

_PRAGMAS = (
    "foreign_keys = ON",
    "journal_size_limit = 67108864",
)


def connect(
    path: Path | None, busy_timeout: float, *, read_only: bool = False, synchronous: str = "full"
) -> Connection:
    """A connection for the thread that calls this.

    Args:
        path: an existing or a new file; None is memory.
        busy_timeout: seconds to wait for a lock that another program holds.
        read_only: whether writing through it is an error.
        synchronous: `full`: what is acknowledged is kept even if the power fails; `normal`: see `SqliteDatabase`.

    Raises:
        sqlite3.Error: the file cannot be opened, or is not a database.
    """
    raw = sqlite3.connect(
        str(path) if path else MEMORY,
        timeout=busy_timeout,
        isolation_level=None,  # transactions begin where this package says so
        cached_statements=256,
    )
    try:
        connection = Connection(raw, execute_plugins=False)
        if path:
            _use_wal(connection, busy_timeout)
        for pragma in (f"synchronous = {synchronous}", *_PRAGMAS, f"query_only = {int(read_only)}"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        raw.close()
        raise
    return connection


def make_folder(path: Path, where: str) -> None:
    """Make the folder that shall hold `path`, unless it is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DatabaseUnavailable(
            f"The folder {path.parent} of {where} cannot be made ({error.strerror}); name another place."
        ) from error


def read_applied(path: Path | None, busy_timeout: float) -> list[tuple[int, str, str, str]]:
    """What `schema.applied` says of a file that nobody here has opened, without making or changing it."""
    if path is None or not path.exists():
        return []
    uri = f"{path.as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None)) as raw:
        return schema.applied(Connection(raw, recursive_triggers=False, execute_plugins=False))


def _use_wal(connection: Connection, busy_timeout: float) -> None:
    """Let readers and the writer work side by side.

    While another process switches the same new file, SQLite says "locked" at once instead of waiting.
    """
    deadline = time.monotonic() + busy_timeout
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            return  # a file system without shared memory keeps its own mode, which is slower and as safe
        except sqlite3.OperationalError as error:
            busy = getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)

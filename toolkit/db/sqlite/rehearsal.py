"""Pending migrations, tried on a copy of the file, so that the file itself stays as it is."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from toolkit.db.migrate import Migration, plan
from toolkit.db.sqlite import schema
from toolkit.db.sqlite.connect import connect
from toolkit.db.sqlite.driver import Connection, sqlite3


def rehearse(path: Path | None, busy_timeout: float, known: Sequence[Migration], now: datetime) -> None:
    """Apply what is pending to a copy, and throw the copy away. It blocks; nobody who uses the file has to wait.

    Args:
        path: the file; None, or one that is not there, is a new database.
        busy_timeout: seconds to wait for a lock that another program holds.
        known: every migration of this version of the toolkit.
        now: what the copy remembers as the time of the change.

    Raises:
        MigrationError: a migration would fail; the message says which, and why.
        sqlite3.Error: the file cannot be read, or there is no room for the copy.
    """
    with TemporaryDirectory(prefix="toolkit-migrate-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "copy.db"
        if path and path.exists():
            uri = f"{path.as_uri()}?mode=ro"
            with closing(sqlite3.connect(uri, uri=True, timeout=busy_timeout, isolation_level=None)) as source:
                had = schema.applied(Connection(source, execute_plugins=False))
                if not plan(known, {version: checksum for version, _, checksum, _ in had}):
                    return
                with closing(sqlite3.connect(copy, isolation_level=None)) as target:
                    source.backup(target)
        connection = connect(copy, busy_timeout)
        try:
            connection.execute("PRAGMA synchronous = OFF")  # it is thrown away
            schema.migrate(connection, known, now)
        finally:
            connection.close()

"""Numbered SQL files, read and compared with what a database says it has.

A file `NNNN_name.sql` runs on both databases; `NNNN_name.sqlite.sql` and `NNNN_name.postgres.sql` are its two forms
where they must differ. Files are only ever added: a change of the tables is a new file.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from toolkit.db.database import MigrationStatus
from toolkit.display.shown import Listing
from toolkit.errors import MigrationError

# The table in which a database remembers what was applied to it.
LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version         BIGINT PRIMARY KEY,
    name            TEXT NOT NULL,
    checksum        TEXT NOT NULL,
    applied_at      TIMESTAMPTZ NOT NULL
)
"""
REMEMBER = """
INSERT INTO schema_migrations (version, name, checksum, applied_at) VALUES (:version, :name, :checksum, :applied_at)
"""
APPLIED = "SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version"

_FILE = re.compile(r"(?P<version>\d{4})_(?P<name>\w+)(?:\.(?P<dialect>sqlite|postgres))?\.sql")
_TABLE = re.compile(
    r"^\s*CREATE\s+(?:(?:VIRTUAL|UNLOGGED)\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.IGNORECASE | re.MULTILINE
)
_DROPPED = re.compile(r"(?im)^\s*DROP TABLE (?:IF EXISTS )?(\w+)")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file, in the form that one database runs.

    Attributes:
        version: its number; the first is 1.
        name: number and name, e.g. `0003_sessions`.
        checksum: SHA-256 of `sql`.
        sql: the text; its line ends are the same on every system.
    """

    version: int
    name: str
    checksum: str
    sql: str


def default_folder() -> Path:
    """Where the files lie: beside the package in a checkout, inside it in an installed wheel."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "migrations", package.parent / "migrations"):
        if folder.is_dir():
            return folder
    raise MigrationError(f"The folder of migrations is missing from {package}; install toolkit-mcp again.")


def load(folder: Path, dialect: str) -> tuple[Migration, ...]:
    """The files of `folder` that `dialect` runs, in order.

    Args:
        folder: other files than `*.sql` are ignored.
        dialect: `"sqlite"` or `"postgres"`.

    Raises:
        MigrationError: a name that does not fit, two files of one number, or a number that is missing.
    """
    found: dict[int, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        match = _FILE.fullmatch(path.name)
        if not match:
            raise MigrationError(f"The file {path.name} in {folder} is not named like 0001_name.sql; rename it.")
        if match["dialect"] not in (None, dialect):
            continue
        version = int(match["version"])
        if version in found:
            raise MigrationError(f"Two migrations in {folder} have the number {version:04}; renumber {path.name}.")
        sql = path.read_text(encoding="utf-8")  # it makes all line ends alike, as a checkout may not
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        found[version] = Migration(version, f"{match['version']}_{match['name']}", checksum, sql)
    for expected, version in enumerate(found, start=1):
        if version != expected:
            raise MigrationError(f"The migration {expected:04} is missing from {folder}; install toolkit-mcp again.")
    return tuple(found.values())


def plan(known: Sequence[Migration], applied: Mapping[int, str]) -> list[Migration]:
    """What is still to be applied, in order.

    Args:
        known: every migration of this version of the toolkit.
        applied: version to checksum, as the database says.

    Raises:
        MigrationError: the database is newer than `known`, lacks one in between, or had one that was changed since.
    """
    newest = max(applied, default=0)
    if newest > len(known):
        raise MigrationError(
            f"The database is at version {newest}, and this toolkit knows only {len(known)}; upgrade toolkit-mcp."
        )
    for migration in known[:newest]:
        checksum = applied.get(migration.version)
        if checksum is None:
            raise MigrationError(
                f"The database is at version {newest} but never had the migration {migration.name}; restore a backup."
            )
        if checksum != migration.checksum:
            raise MigrationError(
                f"The migration {migration.name} was changed after it was applied to this database; "
                "restore the file and put the change into a new one."
            )
    return list(known[newest:])


def status(known: Sequence[Migration], applied: Mapping[int, tuple[str, datetime]]) -> Listing[MigrationStatus]:
    """Every migration that the toolkit knows or the database had, in order.

    Args:
        known: every migration of this version of the toolkit.
        applied: version to name and time, as the database says.
    """
    pending = {m.version: MigrationStatus(m.version, m.name, None) for m in known}
    had = {version: MigrationStatus(version, name, at) for version, (name, at) in applied.items()}
    return Listing(entry for _, entry in sorted((pending | had).items()))


def failed(migration: Migration, reason: object) -> MigrationError:
    """The error of a migration that could not be run."""
    return MigrationError(f"The migration {migration.name} failed and nothing was changed: {reason}.")


def tables(known: Sequence[Migration]) -> frozenset[str]:
    """The names of all tables that the migrations make and do not drop, and of the one that remembers them."""
    names = {"schema_migrations"}
    for migration in known:
        names = (names | set(_TABLE.findall(migration.sql))) - set(_DROPPED.findall(migration.sql))
    return frozenset(names)

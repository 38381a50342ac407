"""Where things are kept: SQLite and Postgres behind one seam."""

from typing import TYPE_CHECKING, Any

from toolkit.db.database import (
    Database,
    MigrationStatus,
    PoolStats,
    Problem,
    Row,
    Rows,
    Sql,
    Statement,
    as_json,
    as_time,
    as_time_or_none,
)
from toolkit.db.slow import SlowQuery
from toolkit.errors import ConfigError
from toolkit.redaction import redact
from toolkit.settings import Settings

if TYPE_CHECKING:
    import asyncpg

    from toolkit.db.postgres.database import PostgresDatabase

__all__ = [
    "Database",
    "MigrationStatus",
    "PoolStats",
    "Problem",
    "Row",
    "Rows",
    "SlowQuery",
    "Sql",
    "Statement",
    "as_json",
    "as_time",
    "as_time_or_none",
    "borrow_database",
    "open_database",
]


def open_database(settings: Settings) -> Database:
    """The database that `settings` name; it opens itself on first use.

    Raises:
        ConfigError: a URL of another kind, or a database driver that is not installed.
    """
    url = settings.database_url
    scheme = url.partition(":")[0].lower()
    if scheme == "sqlite":
        from toolkit.db.sqlite.database import SqliteDatabase  # noqa: PLC0415 - a driver is imported when it is used

        return SqliteDatabase.from_url(url, slow_ms=settings.slow_query_ms)
    if scheme in ("postgresql", "postgres", "postgresql+asyncpg"):
        sizes = (settings.min_connections, settings.max_connections)
        return _postgres()(settings.schema, url=url, sizes=sizes, slow_ms=settings.slow_query_ms)
    raise ConfigError(
        f"The database URL {redact(url)!r} must begin with sqlite:// or postgresql://; a file is sqlite:///work.db."
    )


def borrow_database(pool: "asyncpg.Pool[Any]", schema: str, settings: Settings) -> Database:
    """A database over somebody else's pool, in a schema of our own; closing it leaves the pool as it was.

    Raises:
        ConfigError: a schema that is not a plain lower-case name.
    """
    return _postgres()(schema, pool=pool, slow_ms=settings.slow_query_ms)


def _postgres() -> "type[PostgresDatabase]":
    try:
        from toolkit.db.postgres.database import PostgresDatabase  # noqa: PLC0415 - a driver is imported when it is used
    except ModuleNotFoundError as error:
        if error.name != "asyncpg":
            raise
        raise ConfigError(
            "Postgres needs the package asyncpg; install it with: pip install 'toolkit-mcp[postgres]'"
        ) from error
    return PostgresDatabase

"""The seam between the rooms and the two databases: four verbs, and SQL in the dialect that both share.

The rules of that dialect stand in `docs/architecture.md`. In short: values are `:named`; ids and times are made in
Python; columns are declared `TEXT`, `BIGINT`, `DOUBLE PRECISION`, `BOOLEAN`, `TIMESTAMPTZ` or `JSONB` on both; an
optional filter is `(CAST(:user AS TEXT) IS NULL OR user_id = :user)`; a sum of integers is `CAST(SUM(x) AS BIGINT)`.
"""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeAlias

from toolkit.db.slow import SlowQuery
from toolkit.display.shown import Listing, Shown

Row: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sql:
    """A statement that must differ: what SQLite runs, and what Postgres runs instead."""

    sqlite: str
    postgres: str


class Statement(NamedTuple):
    """One statement of an atomic list.

    Attributes:
        sql: what to run.
        values: its `:named` values: text, numbers, booleans, bytes, None, aware datetimes, and dicts or lists, which
            are kept as JSON.
        unmatched: raised, and the whole list undone, when the statement returns no row. It needs a RETURNING clause.
        repeatable: running it again after it was committed changes nothing and returns the same rows, e.g. an
            `INSERT … ON CONFLICT (id) DO NOTHING` without RETURNING. A list of such statements is written with less
            ceremony on Postgres.
        wakes: listeners of the change feed are woken once it is committed.
    """

    sql: str | Sql
    values: Mapping[str, Any] = MappingProxyType({})
    unmatched: Exception | None = None
    repeatable: bool = False
    wakes: bool = False


class Rows(NamedTuple):
    """New rows of one table as one step of an atomic list, in the form in which each database takes in many fastest.

    It returns no rows. Each value is of its column's type: a JSONB column takes a dict or a list, a TIMESTAMPTZ column
    aware datetimes, a BYTEA column bytes; any may be None.

    Attributes:
        table: where they go.
        columns: name to declared type, as in the migration.
        values: of each row one value per column, in the same order; none at all is harmless.
        conflict: what is to happen with a row that is there already, `ON CONFLICT …`; empty: it is a `Conflict`.
    """

    table: str
    columns: Mapping[str, str]
    values: Sequence[Sequence[Any]]
    conflict: str = ""


class MigrationStatus(NamedTuple):
    """One numbered change of the tables, and when this database had it; `applied_at` is None while it is pending."""

    version: int
    name: str
    applied_at: datetime | None


class Problem(NamedTuple):
    """Something in the tables that should not be: which table, and what is wrong with it."""

    table: str
    message: str


@dataclass(frozen=True, slots=True, repr=False)
class PoolStats(Shown):
    """How busy the connections are, and what they did since the database was opened.

    Attributes:
        connections: how many are open.
        idle: how many of them do nothing.
        most: how many may be open.
        waiting: operations that wait for one.
        reads: queries that were answered.
        writes: lists of statements that were acknowledged.
        commits: transactions that these shared; `writes / commits` is the mean size of a group.
        slow: statements that took longer than the limit.
    """

    connections: int
    idle: int
    most: int
    waiting: int
    reads: int
    writes: int
    commits: int
    slow: int


class Database(Protocol):
    """Where everything is kept: SQLite or Postgres.

    An implementation opens itself on first use, migrates its tables once, and may be asked from any number of tasks
    at once. It raises only `DatabaseError`s, `Conflict`, and a statement's own `unmatched`. It never holds a lock
    while its caller thinks: there are no interactive transactions. `write` returns after the commit, so what it
    acknowledged is kept.
    """

    @property
    def url(self) -> str:
        """Where it is, without a password; fit for a log."""
        ...

    @property
    def dialect(self) -> str:
        """`"sqlite"` or `"postgres"`."""
        ...

    async def open(self) -> None:
        """Connect and migrate now rather than on first use; harmless when it is open.

        Raises:
            ConfigError: its URL cannot be read.
            DatabaseUnavailable: it cannot be reached; the sentence says what to do.
            MigrationError: its tables are newer than this version, or were changed by hand.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and let go of every connection that is ours; harmless when it is closed."""
        ...

    async def migrations(self) -> Listing[MigrationStatus]:
        """Every change of the tables that the toolkit or the database knows, oldest first; changes nothing itself."""
        ...

    async def rehearse(self) -> None:
        """Apply what is pending and undo it again: nothing is changed, and it is known whether it would work.

        SQLite does it on a copy of the file; Postgres in a transaction that is rolled back, which holds the locks of
        the migrations meanwhile.

        Raises:
            MigrationError: a migration would fail, or the tables are newer than this version or were changed by hand.
            DatabaseUnavailable: it cannot be reached.
        """
        ...

    async def fetch_all(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """Every row of a query."""
        ...

    async def fetch_one(self, sql: str | Sql, /, **values: Any) -> Row | None:
        """The first row of a query, None if there is none."""
        ...

    async def execute(self, sql: str | Sql, /, **values: Any) -> list[Row]:
        """Run one writing statement; gives the rows of its RETURNING clause after the commit."""
        ...

    async def write(
        self, *statements: Statement | Rows, subject: str | None = None, relaxed: bool = False
    ) -> list[list[Row]]:
        """Run all statements in order, or none; gives each one's RETURNING rows after the commit.

        A connection that is lost meanwhile is replaced and the list run again, never twice: whether the first try was
        committed is found out, not guessed.

        Args:
            statements: at least one.
            subject: what the list is about, e.g. a session's id. Lists of one subject are run one after another, in
                the order in which they were given; lists of different subjects neither read nor write the same rows,
                so that they may share one transaction. None: nothing is known about it.
            relaxed: what is acknowledged outlives a program that is killed, and need not outlive a power cut: SQLite
                then does not wait for the disk. On Postgres the server's own setting holds.

        Raises:
            Conflict: a row with the same key is there already, or one that is referred to is not.
            DatabaseBusy: others kept what it needs locked for too long; the message says who, where that can be known.
            DatabaseFull: there is no space left.
            DatabaseUnavailable: it could not be reached in time, or may not be written.
        """
        ...

    def changes(self) -> AsyncGenerator[None, None]:
        """Yield at once, and again whenever a statement that `wakes` may have been committed, by any process.

        It may yield too often, at most 50 times a second, and may join several commits in one; it never misses the
        last one. It goes on while the database is away.
        """
        ...

    def pool_stats(self) -> PoolStats:
        """How busy the connections are; all zero but `most` before the database is open."""
        ...

    def slow_queries(self) -> Listing[SlowQuery]:
        """The last hundred statements that took longer than `TOOLKIT_SLOW_QUERY_MS`, newest first."""
        ...

    async def backup(self, file: Path) -> None:
        """Write a copy of the whole database to a new file while it is in use.

        Raises:
            ConfigError: the file is there already, or this kind of database has a tool of its own for that.
        """
        ...

    async def vacuum(self) -> None:
        """Give the space of deleted rows back and refresh what the query planner knows."""
        ...

    async def check(self) -> Listing[Problem]:
        """Read everything and say what is damaged or refers to nothing; an empty list is a sound database."""
        ...


def as_json(value: Any) -> Any:
    """A JSONB column as it came from either database, as Python values; None stays None."""
    return json.loads(value) if isinstance(value, str | bytes) else value


def as_time(value: Any) -> datetime:
    """A TIMESTAMPTZ column as it came from either database, as an aware datetime."""
    return datetime.fromisoformat(value) if isinstance(value, str) else value


def as_time_or_none(value: Any) -> datetime | None:
    """The same for a column that may be NULL."""
    return None if value is None else as_time(value)

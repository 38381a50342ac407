"""What a table looks like on both databases: its columns, its key, and the tables that it refers to."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from toolkit.db.database import Database, Sql
from toolkit.db.sqlite.database import SqliteDatabase

# The types that both databases share. What is declared otherwise is a database's own, such as a row number of SQLite.
_SHARED = frozenset({"TEXT", "BIGINT", "DOUBLE PRECISION", "BOOLEAN", "TIMESTAMPTZ", "JSONB", "BYTEA"})

LEFT_BEHIND = frozenset(
    {
        "schema_migrations",  # each database remembers its own migrations
        "commits",  # of the server's own transactions
        "events",  # an outbox: its places mean nothing to listeners elsewhere
        "webhooks",  # places in that outbox
        "rates",  # of the last minute
        "cache",  # whatever is asked again is cached again
        "cache_leases",  # of who is asking at present
        "embedding_claims",  # of who is embedding at present
    }
)


@dataclass(frozen=True, slots=True)
class Table:
    """A table that is copied.

    Attributes:
        name: of the table.
        columns: name to declared type, without what the database itself derives.
        key: the columns that tell its rows apart, in the order of an index.
        parents: columns to the table that they refer to.
        referred: whether rows of other tables refer to its rows.
    """

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]
    parents: dict[str, str]
    referred: bool = False

    def count(self) -> str:
        """The query of how many rows there are, as `n`."""
        return f"SELECT COUNT(*) AS n FROM {self.name}"  # noqa: S608 - the names are those of the migrations, here and below

    def page(self, *, first: bool) -> str:
        """The query of the next `:limit` rows in the order of the key: all, or those behind `:k0`, `:k1`, and so on."""
        behind = "" if first else f"WHERE ({self._key}) > ({self._places})"
        return f"SELECT {self._columns} FROM {self.name} {behind} ORDER BY {self._key} LIMIT :limit"  # noqa: S608

    def one(self) -> str:
        """The query of the row with the key `:k0`, `:k1`, and so on."""
        return f"SELECT {self._columns} FROM {self.name} WHERE ({self._key}) = ({self._places})"  # noqa: S608

    def some(self, number: int) -> str:
        """The query of the rows with any of `number` keys: `:k0_0`, `:k0_1`, then `:k1_0`, and so on."""
        kinds = [self.columns[column] for column in self.key]
        # Postgres takes a bare value in a list for text.
        keys = (", ".join(f"CAST(:k{n}_{m} AS {kind})" for m, kind in enumerate(kinds)) for n in range(number))
        wanted = ", ".join(f"({key})" for key in keys)
        return f"SELECT {self._columns} FROM {self.name} WHERE ({self._key}) IN (VALUES {wanted})"  # noqa: S608

    def insert(self, *, overwrite: bool) -> Sql:
        """Adds a row; one that is there already stays, or is overwritten."""
        rest = [f"{name} = excluded.{name}" for name in self.columns if name not in self.key]
        conflict = f"UPDATE SET {', '.join(rest)}" if overwrite and rest else "NOTHING"
        begin = f"INSERT INTO {self.name} ({self._columns}) VALUES"
        end = f"ON CONFLICT ({self._key}) DO {conflict}"
        # JSON goes as text to both: its form is kept, and nothing has to be read and written in between.
        json = (f"CAST(CAST(:{n} AS TEXT) AS JSONB)" if t == "JSONB" else f":{n}" for n, t in self.columns.items())
        plain = (f":{name}" for name in self.columns)
        return Sql(f"{begin} ({', '.join(plain)}) {end}", f"{begin} ({', '.join(json)}) {end}")

    def delete(self) -> str:
        """Deletes the row with the key `:k0`, `:k1`, and so on."""
        return f"DELETE FROM {self.name} WHERE ({self._key}) = ({self._places})"  # noqa: S608

    @property
    def _columns(self) -> str:
        return ", ".join(self.columns)

    @property
    def _key(self) -> str:
        return ", ".join(self.key)

    @property
    def _places(self) -> str:
        return ", ".join(f":k{number}" for number in range(len(self.key)))


def values_of(key: Sequence[object]) -> dict[str, object]:
    """A key as the values of a table's statements."""
    return {f"k{number}": value for number, value in enumerate(key)}


async def tables() -> list[Table]:
    """Every table that is copied, each after those that it refers to.

    The migrations are run in memory and the tables read from there: declared types are the same on both databases.
    """
    plan = SqliteDatabase(None)
    try:
        rows = await plan.fetch_all("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
        virtual = tuple(row["name"] for row in rows if row["sql"].upper().startswith("CREATE VIRTUAL"))
        names = [
            row["name"]
            for row in rows
            if row["name"] not in LEFT_BEHIND and not row["name"].startswith(("sqlite_", *virtual))
        ]
        found = [await _table(plan, name) for name in names]
    finally:
        await plan.close()
    return _in_order(found)


async def _table(plan: Database, name: str) -> Table:
    columns = await plan.fetch_all("SELECT name, type, pk FROM pragma_table_info(:name) ORDER BY cid", name=name)
    shared = {row["name"]: row["type"] for row in columns if row["type"] in _SHARED}
    key = [row["name"] for row in sorted(columns, key=lambda row: row["pk"]) if row["pk"] and row["name"] in shared]
    if not key:  # the primary key is a number of SQLite's own; then another column is unique
        unique = """
            SELECT info.name
              FROM pragma_index_list(:name) AS list, pragma_index_info(list.name) AS info
             WHERE list.origin = 'u'
             ORDER BY list.seq, info.seqno
            """
        key = [row["name"] for row in await plan.fetch_all(unique, name=name)][:1]
    references = await plan.fetch_all('SELECT "from", "table" FROM pragma_foreign_key_list(:name)', name=name)
    parents = {row["from"]: row["table"] for row in references if row["table"] != name}
    return Table(name, shared, tuple(key), parents)


def _in_order(found: list[Table]) -> list[Table]:
    referred = {parent for table in found for parent in table.parents.values()}
    waiting = [replace(table, referred=table.name in referred) for table in found]
    ordered: list[Table] = []
    while waiting:
        done = {table.name for table in ordered}
        ready = [table for table in waiting if done.issuperset(table.parents.values())]
        ordered += ready
        waiting = [table for table in waiting if table not in ready]
    return ordered

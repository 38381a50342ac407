"""What a person asks for now and then: the space of deleted rows back, and whether all is sound."""

from collections.abc import Iterable

from toolkit.db.database import Problem
from toolkit.db.postgres.lease import Lease

_INVALID = """
SELECT CAST(tables.relname AS TEXT) AS name, CAST(indexes.relname AS TEXT) AS index
  FROM pg_index
  JOIN pg_class AS tables ON tables.oid = pg_index.indrelid
  JOIN pg_class AS indexes ON indexes.oid = pg_index.indexrelid
  JOIN pg_namespace ON pg_namespace.oid = tables.relnamespace
 WHERE pg_namespace.nspname = $1 AND NOT (pg_index.indisvalid AND pg_index.indisready)
 ORDER BY 1, 2
"""
_NOT_CHECKED = """
SELECT CAST(tables.relname AS TEXT) AS name, CAST(pg_constraint.conname AS TEXT) AS rule
  FROM pg_constraint
  JOIN pg_class AS tables ON tables.oid = pg_constraint.conrelid
  JOIN pg_namespace ON pg_namespace.oid = tables.relnamespace
 WHERE pg_namespace.nspname = $1 AND NOT pg_constraint.convalidated
 ORDER BY 1, 2
"""
_REFERENCES = """
SELECT CAST(tables.relname AS TEXT) AS name, CAST(targets.relname AS TEXT) AS target,
       (SELECT array_agg(quote_ident(attname) ORDER BY place)
          FROM unnest(conkey) WITH ORDINALITY AS keys (number, place)
          JOIN pg_attribute ON attrelid = conrelid AND attnum = number) AS columns,
       (SELECT array_agg(quote_ident(attname) ORDER BY place)
          FROM unnest(confkey) WITH ORDINALITY AS keys (number, place)
          JOIN pg_attribute ON attrelid = confrelid AND attnum = number) AS target_columns
  FROM pg_constraint
  JOIN pg_class AS tables ON tables.oid = pg_constraint.conrelid
  JOIN pg_class AS targets ON targets.oid = pg_constraint.confrelid
  JOIN pg_namespace ON pg_namespace.oid = tables.relnamespace
 WHERE pg_namespace.nspname = $1 AND pg_constraint.contype = 'f'
 ORDER BY 1, 2
"""
_MISSING = """
SELECT CAST(tables AS TEXT) AS name
  FROM unnest(CAST($2 AS TEXT[])) AS tables
 WHERE to_regclass(quote_ident($1) || '.' || quote_ident(tables)) IS NULL
 ORDER BY 1
"""


async def vacuum(lease: Lease, schema: str, tables: Iterable[str]) -> None:
    """Give the space of deleted rows back and count anew what is there; locks out nobody."""
    names = ", ".join(f'"{schema}".{name}' for name in sorted(tables))
    await lease.script(f"VACUUM (ANALYZE) {names}")


async def check(lease: Lease, schema: str, tables: Iterable[str]) -> list[Problem]:
    """What is missing, broken or refers to nothing in `schema`, as far as Postgres can say without extensions.

    Every row is read, so that a page whose checksum is wrong fails here.
    """
    names = sorted(tables)
    missing = {row["name"] for row in await lease.fetch(_MISSING, [schema, names])}
    problems = [Problem(name, "The table is missing; restore a backup.") for name in names if name in missing]
    problems += [
        Problem(row["name"], f"The index {row['index']} is not complete; run REINDEX INDEX {schema}.{row['index']}.")
        for row in await lease.fetch(_INVALID, [schema])
    ]
    problems += [
        Problem(row["name"], f"The rule {row['rule']} was never checked for old rows; run ALTER TABLE … VALIDATE.")
        for row in await lease.fetch(_NOT_CHECKED, [schema])
    ]
    problems += await _referring_to_nothing(lease, schema)
    for name in names:
        if name not in missing:
            # A row's text needs all of its columns, also those that lie apart because they are long.
            await lease.fetch(f'SELECT SUM(length(CAST(r AS TEXT))) FROM "{schema}".{name} AS r', [])  # noqa: S608 - our own names
    return problems


async def _referring_to_nothing(lease: Lease, schema: str) -> list[Problem]:
    problems = []
    for row in await lease.fetch(_REFERENCES, [schema]):
        pairs = list(zip(row["columns"], row["target_columns"], strict=True))
        same = " AND ".join(f"b.{theirs} = a.{ours}" for ours, theirs in pairs)
        known = " AND ".join(f"a.{ours} IS NOT NULL" for ours, _ in pairs)
        count = (
            f'SELECT COUNT(*) AS lost FROM "{schema}".{row["name"]} AS a WHERE {known} '  # noqa: S608 - its own names
            f'AND NOT EXISTS (SELECT 1 FROM "{schema}".{row["target"]} AS b WHERE {same})'
        )
        if lost := (await lease.fetch(count, []))[0]["lost"]:
            rows = f"{lost} row{'s refer' if lost > 1 else ' refers'}"
            problems.append(Problem(row["name"], f"{rows} to a row of {row['target']} that is not there; delete them."))
    return problems

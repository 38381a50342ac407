"""Puts a fixture where a test may open it: a copy of what a release left behind."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg

from toolkit.db import migrate

FOLDER = Path(__file__).parent
RELEASED = sorted({int(path.name.partition(".")[0]) for path in FOLDER.glob("[0-9]*")})
"""The newest migration of each release that has fixtures."""
OLD = max(set(RELEASED) - {len(migrate.load(migrate.default_folder(), "sqlite"))})
"""The last one for which something is pending."""


def restore_file(version: int, file: Path) -> None:
    """The SQLite file of a release."""
    file.write_bytes(gzip.decompress((FOLDER / f"{version}.sqlite.db.gz").read_bytes()))


async def restore_schema(version: int, dsn: str, schema: str) -> None:
    """The Postgres schema of a release, made by the migrations that it had and the rows that it left."""
    rows = (FOLDER / f"{version}.postgres.sql").read_text(encoding="utf-8")
    raw = await asyncpg.connect(dsn)
    try:
        await raw.execute(f"CREATE SCHEMA {schema}; SET search_path = {schema}, public")
        for sql in (migrate.LEDGER, *(m.sql for m in had(version, "postgres")), rows):
            await raw.execute(sql)
    finally:
        await raw.close()


def said(version: int, dialect: str) -> Any:
    """What the stores of the release answered."""
    return json.loads((FOLDER / f"{version}.{dialect}.json").read_text(encoding="utf-8"))


def table_names(version: int, dialect: str) -> Sequence[str]:
    """The tables of the release, those that are referred to first."""
    return ["schema_migrations", *(name for m in had(version, dialect) for name in migrate._TABLE.findall(m.sql))]


def had(version: int, dialect: str) -> Sequence[migrate.Migration]:
    """The migrations of the release."""
    return [m for m in migrate.load(migrate.default_folder(), dialect) if m.version <= version]

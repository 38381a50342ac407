"""What the tests of the Postgres driver share: a schema of their own, and somebody else at the same server."""

import uuid
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from toolkit.db.postgres.database import PostgresDatabase


@pytest.fixture
async def admin(postgres_dsn: str) -> "AsyncIterator[asyncpg.Connection[Any]]":
    """A connection that is not the toolkit's."""
    connection = await asyncpg.connect(postgres_dsn, server_settings={"application_name": "somebody"})
    yield connection
    await connection.close()


@pytest.fixture
async def schema(admin: "asyncpg.Connection[Any]") -> AsyncIterator[str]:
    """The name of a schema that is not there yet, and is gone after the test."""
    name = f"s_{uuid.uuid4().hex}"
    yield name
    await admin.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")


@pytest.fixture
async def own(postgres_dsn: str, schema: str) -> AsyncIterator[PostgresDatabase]:
    """An open database in `schema`."""
    database = PostgresDatabase(schema, url=postgres_dsn)
    await database.open()
    yield database
    await database.close()

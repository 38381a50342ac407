"""Rows for the tests of the database room, by the tables that the migrations make."""

from collections.abc import Sequence
from typing import Any

from toolkit import stamps
from toolkit.db import Database, Statement


def model(name: str, /, **values: Any) -> Statement:
    """Adds a row to `models`: the table that has a column of every type but one."""
    row = {
        "id": stamps.new_id(),
        "name": name,
        "priority": 100,
        "enabled": True,
        "is_default": False,
        "auth": {},
        "config": {},
        "now": stamps.now(),
    }
    return Statement(
        """
        INSERT INTO models (id, name, provider, model, priority, enabled, is_default, auth, config,
                            created_at, updated_at)
        VALUES (:id, :name, 'scripted', 'm', :priority, :enabled, :is_default, :auth, :config, :now, :now)
        RETURNING id
        """,
        row | values,
    )


def change(name: str, /, **values: Any) -> Statement:
    """Adds a row to `model_changes`, whose JSONB columns may be NULL."""
    row = {"id": stamps.new_id(), "name": name, "before": None, "after": None, "now": stamps.now()}
    return Statement(
        """
        INSERT INTO model_changes (id, model_id, name, action, before, after, changed_at)
        VALUES (:id, 'x', :name, 'set', :before, :after, :now)
        """,
        row | values,
    )


def session(name: str) -> Statement:
    """Adds a row to `sessions`."""
    return Statement(
        """
        INSERT INTO sessions (id, context, ttl_seconds, created_at, used_at, expires_at)
        VALUES (:id, :context, 60, :now, :now, :now)
        """,
        {"id": name, "context": {}, "now": stamps.now()},
    )


def message(session_id: str, position: int) -> Statement:
    """Adds a row to `messages`, which refers to `sessions`."""
    return Statement(
        """
        INSERT INTO messages (session_id, position, role, body, created_at)
        VALUES (:session, :position, 'user', :body, :now)
        """,
        {"session": session_id, "position": position, "body": {}, "now": stamps.now()},
    )


async def add_chunks(db: Database, texts: Sequence[tuple[str, str]], *, collection: str = "default") -> None:
    """A document in `collection` with a chunk per (heading, text), past the stores."""
    document = Statement(
        """
        INSERT INTO documents (id, collection, source, title, kind, metadata, content_hash, bytes, chunks, root,
                               created_at, updated_at)
        VALUES (:id, :id, 's', 't', 'text', :metadata, 'h', 1, 1, 'r', :now, :now)
        """,
        {"id": collection, "metadata": {}, "now": stamps.now()},
    )
    chunks = (
        Statement(
            """
            INSERT INTO chunks (id, document_id, collection, position, heading, text, line_start, line_end,
                                content_hash)
            VALUES (:id, :document, :document, :position, :heading, :text, 1, 2, 'h')
            """,
            {"id": f"{collection}-{n}", "document": collection, "position": n, "heading": heading, "text": text},
        )
        for n, (heading, text) in enumerate(texts, start=1)
    )
    await db.write(document, *chunks)


async def names(db: Database) -> list[str]:
    """The names in `models`, sorted."""
    return [row["name"] for row in await db.fetch_all("SELECT name FROM models ORDER BY name")]


def add(name: str, **options: Any) -> Statement:
    """Adds one to the priority of a model: to be done once."""
    sql = "UPDATE models SET priority = priority + 1 WHERE name = :name RETURNING name, priority"
    return Statement(sql, {"name": name}, **options)


async def count(db: Database, name: str) -> int:
    """The priority of a model."""
    row = await db.fetch_one("SELECT priority FROM models WHERE name = :name", name=name)
    assert row
    number: int = row["priority"]
    return number

"""What was told by processes that wrote `tests.db.lists`, held against what a database keeps: row by row."""

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

import asyncpg

from tests.db.lists import document_of, text_of
from toolkit.db.sqlite.driver import sqlite3

_TABLES = {
    "sessions": "SELECT id, context, parent_id FROM sessions",
    "messages": "SELECT session_id, position, body, call_id FROM messages ORDER BY session_id, position",
    "calls": "SELECT call_id, attempt FROM calls",
    "events": "SELECT seq, kind, subject, body FROM events ORDER BY seq",
    "documents": "SELECT id, content_hash, chunks FROM documents",
    "chunks": "SELECT document_id, position, text FROM chunks ORDER BY document_id, position",
}
_ORPHANS = (
    "SELECT COUNT(*) FROM messages WHERE session_id NOT IN (SELECT id FROM sessions)",
    "SELECT COUNT(*) FROM chunks WHERE document_id NOT IN (SELECT id FROM documents)",
    """
    SELECT COUNT(*) FROM collections
     WHERE version - sealed <> (
        SELECT COUNT(DISTINCT log.version) FROM search_log AS log
         WHERE log.collection = collections.key AND log.version > collections.sealed)
    """,
)
_OTHERS = """
SELECT 1 FROM pg_stat_activity
 WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
Rows: TypeAlias = list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a database keeps.

    Attributes:
        rows: of each table of the load.
        damage: what the database itself says is wrong.
    """

    rows: Mapping[str, Rows]
    damage: list[str]


def kept_in_file(path: Path) -> Kept:
    """What a SQLite file keeps, by a connection that knows nothing of the toolkit."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        if not raw.execute("SELECT 1 FROM sqlite_master WHERE name = 'schema_migrations'").fetchone():
            return Kept({name: [] for name in _TABLES}, _structure(raw))
        damage = [f"{sql}: {n}" for sql in _ORPHANS if (n := raw.execute(sql).fetchone()[0])]
        return Kept({name: raw.execute(sql).fetchall() for name, sql in _TABLES.items()}, damage + _structure(raw))


def _structure(raw: Any) -> list[str]:
    rows = raw.execute("PRAGMA integrity_check").fetchall() + raw.execute("PRAGMA foreign_key_check").fetchall()
    return [str(row) for row in rows if row != ("ok",)]


async def kept_in_schema(dsn: str, schema: str) -> Kept:
    """What a Postgres schema keeps once the server has ended what the dead had sent it."""
    raw = await asyncpg.connect(dsn, server_settings={"search_path": schema})
    try:
        await ended(raw)
        if not await raw.fetchval("SELECT to_regclass('schema_migrations') IS NOT NULL"):
            return Kept({name: [] for name in _TABLES}, [])
        damage = [f"{sql}: {n}" for sql in _ORPHANS if (n := await raw.fetchval(sql))]
        return Kept({name: [tuple(row) for row in await raw.fetch(sql)] for name, sql in _TABLES.items()}, damage)
    finally:
        await raw.close()


async def ended(raw: "asyncpg.Connection[Any]") -> None:
    """Wait until the server has ended what the dead had sent it."""
    while await raw.fetch(_OTHERS):  # noqa: ASYNC110 - only the server knows
        await asyncio.sleep(0.005)


class Books:
    """What was told by every process that wrote to one database."""

    def __init__(self) -> None:
        self.begun: set[str] = set()
        self.acknowledged: set[str] = set()
        self.forgetting: set[str] = set()
        self.forgotten: set[str] = set()
        self.errors: list[str] = []

    def take(self, told: Iterable[str]) -> None:
        """Enter what a process has told."""
        by_verb = {"B": self.begun, "A": self.acknowledged, "D": self.forgetting, "G": self.forgotten}
        for line in told:
            verb, _, name = line.partition(" ")
            if verb == "E":
                self.errors.append(json.loads(name) if name.endswith('"') else name)
            else:
                by_verb[verb].add(name)

    def complaints(self, kept: Kept) -> list[str]:
        """What is wrong with the database; nothing, if it keeps its promises."""
        found = [*self.errors, *kept.damage]
        found += self._of_lists(_lists(kept))
        found += self._of_documents(kept)
        found += _of_sessions(kept)
        return found

    def _of_lists(self, found: Mapping[str, Counter[str]]) -> Iterator[str]:
        for name in self.acknowledged - found.keys():
            if _shape(name) and not (name in self.forgetting and not _without_session(name)):
                yield f"{name} was acknowledged and is lost"
        for name, counted in found.items():
            allowed = [_shape(name)]
            if name in self.forgetting:
                allowed = [_without_session(name)] if name in self.forgotten else [*allowed, _without_session(name)]
            if name not in self.begun:
                yield f"{name} was never written"
            elif counted not in allowed:
                yield f"{name} has {dict(counted)} instead of {' or '.join(str(dict(each)) for each in allowed)}"

    def _of_documents(self, kept: Kept) -> Iterator[str]:
        last: dict[str, int] = defaultdict(int)
        for name in self.acknowledged:
            prefix, number, kind, *_ = name.rsplit("-", 4)
            if kind == "put":
                own = document_of(prefix)
                last[own] = max(last[own], int(number))
        chunks: dict[str, list[tuple[int, str]]] = defaultdict(list)
        for own, position, text in kept.rows["chunks"]:
            chunks[own].append((position, text))
        documents = {own: (name, count) for own, name, count in kept.rows["documents"]}
        for own in last.keys() - documents.keys():
            yield f"{own} was acknowledged and is lost"
        for own, (name, count) in documents.items():
            if name not in self.begun or int(name.rsplit("-", 4)[1]) < last[own]:
                yield f"{own} is {name}, which is not the last that was acknowledged"
            if chunks[own] != [(n, text_of(name, n)) for n in range(1, count + 1)]:
                yield f"{own} has not the {count} chunks of {name}: {[n for n, _ in chunks[own]]}"


def _lists(kept: Kept) -> Mapping[str, Counter[str]]:
    """How many rows of which table each list has; a row with a wrong text is a table of its own."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for _, context, _ in kept.rows["sessions"]:
        found[json.loads(context)["list"]]["sessions"] += 1
    for _, _, body, name in kept.rows["messages"]:
        text = json.loads(body)["text"]
        right = text == text_of(name, int(text.split("|")[1]))
        found[name]["messages" if right else f"cut messages: {text}"] += 1
    for name, _ in kept.rows["calls"]:
        found[name]["calls"] += 1
    names = {own: json.loads(context)["list"] for own, context, _ in kept.rows["sessions"]}
    names |= {own: json.loads(body)["list"] for _, kind, own, body in kept.rows["events"] if kind == "torture"}
    for _, kind, own, body in kept.rows["events"]:
        if kind in ("session.updated", "generation.completed"):
            found[json.loads(body)["call_id"]]["events"] += 1
        elif not kind.startswith("document."):
            found[names.get(own, f"{kind} of {own}")]["events"] += 1
    return found


def _of_sessions(kept: Kept) -> Iterator[str]:
    """The messages of a session are numbered without a gap, and those of one turn follow one another."""
    by_session: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for session, position, body, name in kept.rows["messages"]:
        by_session[session].append((position, name, int(json.loads(body)["text"].split("|")[1])))
    for session, messages in by_session.items():
        if [position for position, _, _ in messages] != list(range(1, len(messages) + 1)):
            yield f"the messages of session {session} have gaps: {messages}"
        for (_, before, n), (_, name, m) in pairwise(messages):
            if (name, m) != (before, n + 1) and m != 1:
                yield f"the turn {name} of session {session} is not in one piece: {messages}"


def _shape(name: str) -> Counter[str]:
    """How many rows of which table belong to a list."""
    kind, messages, calls = name.rsplit("-", 3)[1:]
    if kind == "put":
        return Counter()  # a document is replaced; it is looked at by itself
    session = kind in ("whole", "begin")
    shape = {"sessions": int(session), "messages": int(messages), "calls": int(calls), "events": 1}
    return Counter({table: count for table, count in shape.items() if count})


def _without_session(name: str) -> Counter[str]:
    """The same once its session was forgotten, which is an event too."""
    return Counter({"calls": _shape(name)["calls"], "events": 2})

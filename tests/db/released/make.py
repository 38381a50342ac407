"""Makes the fixtures of a release: databases as this version of the toolkit leaves them, with rows in every table.

    python -m tests.db.released.make

For the newest migration N it writes `N.sqlite.db.gz`, the file itself; `N.postgres.sql`, the rows that belong into the
tables which the migrations up to N make; and `N.sqlite.json` and `N.postgres.json`, what the stores of this version
answer. Run it when N is released, and not again for the same N: later versions must open what was released.
"""

import asyncio
import gzip
import json
import tempfile
from collections.abc import Sequence
from contextlib import aclosing, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import asyncpg

from tests.db.released.restore import FOLDER, table_names
from tests.postgres import PostgresServer
from toolkit import stamps
from toolkit.db import Database, migrate, open_database
from toolkit.db.feed import Feed
from toolkit.db.sqlite.driver import sqlite3
from toolkit.jobs.jobs import Jobs
from toolkit.messages import Attempt, Caller, ChatRequest, Image, Json, Message, Reply, ToolCall, Usage
from toolkit.models.catalog import Catalog
from toolkit.prompts.library import Prompts
from toolkit.search.cutting.chunker import document_id
from toolkit.search.documents import Document
from toolkit.search.ingest import Documents
from toolkit.search.retriever import Retriever
from toolkit.search.vectors import Quantised, quantise
from toolkit.sessions.store import Sessions
from toolkit.settings import Settings
from toolkit.usage.cache import Cached, ResponseCache
from toolkit.usage.ledger import Ledger
from toolkit.usage.limits import Limits
from toolkit.webhooks.hook import Hook
from toolkit.webhooks.store import HookStore

TEN_YEARS = 10 * 365 * 86_400
ODD = "Größe \\ ' \" :name %s 🙂 re\u0301sume\u0301 \\u0000 日本語"
DOCUMENTS = (
    Document(
        "guide.md", f"# Install\n\nRun pip install.\n\n## Use\n\n{ODD}\n", kind="markdown", metadata={"n": [1, None]}
    ),
    Document("breaker.py", "def breaker():\n    return 'circuit'\n", kind="code", language="python", title="Breaker"),
)


async def fill(db: Database) -> None:
    """Put rows into every table, through the stores."""
    catalog = Catalog(db, {"OPENAI_API_KEY": "a variable of that name is there"})
    await catalog.seed()
    await catalog.add("scripted", "m", name="first", default=True, config={"temperature": 0.5, "extra": {"x": [ODD]}})
    await catalog.add("anthropic", "large", name=ODD, scope="work", auth={"api_key_env": "MY_KEY"}, by="ada")
    await catalog.add("scripted", "gone", enabled=False)
    await catalog.set("first", priority=-7, by="bob")
    await catalog.set(ODD, default=True)
    await catalog.remove("gone")

    sessions, ledger = Sessions(db, ttl=TEN_YEARS), Ledger(db)
    own = await sessions.create(context={"a": {"b": [1.5, None, ODD]}}, user="ada", origin="tests", title=ODD)
    question = Message("user", ODD, images=(Image("https://example.org/a.png"),))
    call = Message("assistant", tool_calls=(ToolCall("c1", "add", {"a": 1, "b": ODD}),))
    result = Message("tool", "3", tool_call_id="c1")
    await sessions.append(own.id, [question, call, result, Message("assistant", "Three.")], call_id="q1")
    await sessions.append(own.id, [Message("user", "Thanks."), Message("assistant", "")])
    await sessions.fork(own.id, at=4)
    await sessions.create(ttl=7 * 86_400)
    caller = Caller(user="ada", origin="tests", session_id=own.id)
    for number, attempt in enumerate(_attempts(), start=1):
        at = stamps.now()
        await ledger.record(
            attempt, call_id="q1", number=number, kind="chat", caller=caller, started_at=at, cancelled=number == 4
        )
    await ledger.record(_attempts()[1], call_id="q2", number=1, kind="embed", caller=Caller(), started_at=stamps.now())

    documents = Documents(db)
    await documents.ingest(DOCUMENTS)
    await documents.ingest(DOCUMENTS[0], collection=ODD[:5])
    await _fill_index(documents)
    await _fill_later_rooms(db, ledger, sessions, own.id)


async def _fill_index(documents: Documents) -> None:
    """Put rows into the tables of the search index: what is sealed, and what came behind it."""
    index, embedder = documents.index, "tests/four"
    (state,) = await index.sync(["default"])
    found = state.unembedded(2)
    await index.keep_vectors("default", embedder, found.hashes, _vectors(len(found.hashes)))
    await index.seal("default")
    await documents.ingest(Document("later.txt", "Herons fish."))
    (state,) = await index.sync(["default"])
    found = state.unembedded(1)
    await index.claim("default", embedder, found.hashes, seconds=TEN_YEARS)
    await index.close()


def _vectors(count: int) -> Quantised:
    return quantise([[0.5, 0.5, 0.5, -0.5]] * count)


async def _fill_later_rooms(db: Database, ledger: Ledger, sessions: Sessions, session_id: str) -> None:
    """Put rows into the tables that came with the migrations from 8 on."""
    await sessions.set_summary(session_id, 2, ODD)
    await sessions.pin(session_id, 1)
    await ledger.roll_up()
    await ledger.record_tool(
        tool="add",
        status="error",
        error="ToolError",
        message=ODD,
        caller=Caller(user="ada"),
        call_id="q1",
        argument_bytes=12,
        result_bytes=None,
        milliseconds=0.1 + 0.2,
        started_at=stamps.now(),
    )
    await ledger.flush()
    limits = Limits(db)
    await limits.set("user", "ada", rpm=100, tpm=10_000, usd_per_day=1.5)
    await limits.set("total", rpm=1_000)
    admission = await limits.admit(Caller(user="ada"), tokens=12, price=_a_cent)
    await db.write(*await limits.settle(admission, tokens=10, nano_usd=9_000_000))
    await limits.close()
    cache = ResponseCache(db, max_bytes=1_000_000)
    key = cache.key(ChatRequest((Message("user", ODD),)), {"model": None})
    async with cache.once(key, ttl=TEN_YEARS, within=5.0) as flight:
        await flight.keep(Cached(Message("assistant", ODD), "first", "scripted", "m", "stop", None, None, ()))
    await cache.close()
    prompts = Prompts(None, db)
    await prompts.add("greet", "---\narguments:\n  - name: whom\n---\nGreet {{ whom }}.", by="ada")
    await prompts.add("greet", f"Greet everyone: {ODD.replace('%', '')}")

    async def ask(_: Json) -> Reply:
        return Reply(Message("assistant", ODD), "first", (), "q3")

    jobs = Jobs(db, ask)
    async with aclosing(jobs.batch([ODD, {"prompt": "two", "temperature": 0.5}], job="nightly")) as outcomes:
        async for _ in outcomes:
            pass
    await jobs.close()
    hooks = HookStore(db, "a process")
    await hooks.add(Hook.of("https://user:hush@example.org/hook#session.*"), await Feed(db).last())


async def _a_cent() -> int:
    return 10_000_000


def _attempts() -> Sequence[Attempt]:
    usage = Usage(1000, 200, 300, 40, 50, 30, 20, 10, 5)
    refused = Attempt("first", "scripted", "m", error="RateLimited", message=ODD, status=429, milliseconds=0.1 + 0.2)
    return (
        replace(refused, key="OPENAI_API_KEYS[2]"),
        Attempt("second", "openai", "n", usage=usage, request_id="r1", milliseconds=12.0, cost_nano_usd=2**53 + 1),
        Attempt("third", "openai", "n", usage=usage, milliseconds=1.0),
        Attempt("third", "openai", "n", milliseconds=1.0, uncounted=True),
    )


async def answers(db: Database) -> Any:
    """What the stores answer about these rows, as JSON."""
    catalog, sessions, ledger, documents = Catalog(db, {}), Sessions(db), Ledger(db), Documents(db)
    found = {
        "models": [asdict(model) for model in await catalog.list()],
        "chain": [model.name for model in await catalog.chain("work")],
        "changes": [asdict(change) for change in await catalog.history(limit=1000)],
        "sessions": [
            asdict(session) | {"messages": [message.to_json() for message in await sessions.messages(session.id)]}
            for session in await sessions.list(limit=1000)
        ],
        "calls": [asdict(call) for call in await ledger.calls(limit=1000)],
        "usage": asdict(await ledger.stats(days=36_500)),
        "collections": [asdict(info) for info in await documents.collections()],
        "documents": [
            asdict(await documents.document(document_id(info.name, document.source)))
            for info in await documents.collections()
            for document in DOCUMENTS[: info.documents]
        ],
        "limits": [asdict(limit) for limit in await Limits(db).list()],
        "prompts": [asdict(prompt) for prompt in await Prompts(None, db).list() if prompt.id == "greet"],
        "jobs": [asdict(job) for job in await Jobs(db, _unasked).list()],
        "found": sorted(hit.chunk_id for hit in await Retriever(db).search("résumé installs circuit", top_k=20)),
    }
    return json.loads(json.dumps(found, default=str))


async def _unasked(_: Json) -> Reply:
    raise AssertionError


async def make(url: str) -> Any:
    """Fill the new database at `url`; gives what the stores answer then."""
    db = open_database(Settings(url))
    with stamps.freeze():
        await fill(db)
        found = await answers(db)
        await db.close()
    return found


async def rows_as_sql(dsn: str, schema: str, known: Sequence[migrate.Migration]) -> str:
    """The rows of a schema as a script for an empty schema of the same tables."""
    raw = await asyncpg.connect(dsn, server_settings={"search_path": schema, "timezone": "UTC"})
    lines = []
    try:
        for table in table_names(known[-1].version, "postgres"):
            columns = await raw.fetch(
                """
                SELECT column_name AS name, is_identity = 'YES' AS counts
                  FROM information_schema.columns
                 WHERE table_schema = $1 AND table_name = $2 AND is_generated = 'NEVER'
                 ORDER BY ordinal_position
                """,
                schema,
                table,
            )
            names = [column["name"] for column in columns]
            values = ", ".join(f"quote_nullable(CAST({name} AS TEXT))" for name in names)
            into = f"INSERT INTO {table} ({', '.join(names)}) OVERRIDING SYSTEM VALUE VALUES"
            rows = await raw.fetch(f"SELECT ARRAY[{values}] FROM {table} ORDER BY 1")
            lines += [f"{into} ({', '.join(row[0])});" for row in rows]
            lines += [
                f"SELECT setval(pg_get_serial_sequence('{table}', '{name}'), MAX({name})) FROM {table};"
                for name, counts in ((column["name"], column["counts"]) for column in columns)
                if counts
            ]
    finally:
        await raw.close()
    return "\n".join(lines) + "\n"


def write_json(path: Path, value: Any) -> None:
    """As text that a person can compare."""
    path.write_text(json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


async def main() -> None:
    known = migrate.load(migrate.default_folder(), "postgres")
    stem = str(known[-1].version)
    with tempfile.TemporaryDirectory() as folder:
        file, copy = Path(folder) / "toolkit.db", Path(folder) / "copy.db"
        write_json(FOLDER / f"{stem}.sqlite.json", await make(f"sqlite:///{file}"))
        with closing(sqlite3.connect(file)) as raw:
            raw.execute("VACUUM INTO ?", (str(copy),))
        (FOLDER / f"{stem}.sqlite.db.gz").write_bytes(gzip.compress(copy.read_bytes(), mtime=0))
    server = PostgresServer()
    try:
        write_json(FOLDER / f"{stem}.postgres.json", await make(server.dsn))
        script = await rows_as_sql(server.dsn, "toolkit", known)
        (FOLDER / f"{stem}.postgres.sql").write_text(script, encoding="utf-8")
    finally:
        server.remove()


if __name__ == "__main__":
    asyncio.run(main())

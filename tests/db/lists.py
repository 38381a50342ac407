"""A load of atomic lists that tell what they are.

A list's name says how many rows of which tables belong to it: `<process>-<task>-<number>-<kind>-<messages>-<calls>`.
Every row carries the name, and a text that follows from it, so that a row which is missing, double, cut or made up is
seen. What is told: `B` a list has begun, `A` it was acknowledged, `D` and `G` the same of forgetting its session.
"""

import asyncio
import hashlib
import random
from collections.abc import Callable
from typing import TypeAlias

import toolkit.search.index  # noqa: F401 - a process that is forked need not import it again
from toolkit.db import Database, Statement
from toolkit.messages import Attempt, Caller, Message
from toolkit.search.cutting.chunker import document_id
from toolkit.search.documents import Chunk, Document
from toolkit.search.store import DocumentStore, Prepared
from toolkit.sessions.store import Sessions
from toolkit.stamps import new_id, now
from toolkit.usage.ledger import Ledger

Tell: TypeAlias = Callable[[str], None]

_SESSION = """
INSERT INTO sessions (id, context, ttl_seconds, created_at, used_at, expires_at)
VALUES (:id, :context, 86400, :now, :now, :now)
"""
_MESSAGE = """
INSERT INTO messages (session_id, position, role, body, call_id, created_at)
VALUES (:id, :position, 'user', :body, :name, :now)
"""
_CALL = """
INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, session_id, status, milliseconds, started_at, day)
VALUES (:call, :name, :position, 'chat', 'n', 'p', 'm', :id, 'ok', 1.5, :now, '2026-01-01')
"""
_EVENT = """
INSERT INTO events (kind, subject, body, created_at) VALUES ('torture', :id, :body, :now)
"""


def text_of(name: str, position: int) -> str:
    """The text of one row of a list."""
    digest = hashlib.sha256(f"{name}|{position}".encode()).hexdigest()
    return f"{name}|{position}|{digest * (1 + int(digest[0], 16) // 2)}"


def document_of(prefix: str) -> str:
    """The id of the document that a task replaces again and again."""
    return document_id("c", f"{prefix}-document")


async def live(opened: Callable[[], Database], process: str, seed: int, tell: Tell) -> None:
    """Open, write from many tasks, close, and begin again, for ever."""
    chance, life = random.Random(seed), 0
    while True:
        db, life = opened(), life + 1
        tasks, most = chance.randint(8, 16), chance.choice((5, 40, 400))
        workers = [Worker(db, f"{process}.{life}-{task}", chance.random(), tell) for task in range(tasks)]
        await asyncio.gather(*(worker.write(most) for worker in workers))
        await db.close()


class Worker:
    """One task that writes lists of every kind.

    Args:
        db: where to.
        prefix: what the names of its lists begin with.
        seed: of which kinds it chooses.
        tell: told before and after each list.
    """

    def __init__(self, db: Database, prefix: str, seed: float, tell: Tell) -> None:
        self._db, self._prefix, self._tell = db, prefix, tell
        self._chance = random.Random(seed)
        self._number = 0
        self._session = ""
        self._documents = DocumentStore(db)
        self._own: list[tuple[str, str]] = []  # sessions that may be forgotten, with the list that began them

    async def write(self, most: int, enough: asyncio.Event | None = None) -> None:
        """Write `most` lists, or until it is enough."""
        await self._begin()
        for _ in range(most):
            if enough and enough.is_set():
                return
            kind = self._chance.choice((self._turn, self._turn, self._whole, self._whole, self._call, self._put))
            await kind()
            if len(self._own) > 2 and self._chance.random() < 0.3:  # a few, so that some stay
                await self._forget()

    async def _begin(self) -> None:
        name = self._told("begin")
        self._session = (await Sessions(self._db).create(context={"list": name})).id
        self._tell(f"A {name}")

    async def _turn(self) -> None:
        name = self._told("turn", messages := self._chance.randint(1, 4))
        said = [Message("user", text_of(name, n)) for n in range(1, messages + 1)]
        await Sessions(self._db).append(self._session, said, call_id=name)
        self._tell(f"A {name}")

    async def _whole(self) -> None:
        name = self._told("whole", messages := self._chance.randint(1, 4), calls := self._chance.randint(1, 3))
        own, at = new_id(), now()
        base = {"id": own, "name": name, "now": at}
        rows = [Statement(_SESSION, {"id": own, "now": at, "context": {"list": name}})]
        rows += [
            Statement(_MESSAGE, base | {"position": n, "body": {"role": "user", "text": text_of(name, n)}})
            for n in range(1, messages + 1)
        ]
        rows += [Statement(_CALL, base | {"position": n, "call": new_id()}) for n in range(1, calls + 1)]
        rows.append(Statement(_EVENT, {"id": own, "now": at, "body": {"list": name}}, wakes=True))
        await self._db.write(*rows, subject=own)
        self._tell(f"A {name}")
        self._own.append((own, name))

    async def _call(self) -> None:
        name, ledger = self._told("call", 0, 1), Ledger(self._db)
        attempt = Attempt("n", "p", "m", milliseconds=1.5)
        await ledger.record(attempt, call_id=name, number=1, kind="chat", caller=Caller(), started_at=now())
        await ledger.flush()
        if ledger.failures:
            raise AssertionError(ledger.last_failure)
        self._tell(f"A {name}")

    async def _put(self) -> None:
        """Replace this task's document by a new one with other chunks."""
        name, own = self._told("put", count := self._chance.choice((1, 3, 25))), document_of(self._prefix)
        chunks = [Chunk(f"{own}-{n}", own, "c", n, "", text_of(name, n), n, n, own, own) for n in range(1, count + 1)]
        await self._documents.put(Prepared(Document(f"{self._prefix}-document", ""), chunks, own, "c", name, 1))
        self._tell(f"A {name}")

    async def _forget(self) -> None:
        own, name = self._own.pop(0)
        self._tell(f"D {name}")
        await Sessions(self._db).delete(own)
        self._tell(f"G {name}")

    def _told(self, kind: str, messages: int = 0, calls: int = 0) -> str:
        self._number += 1
        name = f"{self._prefix}-{self._number}-{kind}-{messages}-{calls}"
        self._tell(f"B {name}")
        return name

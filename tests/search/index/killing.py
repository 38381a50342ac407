"""Processes that write to an index and are killed: one that has imported everything forks them.

    python -m tests.search.index.killing URL

It reads a line for each, `{"work": "seal" or "write", "seed": 1, "at": 3}`, forks a process that does it and kills
itself just before the list with the number `at` is handed to the database; one that writes is killed `at` seconds after
its first document was kept. Then it writes a line: what that process was told to be kept.
"""

import asyncio
import json
import os
import random
import signal
import sys
import time
from typing import Any

from tests.search.index.shelf import prepared, vectors_of
from toolkit.db import Database, open_database
from toolkit.search.index import Index
from toolkit.search.store import DocumentStore
from toolkit.settings import Settings

WORDS = ["heron", "stork", "egret", "crane", "ibis", "fish", "water", "roof", "nest", "marsh", "wing", "river"]
EMBEDDER = "tests/one"
SOURCES = [f"d{n}" for n in range(10)]


def text_of(chance: random.Random) -> str:
    return " ".join(chance.choices(WORDS, k=8))


class Mortal:
    """A database whose process ends at a certain list."""

    def __init__(self, db: Database, at: int) -> None:
        self._db, self._left = db, at

    def __getattr__(self, name: str) -> Any:
        return getattr(self._db, name)

    async def write(self, *statements: Any, **rest: Any) -> Any:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return await self._db.write(*statements, **rest)


async def seal(url: str, at: int) -> None:
    db: Any = open_database(Settings(url, max_connections=3))
    await db.open()
    mortal: Any = Mortal(db, at)
    index = Index(mortal)
    await index.seal("default")
    await index.close()
    await db.close()


async def write(url: str, seed: int, pipe: int) -> None:
    """Write for ever, and tell what is kept: `[source, texts]`, after the commit; before it `[source, null]`."""
    chance = random.Random(seed)
    store = DocumentStore(open_database(Settings(url, max_connections=3)))
    while True:
        kind = chance.random()
        if kind < 0.6:
            several = {name: [text_of(chance) for _ in range(3)] for name in chance.sample(SOURCES, 3)}
            for name in several:
                tell(pipe, [name, None])
            await store.put_many([prepared(name, *texts) for name, texts in several.items()])
            for told in several.items():
                tell(pipe, list(told))
        elif kind < 0.8:
            for state in await store.index.sync(["default"]):
                hashes = state.unembedded(6).hashes
                await store.index.keep_vectors("default", EMBEDDER, hashes, vectors_of(hashes))
        else:
            await store.index.seal("default")


def tell(pipe: int, what: Any) -> None:
    os.write(pipe, f"{json.dumps(what)}\n".encode())


def fork(url: str, job: dict[str, Any]) -> list[Any]:
    """Run a job until its end; gives what it told."""
    reading, writing = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reading)
        try:
            if job["work"] == "seal":
                asyncio.run(seal(url, job["at"]))
            else:
                asyncio.run(write(url, job["seed"], writing))
        except BaseException as error:  # noqa: BLE001 - it must not reach the loop of the parent
            tell(writing, ["error", repr(error)])
        finally:
            os._exit(0)
    os.close(writing)
    told = b""
    if job["work"] == "write":
        while b'", [' not in told:  # a document with its texts
            told += os.read(reading, 1 << 16)
        time.sleep(job["at"])
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    while part := os.read(reading, 1 << 16):
        told += part
    os.close(reading)
    lines = [json.loads(line) for line in told.decode().split("\n")[:-1]]
    return [*lines, ["killed", os.WIFSIGNALED(status)]]


if __name__ == "__main__":
    for line in iter(sys.stdin.readline, ""):
        sys.stdout.write(json.dumps(fork(sys.argv[1], json.loads(line))) + "\n")
        sys.stdout.flush()

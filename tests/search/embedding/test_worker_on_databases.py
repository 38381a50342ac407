"""The background embedder over the real index, on each database, beside other processes."""

import asyncio
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from toolkit.db import Database, open_database
from toolkit.search.documents import Document
from toolkit.search.embedding import BUNDLED, Embedders
from toolkit.search.embedding.worker import Worker
from toolkit.search.index import CollectionState, Index
from toolkit.search.ingest import Documents
from toolkit.settings import Settings

ROOT = Path(__file__).parent.parent.parent.parent
Vectors = list[list[float]]

SLOW_PROCESS = """
import asyncio, sys
from toolkit.db import open_database
from toolkit.search.embedding import Embedders, worker
from toolkit.search.index import Index
from toolkit.settings import Settings

worker.CLAIMED_FOR = 0.5

async def slowly(texts):
    await asyncio.sleep(0.05)
    print(len(texts), flush=True)
    return [[1.0, float(len(text))] for text in texts]

async def main():
    db = open_database(Settings.from_env({}, database_url=sys.argv[1]))
    await db.open()
    index = Index(db)
    embedders = Embedders(None, default="mine")
    embedders.register("mine", slowly)
    await worker.Worker(lambda: index, embedders).settled("default")

asyncio.run(main())
"""


def notes(count: int) -> list[Document]:
    return [Document(f"note-{n}.md", f"Port number {n} is open to everybody at {n} o'clock.") for n in range(count)]


async def state_of(index: Index) -> CollectionState:
    (state,) = await index.sync(["default"])
    return await state.ready()


async def unasked(texts: Sequence[str], *, model: str, timeout: float) -> Vectors:
    raise AssertionError(f"{model} was asked to embed {texts}, within {timeout}")


def plain(texts: Sequence[str]) -> Vectors:
    return [[1.0, float(len(text))] for text in texts]


def worker_of(index: Index) -> Worker:
    embedders = Embedders(unasked, default="mine")
    embedders.register("mine", plain)
    return Worker(lambda: index, embedders, again=0.05)


async def test_what_was_ingested_gets_the_vectors_of_what_it_says(db: Database) -> None:
    await Documents(db).ingest([Document("storks.md", "# Storks\n\nThey nest on chimneys.", "Birds"), *notes(3)])
    index, embedders = Index(db), Embedders(unasked)
    worker = Worker(lambda: index, embedders)
    await worker.settled("default")
    await worker.close()
    state = await state_of(index)
    assert (state.embedder, state.dimension, state.pending, state.vectors) == (BUNDLED, 384, 0, 4)
    cosines = state.semantic((await embedders.get().embed(["Where does the stork build its nest?"], query=True))[0])
    (best,) = await index.texts(state.chunk_ids([int(np.nanargmax(cosines))]))
    assert "chimneys" in best.text
    await index.close()


async def test_only_what_changed_is_embedded_again(db: Database) -> None:
    documents, index = Documents(db), Index(db)
    await documents.ingest(notes(5))
    worker = worker_of(index)
    await worker.settled("default")
    await documents.ingest([*notes(4), Document("note-4.md", "This one was changed.")])
    await worker.settled("default")
    assert (worker.progress("default").embedded, (await state_of(index)).pending) == (6, 0)
    await worker.close()
    await index.close()


async def test_two_processes_share_a_collection_and_embed_nothing_twice(database_url: str) -> None:
    databases = [open_database(Settings.from_env({}, database_url=database_url)) for _ in range(2)]
    await Documents(databases[0]).ingest(notes(60))
    indexes = [Index(db) for db in databases]
    workers = [worker_of(index) for index in indexes]
    await asyncio.gather(*(worker.settled("default") for worker in workers))
    assert sum(worker.progress("default").embedded for worker in workers) == 60
    assert [(await state_of(index)).pending for index in indexes] == [0, 0]
    closing: tuple[Worker | Index | Database, ...] = (*workers, *indexes, *databases)
    for each in closing:
        await each.close()


async def test_what_a_killed_process_had_claimed_is_done_by_another_and_what_it_kept_stays(database_url: str) -> None:
    db = open_database(Settings.from_env({}, database_url=database_url))
    await Documents(db).ingest(notes(120))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SLOW_PROCESS, database_url), cwd=ROOT, stdout=subprocess.PIPE
    )
    assert process.stdout
    parts = [await process.stdout.readline() for _ in range(2)]
    process.kill()
    await process.wait()
    index = Index(db)
    kept = (await state_of(index)).vectors
    assert int(parts[0]) <= kept < 120
    worker = worker_of(index)
    await worker.settled("default")
    assert worker.progress("default").embedded == 120 - kept
    assert (await state_of(index)).pending == 0
    for closing in (worker, index, db):
        await closing.close()

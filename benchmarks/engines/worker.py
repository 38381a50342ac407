"""An engine's process: JSON lines on standard input, answers on standard output.

    python -m benchmarks.engines.worker NAME

| line | answer |
|---|---|
| `{"do": "open", "folder": "…", "server": "…", "sections": 1000}` | `{"seconds": …, "cpu": …}` |
| `{"do": "add", "texts": "FILE", "vectors": "FILE", "first": 0, "together": 20}` | the same |
| `{"do": "settle"}`, `{"do": "ready"}` | the same |
| `{"do": "ask", "texts": […], "kind": "hybrid"}` | `{"milliseconds": […], "found": [[…], …]}` |
| `{"do": "change", "texts": […]}` | `{"milliseconds": […], "seen": […]}` |
| `{"do": "delete", "texts": […]}` | `{"milliseconds": […], "seen": […]}` |
| `{"do": "memory"}` | `{"bytes": …}` |

A failure is answered by `{"failed": "…"}`. What lies between two questions is not measured.
"""

import asyncio
import gc
import importlib
import json
import os
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import corpus
from benchmarks.corpus import Section, Vectors
from benchmarks.engines.engine import Engine, Kind, Place

TOP = 10


class Worker:
    """Does what the lines say."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def open(self, folder: str, server: str, sections: int) -> dict[str, Any]:
        """Open the engine."""
        return await _timed(self._engine.open(Place(Path(folder), server, sections)))

    async def add(self, texts: str, vectors: str, first: int, together: int) -> dict[str, Any]:
        """Take in the sections of two files."""
        sections, rows = _read(texts, vectors, first)
        return await _timed(self._engine.add(sections, rows, together=together))

    async def settle(self) -> dict[str, Any]:
        """Let the engine finish."""
        return await _timed(self._engine.settle())

    async def ready(self) -> dict[str, Any]:
        """Let the engine know all that it has."""
        return await _timed(self._engine.ready())

    async def ask(self, texts: list[str], kind: Kind) -> dict[str, Any]:
        """Every query, one after the other."""
        milliseconds, found = [], []
        for query in [corpus.asked(text) for text in texts]:
            begun = time.perf_counter()
            found.append(await self._engine.ask(query, kind, TOP))
            milliseconds.append((time.perf_counter() - begun) * 1000)
        return {"milliseconds": milliseconds, "found": found}

    async def change(self, texts: list[str]) -> dict[str, Any]:
        """Put sections in place of others, and look for what each says now."""
        milliseconds, seen = [], []
        for text in texts:
            query = corpus.asked(text.rpartition("\n\n")[2][:60])
            begun = time.perf_counter()
            await self._engine.change(Section(query.number, text), query.vector)
            milliseconds.append((time.perf_counter() - begun) * 1000)
            seen.append(query.number in await self._engine.ask(query, "hybrid", TOP))
        return {"milliseconds": milliseconds, "seen": seen}

    async def delete(self, texts: list[str]) -> dict[str, Any]:
        """Delete the sections that these queries are about, and look whether they are still found."""
        milliseconds, seen = [], []
        for query in [corpus.asked(text) for text in texts]:
            begun = time.perf_counter()
            await self._engine.delete(query.number)
            milliseconds.append((time.perf_counter() - begun) * 1000)
            seen.append(query.number not in await self._engine.ask(query, "hybrid", TOP))
        return {"milliseconds": milliseconds, "seen": seen}

    async def memory(self) -> dict[str, Any]:
        """What this process has in memory."""
        gc.collect()
        return {"bytes": resident(os.getpid())}

    async def close(self) -> None:
        """Let go of the engine."""
        await self._engine.close()


def resident(pid: int) -> int:
    """The bytes of a process that are in memory; what it shares with others is divided among them."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def _read(texts: str, vectors: str, first: int) -> tuple[list[Section], Vectors]:
    read = json.loads(Path(texts).read_text(encoding="utf-8"))
    rows: Vectors = np.load(vectors)
    return [Section(number, text) for number, text in enumerate(read, first)], rows


async def _timed(work: Awaitable[None]) -> dict[str, Any]:
    begun, used = time.perf_counter(), time.process_time()
    await work
    return {"seconds": time.perf_counter() - begun, "cpu": time.process_time() - used}


async def _serve(name: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what an engine prints is not an answer
    begun = time.perf_counter()
    worker = Worker(importlib.import_module(f"benchmarks.engines.{name}").make())
    print(json.dumps({"seconds": time.perf_counter() - begun}), file=answers, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        asked = json.loads(line)
        try:
            told = await getattr(worker, asked.pop("do"))(**asked)
        except Exception as failure:  # noqa: BLE001 - the benchmark is told, and ends
            told = {"failed": f"{type(failure).__name__}: {failure}"}
        print(json.dumps(told), file=answers, flush=True)
    await worker.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))

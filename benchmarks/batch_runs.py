"""One run of a batch in a process of its own: `python -m benchmarks.batch_runs NAME URL NUMBER AT_ONCE FOLDER`.

NAME is `kept` (a batch under a name), `plain` (one that is kept nowhere), or `bare` (`asyncio.gather` and a semaphore
over OpenAI's SDK). `killed` is `kept`, and tells each position on a line of its own as soon as its answer was given.
The last line is one JSON object: seconds on the clock and of CPU, all threads, without imports and connecting.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

ANSWERED = "answered"


def question(number: int) -> str:
    """What is asked at a position."""
    return f"{number}: why does the circuit breaker stay open after the provider has come back?"


async def ours(name: str, number: int, at_once: int, folder: str) -> AsyncIterator[int]:
    """Positions, as their answers are given."""
    from toolkit.jobs.jobs import Jobs  # noqa: PLC0415 - only what is measured
    from toolkit.messages import Json, Reply  # noqa: PLC0415
    from toolkit.toolkit import Toolkit  # noqa: PLC0415

    async with Toolkit.open(f"sqlite:///{Path(folder) / 'toolkit.db'}") as tk:

        async def ask(keywords: Json) -> Reply:
            return await tk.complete(**keywords)

        await tk.complete("Warm up.", model="openai/bench")
        yield -1
        job = None if name == "plain" else "bench"
        position = 0
        requests = [question(n) for n in range(number)]
        async for outcome in Jobs(tk.db, ask).batch(requests, job=job, concurrency=at_once, model="openai/bench"):
            if not isinstance(outcome, Reply):
                raise outcome
            yield position
            position += 1


async def bare(number: int, at_once: int) -> AsyncIterator[int]:
    """What anybody would write in ten minutes; the answers are in order, in memory, and gone with the process."""
    from openai import AsyncOpenAI  # noqa: PLC0415 - only what is measured

    async with AsyncOpenAI() as client:
        hands = asyncio.Semaphore(at_once)

        async def ask(text: str) -> str:
            async with hands:
                said = await client.chat.completions.create(model="bench", messages=[{"role": "user", "content": text}])
            return said.choices[0].message.content or ""

        await ask("Warm up.")
        yield -1
        for position, _ in enumerate(await asyncio.gather(*(ask(question(n)) for n in range(number)))):
            yield position


async def run(name: str, number: int, at_once: int, folder: str) -> None:
    """Run, and tell."""
    given = 0
    wall = cpu = 0.0
    async for position in bare(number, at_once) if name == "bare" else ours(name, number, at_once, folder):
        if position < 0:
            wall, cpu = time.perf_counter(), time.process_time()
            continue
        given += 1
        if name == "killed":
            print(ANSWERED, position, flush=True)
        if given == number:
            seconds = {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    print(json.dumps({"given": given, **seconds}), flush=True)


if __name__ == "__main__":
    os.environ |= {"OPENAI_BASE_URL": sys.argv[2], "OPENAI_API_KEY": "key-of-the-benchmark"}
    asyncio.run(run(sys.argv[1], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]))

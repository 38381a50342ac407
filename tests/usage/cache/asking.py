"""A process of its own that asks the same question many times at once; `python -m tests.usage.cache.asking`.

Arguments: database URL, URL of Redis or `-`, folder, tasks, and `die` if it shall never finish its answer. A model call
is a line in the file `calls` of the folder. It begins when the file `go` is there, and prints what was answered.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from tests.usage.cache.conftest import answer, asked
from toolkit.db import open_database
from toolkit.db.redis import Redis
from toolkit.settings import Settings
from toolkit.usage.cache import ResponseCache

LEASE = 1.0
WITHIN = 60.0


async def _ask(cache: ResponseCache, folder: Path, *, die: bool) -> str:
    async with cache.once(asked("Why?"), ttl=60, within=WITHIN) as flight:
        if flight.found:
            return flight.found.message.text
        with (folder / "calls").open("a") as calls:
            calls.write(f"{os.getpid()}\n")
        await asyncio.sleep(1000 if die else 0.3)
        await flight.keep(answer(f"It was {os.getpid()}."))
        return f"It was {os.getpid()}."


async def main(url: str, redis_url: str, folder: Path, tasks: int, *, die: bool) -> None:
    """Ask, and print all that was answered."""
    db = open_database(Settings(url))
    redis = None if redis_url == "-" else Redis(redis_url)
    cache = ResponseCache(db, max_bytes=1_000_000, redis=redis, lease=LEASE)
    await cache.stats()  # all that has to be opened is open
    (folder / f"ready-{os.getpid()}").touch()
    while not (folder / "go").exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.005)
    said = await asyncio.gather(*(_ask(cache, folder, die=die) for _ in range(tasks)))
    await cache.close()
    await db.close()
    if redis:
        await redis.close()
    sys.stdout.write(json.dumps(said))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), die="die" in sys.argv[5:]))

"""A process that answers and is killed meanwhile: `python -m tests.jobs.killed WORK URL NUMBER`."""

import asyncio
import sys

from toolkit.jobs import batch, lease, store
from toolkit.jobs.jobs import Jobs
from toolkit.messages import Json, Reply
from toolkit.toolkit import Toolkit

CONCURRENCY = 4


def questions(number: int) -> list[str]:
    return [f"question {n}" for n in range(number)]


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(work: str, url: str, number: int) -> None:
    """Tell, line by line, what is acknowledged."""
    async with Toolkit.open(url) as tk:

        async def ask(keywords: Json) -> Reply:
            return await tk.complete(**keywords)

        jobs = Jobs(tk.db, ask, concurrency=CONCURRENCY)
        match work:
            case "batch":
                position = 0
                async for outcome in jobs.batch(questions(number), job="night", concurrency=CONCURRENCY):
                    tell(f"{position} {outcome.text if isinstance(outcome, Reply) else outcome!r}")
                    position += 1
            case "generate":
                for question in questions(number):
                    tell((await jobs.generate(question)).id)
                await asyncio.Event().wait()
            case "resume":
                await jobs.resume()
                while await jobs.list(status="pending") or await jobs.list(status="running"):
                    await jobs.drained()
                    await asyncio.sleep(0.05)
        await jobs.close()
    tell("end")


if __name__ == "__main__":
    store.LEASE = 1.0  # a test does not wait a quarter of a minute for a dead one
    lease.SIGN_OF_LIFE = 0.2
    batch.POLL = 0.05
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))

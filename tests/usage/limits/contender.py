"""A process that asks limits as fast as it can; it prints how many requests were let in.

python -m tests.usage.limits.contender DATABASE REDIS QUESTIONS SETTLE
"""

import asyncio
import sys
from datetime import UTC, datetime

from toolkit.db import open_database
from toolkit.db.redis import Redis
from toolkit.errors import BudgetExceeded, RateLimited
from toolkit.messages import Caller
from toolkit.settings import Settings
from toolkit.usage.limits import Limits, line

_AT = datetime(2026, 3, 1, tzinfo=UTC)


async def main(database: str, redis_url: str, questions: int, settle: str) -> None:
    """Ask on behalf of three users in turn; with `settle`, each request costs 1 instead of the 2 set aside."""
    db = open_database(Settings(database))
    redis = Redis(redis_url) if redis_url else None
    limits = Limits(db, redis=redis)
    vars(line)["moment"] = lambda: _AT  # however long it takes, nothing comes back meanwhile
    await limits.list()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.readline)

    async def two() -> int:
        return 2

    async def ask(number: int) -> int:
        caller = Caller(user=f"user {number % 3}", origin=f"origin {number % 2}")
        try:
            admission = await limits.admit(caller, tokens=1, price=two)
        except (RateLimited, BudgetExceeded):
            return 0
        if settle:
            statements = await limits.settle(admission, tokens=1, nano_usd=1)
            if statements:
                await db.write(*statements, subject=str(number))
        return 1

    several = asyncio.Semaphore(20)

    async def in_turn(number: int) -> int:
        async with several:
            return await ask(number)

    let_in = await asyncio.gather(*(in_turn(number) for number in range(questions)))
    await limits.close()
    await db.close()
    if redis:
        await redis.close()
    sys.stdout.write(f"{sum(let_in)}\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))

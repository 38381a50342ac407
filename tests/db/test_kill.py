"""Processes that share a database, and processes that die in the middle of writing."""

import asyncio
import sys

import pytest

from tests.db.rows import names
from toolkit.db import open_database
from toolkit.settings import Settings

# Writes rows from many tasks for ever, and prints the names of each pair that was acknowledged.
WRITE = """
import asyncio, sys
from tests.db.rows import model
from toolkit.db import Statement, open_database
from toolkit.settings import Settings

async def write(db, worker, most):
    for number in range(most):
        one, two = f"{worker}-{number}-1", f"{worker}-{number}-2"
        await db.write(Statement("SELECT COUNT(*) FROM models"), model(one), model(two))
        sys.stdout.write(f"{one} {two}\\n")
        sys.stdout.flush()

async def main(url, prefix, most):
    db = open_database(Settings(url))
    await asyncio.gather(*(write(db, f"{prefix}{n}", int(most)) for n in range(8)))
    await db.close()

asyncio.run(main(*sys.argv[1:]))
"""

OTHERS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def start(url: str, prefix: str, most: int) -> asyncio.subprocess.Process:
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITE, url, prefix, str(most), stdout=pipe, stderr=pipe
    )


@pytest.mark.parametrize("after", [1, 20, 150])
async def test_what_was_acknowledged_before_a_kill_is_there_and_lists_are_whole(database_url: str, after: int) -> None:
    process = await start(database_url, "w", 1_000_000)
    assert process.stdout
    lines = [await process.stdout.readline() for _ in range(after)]
    process.kill()
    rest, _ = await process.communicate()
    told = b"".join([*lines, rest]).decode()
    acknowledged = told[: told.rindex("\n")].split()  # a last line may be cut off

    db = open_database(Settings(database_url))
    while db.dialect == "postgres" and await db.fetch_all(OTHERS):  # noqa: ASYNC110 - the server ends what was sent
        await asyncio.sleep(0.01)
    kept = set(await names(db))
    await db.close()

    assert len(acknowledged) >= after * 2
    assert set(acknowledged) <= kept
    assert {name[:-1] + "2" for name in kept if name.endswith("-1")} == {name for name in kept if name.endswith("-2")}


async def test_two_processes_that_write_at_once_wait_for_each_other(database_url: str) -> None:
    processes = [await start(database_url, prefix, 20) for prefix in ("a", "b")]
    ended = await asyncio.gather(*(process.communicate() for process in processes))

    assert [error.decode() for _, error in ended] == ["", ""]
    db = open_database(Settings(database_url))
    assert len(await names(db)) == 2 * 8 * 20 * 2
    await db.close()

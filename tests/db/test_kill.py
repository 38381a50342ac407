"""Nothing acknowledged is lost, and nothing is half there, when processes are killed at any moment.

Every process writes lists of several rows from many tasks, and tells when each was acknowledged. The same by hand, in
thousands: `python -m benchmarks.torture`.
"""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.db.killing import DurableServer, Job, Zygote
from tests.db.siege import TOGETHER, besiege, crash_under_load

SEEDS = {"sqlite": range(1, 7), "postgres": range(11, 16)}  # one database each
ROUNDS = 8
KILLS = ROUNDS // 2 * (1 + TOGETHER)  # of processes that write to one database
CRASHES = 12  # of a server


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with Zygote() as forking:
        yield forking


def test_at_least_three_hundred_processes_are_killed() -> None:
    assert sum(map(len, SEEDS.values())) * KILLS >= 300


@pytest.mark.parametrize("seed", SEEDS["sqlite"])
async def test_what_a_file_acknowledged_outlives_every_kill_whole(zygote: Zygote, tmp_path: Path, seed: int) -> None:
    tally = await besiege(zygote, Job("write", f"sqlite:///{tmp_path / 'toolkit.db'}", "", seed), ROUNDS)
    assert tally.complaints == [], f"seed {seed}: {tally}"
    assert tally.kills == KILLS
    assert 0 < tally.early < tally.kills


@pytest.mark.parametrize("seed", SEEDS["postgres"])
async def test_what_a_server_acknowledged_outlives_every_kill_of_a_writer_whole(
    zygote: Zygote, postgres_dsn: str, seed: int
) -> None:
    schema = f"k_{uuid.uuid4().hex}"
    try:
        tally = await besiege(zygote, Job("write", postgres_dsn, "", seed, schema), ROUNDS)
    finally:
        admin = await asyncpg.connect(postgres_dsn)
        await admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        await admin.close()
    assert tally.complaints == [], f"seed {seed}: {tally}"
    assert tally.kills == KILLS
    assert 0 < tally.early < tally.kills


@pytest.mark.usefixtures("postgres_server")  # it knows whether these tests may be left out
async def test_a_server_that_is_killed_again_and_again_keeps_each_list_once_and_no_writer_hears_of_it() -> None:
    server = await asyncio.to_thread(DurableServer)
    try:
        tally = await crash_under_load(server, CRASHES, seed=1)
    finally:
        await asyncio.to_thread(server.remove)
    assert tally.complaints == [], tally
    assert tally.kills == CRASHES

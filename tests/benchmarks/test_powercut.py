import random
import sqlite3
from contextlib import closing
from pathlib import Path

from benchmarks.hot_path import unit
from benchmarks.powercut import Event, Verdict, cuts, judge
from toolkit.db import open_database
from toolkit.settings import Settings


def test_a_cut_keeps_what_was_synced_and_only_some_of_the_rest() -> None:
    events = [Event("write", "a", 0, b"x" * 2048), Event("sync", "a"), Event("write", "a", 0, b"y" * 2048)]
    events.append(Event("acknowledge", offset=7))
    seen = set()
    for left in cuts([*events, Event("sync", "b")], {}, 300, random.Random(1)):
        content = left.get("a")
        if content is None:  # before the first sync nothing is certain
            continue
        assert set(content) <= set(b"xy\0")
        seen.add("y" if set(content) == {ord("y")} else "x" if set(content) == {ord("x")} else "torn")
        if left[""] == b"7":
            assert len(content) == 2048
            assert 0 not in content
    assert seen == {"x", "y", "torn"}


async def test_a_unit_that_was_acknowledged_and_is_gone_counts_as_lost(tmp_path: Path) -> None:
    ruin = tmp_path / "ruin"
    ruin.mkdir()
    db = open_database(Settings(f"sqlite:///{tmp_path / 'power.db'}"))
    await db.open()
    await db.close()
    with closing(sqlite3.connect(tmp_path / "power.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    left = {"power.db": (tmp_path / "power.db").read_bytes()}
    expected = [unit("a"), unit("b")]
    verdict = Verdict("full")
    judge(ruin, {**left, "": b"0"}, expected, verdict)
    assert (verdict.corrupt, verdict.torn, verdict.lossy) == (0, 0, 0)
    judge(ruin, {**left, "": b"2"}, expected, verdict)
    assert (verdict.corrupt, verdict.lossy, verdict.most_lost) == (0, 1, 2)
    judge(ruin, {"power.db": left["power.db"][:5000], "": b"0"}, expected, verdict)
    assert (verdict.cuts, verdict.corrupt) == (3, 1)

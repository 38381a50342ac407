"""What a power cut leaves of a SQLite file: simulated 800 times per durability, against what was acknowledged.

    python -m benchmarks.powercut [--quick] [--json]

A run of groups of units is recorded: each write, sync, truncation and deletion of the database and its log, and each
acknowledgement. Then the power fails at random moments. What was synced is there; each 512-byte sector that was
written since is there, or not, or half of it. The file is opened, checked, and compared with what was acknowledged.

Python's sqlite3 cannot be listened to in this way, so the recording uses apsw, another binding with its own SQLite. It
runs with the pragmas that a connection of the toolkit has, and commits as the toolkit does: what waits together, and
no word to anybody before that. `off` is there to show that the simulation bites.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.hot_path import LEDGER, MESSAGE, TOUCH, Unit, furnish, in_sqlite, unit
from toolkit.db import open_database
from toolkit.db.sqlite.connect import connect
from toolkit.settings import Settings

CUTS, QUICK_CUTS = 800, 40
GROUPS, QUICK_GROUPS = 600, 150
SECTOR = 512
LEVELS = ("full", "normal", "off")
SEED = 20
TAKEN_OVER = ("journal_mode", "foreign_keys", "journal_size_limit", "wal_autocheckpoint", "page_size", "cache_size")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a file, or an acknowledgement.

    Attributes:
        what: `write`, `sync`, `truncate`, `delete` or `acknowledge`.
        file: its path; empty for an acknowledgement.
        offset: where it was written, the new size of a truncated file, or how many units are acknowledged by now.
        data: what was written.
    """

    what: str
    file: str = ""
    offset: int = 0
    data: bytes = b""


@dataclass
class Disk:
    """A file as it certainly is, and what was done to it since the last sync."""

    kept: bytearray = field(default_factory=bytearray)
    unsynced: list[Event] = field(default_factory=list)


@dataclass
class Verdict:
    """What the cuts did.

    Attributes:
        corrupt: cuts after which the file was damaged.
        torn: cuts after which a unit was there in part.
        lossy: cuts after which an acknowledged unit was missing.
        most_lost: acknowledged units that were missing after the worst of them.
    """

    synchronous: str
    cuts: int = 0
    corrupt: int = 0
    torn: int = 0
    lossy: int = 0
    most_lost: int = 0
    syncs: int = 0
    groups: int = 0


def record(file: Path, synchronous: str, groups: list[list[Unit]]) -> list[Event]:
    """Keep `groups` in the database `file`, a commit for each, and give all that happened."""
    import apsw  # noqa: PLC0415 - it may be missing, and `main` then says so

    events: list[Event] = []
    recorder = _recorder(events)
    with closing(apsw.Connection(str(file), vfs="toolkit-recorder")) as connection:
        for name, value in _pragmas(file).items():
            connection.execute(f"PRAGMA {name} = {value}")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        acknowledged = 0
        for group in groups:
            connection.execute("BEGIN IMMEDIATE")
            for one in group:
                for sql, values in zip((LEDGER, TOUCH, MESSAGE, MESSAGE), one.values(), strict=True):
                    connection.execute(sql, {name: in_sqlite(value) for name, value in values.items()}).fetchall()
            connection.execute("COMMIT")
            acknowledged += len(group)
            events.append(Event("acknowledge", offset=acknowledged))
        recorded = list(events)  # closing copies the whole log, which is not what a power cut does
    recorder.unregister()
    return recorded


def _recorder(events: list[Event]) -> Any:
    """The disk as SQLite sees it, which notes in `events` what is done to it."""
    import apsw  # noqa: PLC0415 - as above

    class Recorder(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("toolkit-recorder", "")

        def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802 - SQLite's name
            return Recorded(name, flags)

        def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802 - SQLite's name
            events.append(Event("delete", name))
            super().xDelete(name, sync)

    class Recorded(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            self.path = name.filename() if isinstance(name, apsw.URIFilename) else str(name)
            super().__init__("", name, flags)

        def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's name
            events.append(Event("write", self.path, offset, bytes(data)))
            super().xWrite(data, offset)

        def xTruncate(self, size: int) -> None:  # noqa: N802 - SQLite's name
            events.append(Event("truncate", self.path, size))
            super().xTruncate(size)

        def xSync(self, flags: int) -> None:  # noqa: N802 - SQLite's name
            super().xSync(flags)
            events.append(Event("sync", self.path))

    return Recorder()


def _pragmas(file: Path) -> dict[str, Any]:
    """Of a connection of the toolkit."""
    connection = connect(file, 10.0)
    try:
        return {name: connection.execute(f"PRAGMA {name}").fetchone()[0] for name in TAKEN_OVER}
    finally:
        connection.close()


def cuts(events: list[Event], disks: dict[str, Disk], count: int, chance: random.Random) -> Iterator[dict[str, bytes]]:
    """What the files hold after each of `count` power cuts, each at another moment of `events`."""
    moments = sorted(chance.randrange(1, len(events)) for _ in range(count))
    done = 0
    for moment in moments:
        for event in events[done:moment]:
            _apply(disks, event)
        done = moment
        left = {}
        for file, disk in disks.items():
            content = _after_cut(disk, chance)
            if content is not None:
                left[file] = content
        yield left | {"": str(_acknowledged(events[:moment])).encode()}


def _acknowledged(events: list[Event]) -> int:
    return next((event.offset for event in reversed(events) if event.what == "acknowledge"), 0)


def _apply(disks: dict[str, Disk], event: Event) -> None:
    if event.what == "acknowledge":
        return
    disk = disks.setdefault(event.file, Disk())
    disk.unsynced.append(event)
    if event.what == "sync":
        for done in disk.unsynced:
            _change(disk.kept, done)
        disk.unsynced.clear()


def _change(content: bytearray, event: Event) -> None:
    match event.what:
        case "write":
            _put(content, event.offset, event.data)
        case "truncate":
            del content[event.offset :]
        case "delete":
            content.clear()


def _put(content: bytearray, offset: int, data: bytes) -> None:
    if len(content) < offset:
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(data)] = data


def _after_cut(disk: Disk, chance: random.Random) -> bytes | None:
    """The file, with a random part of what was not synced; None if it is empty, as one that was never kept."""
    content = bytearray(disk.kept)
    for event in disk.unsynced:
        if event.what != "write":
            if chance.random() < 0.5:
                _change(content, event)
            continue
        begin = event.offset
        end = begin + len(event.data)
        while begin < end:
            stop = min(end, (begin // SECTOR + 1) * SECTOR)
            piece = event.data[begin - event.offset : stop - event.offset]
            fate = chance.random()
            if fate < 0.4:
                _put(content, begin, piece)
            elif fate < 0.6:
                _put(content, begin, piece[: chance.randrange(len(piece))])
            begin = stop
    return bytes(content) or None


def judge(folder: Path, left: dict[str, bytes], expected: list[Unit], verdict: Verdict) -> None:
    """Open what a cut has left, and note what is wrong with it."""
    acknowledged = int(left.pop(""))
    for old in folder.iterdir():
        old.unlink()
    for file, content in left.items():
        (folder / Path(file).name).write_bytes(content)
    verdict.cuts += 1
    try:
        with closing(sqlite3.connect(folder / "power.db")) as connection:
            sound = connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            kept = {row[0] for row in connection.execute("SELECT call_id FROM calls")}
            said = dict(connection.execute("SELECT call_id, COUNT(*) FROM messages GROUP BY call_id").fetchall())
    except sqlite3.DatabaseError:
        verdict.corrupt += 1
        return
    verdict.corrupt += not sound
    calls = [one.ledger["call_id"] for one in expected]
    verdict.torn += any(said.get(call_id, 0) != 2 * (call_id in kept) for call_id in calls)
    lost = sum(call_id not in kept for call_id in calls[:acknowledged])
    verdict.lossy += lost > 0
    verdict.most_lost = max(verdict.most_lost, lost)


def simulate(folder: Path, synchronous: str, count: int, groups: int) -> Verdict:
    """Record one run, and cut its power `count` times."""
    chance = random.Random(SEED)
    work, ruin = folder / synchronous, folder / f"{synchronous}-cut"
    work.mkdir()
    ruin.mkdir()
    file = work / "power.db"
    ids = asyncio.run(_furnish(file))
    todo = [[unit(chance.choice(ids)) for _ in range(chance.randint(1, 8))] for _ in range(groups)]
    disks = {str(file): Disk(bytearray(file.read_bytes()))}
    events = record(file, synchronous, todo)
    verdict = Verdict(synchronous, groups=groups, syncs=sum(event.what == "sync" for event in events))
    expected = [one for group in todo for one in group]
    for left in cuts(events, disks, count, chance):
        judge(ruin, left, expected, verdict)
    return verdict


async def _furnish(file: Path) -> list[str]:
    db = open_database(Settings(f"sqlite:///{file}"))
    ids = await furnish(db, 64, 2)
    await db.close()
    return ids


def main() -> None:
    """Simulate, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.powercut", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_CUTS} cuts instead of {CUTS}")
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    options = parser.parse_args()
    count, groups = (QUICK_CUTS, QUICK_GROUPS) if options.quick else (CUTS, GROUPS)
    with tempfile.TemporaryDirectory() as name:
        try:
            verdicts = [simulate(Path(os.path.realpath(name)), level, count, groups) for level in LEVELS]
        except ModuleNotFoundError as error:
            parser.exit(1, f"missing: the package {error.name}; pip install 'toolkit-mcp[bench]'\n")
    print(f"{count} simulated power cuts in {groups} group commits of 1 to 8 units, seed {SEED}")
    print(
        f"{'synchronous':14}{'syncs':>8}{'damaged':>10}{'unit in part':>14}"
        f"{'acknowledged lost':>20}{'most units lost':>18}"
    )
    for v in verdicts:
        print(f"{v.synchronous:14}{v.syncs:8}{v.corrupt:10}{v.torn:14}{v.lossy:20}{v.most_lost:18}")
    if options.json:
        print(json.dumps({"benchmark": "powercut", "seed": SEED, "results": [asdict(v) for v in verdicts]}))


if __name__ == "__main__":
    main()

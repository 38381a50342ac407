"""One contestant's process, as the benchmark sees it: `benchmarks.contestants.worker` is its other end."""

import json
import subprocess
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from benchmarks.contestants.worker import Answer, Limits, Load, Member
from benchmarks.peers import ROOT, Peer

_QUIET = {"LITELLM_LOG": "ERROR", "PYTHONWARNINGS": "ignore", "PYTHONPATH": str(ROOT)}


class Contest:
    """A contestant's process, from `with` to its end.

    Args:
        peer: who.
        environ: of the process, beside what contestants need.
    """

    def __init__(self, peer: Peer, environ: dict[str, str]) -> None:
        self.peer = peer
        self._process = subprocess.Popen(
            [str(peer.python), "-m", f"benchmarks.contestants.{peer.module}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={**environ, **_QUIET},
        )

    def connect(self, chain: Sequence[Member], limits: Limits, folder: str) -> None:
        """Begin anew with this chain: nothing is remembered of the one before."""
        self._seconds = limits["total"]  # not every client has a limit for everything
        self._do("connect", chain=list(chain), limits=limits, folder=folder)

    def ask(self, *, stream: bool) -> Answer:
        """One question."""
        return Answer(**self._do("ask", stream=stream, seconds=self._seconds))

    def load(self, *, stream: bool, calls: int, at_once: int) -> Load:
        """Many questions."""
        return Load(**self._do("load", stream=stream, calls=calls, at_once=at_once))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()

    def _do(self, what: str, **asked: Any) -> dict[str, Any]:
        if not self._process.stdin or not self._process.stdout:
            raise RuntimeError("The process has no pipes.")
        self._process.stdin.write(json.dumps({"do": what, **asked}) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"{self.peer.name} ended; run `{self.peer.python} -m benchmarks.contestants."
                f"{self.peer.module}` to see why."
            )
        told: dict[str, Any] = json.loads(line)
        if "failed" in told:
            raise RuntimeError(f"{self.peer.name} failed: {told['failed']}")
        return told

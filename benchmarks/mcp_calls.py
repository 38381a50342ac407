"""What a call costs through the SDK's own client: the servers of `benchmarks.mcp`, held open and called in turns."""

import asyncio
import os
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcp import Client, StdioServerParameters
from mcp.client.stdio import get_default_environment

from benchmarks.peers import ROOT

CALLS, AT_ONCE = 25, 32  # short turns: whatever else the machine does then meets everybody
ERAS = {"2025-11-25": "legacy", "2026-07-28": "auto"}
TRANSPORTS = ("stdio", "http")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Contestant:
    """A server that is compared.

    Attributes:
        name: how the tables call it.
        python: its interpreter.
        stdio: what that is given for standard input and output.
        http: and for HTTP.
    """

    name: str
    python: str
    stdio: Sequence[str]
    http: Sequence[str]

    def command(self, transport: str) -> list[str]:
        """How it is started."""
        return [self.python, *(self.stdio if transport == "stdio" else self.http)]


@dataclass(frozen=True, slots=True)
class Round:
    """One server in one round.

    Attributes:
        alone: milliseconds of a call, one after the other.
        many: milliseconds of a call among 32 at once: the time of all by their number.
        cpu: milliseconds of processor time that the server took for a call, over both; only sums of rounds are exact,
            for the system counts in hundredths of a second.
    """

    alone: float
    many: float
    cpu: float


@dataclass(slots=True)
class Connected:
    """A server with a client that has shaken hands."""

    name: str
    client: Client
    pid: int
    rounds: list[Round] = field(default_factory=list)


async def compare(contestants: Sequence[Contestant], transport: str, era: str, rounds: int) -> dict[str, list[Round]]:
    """The rounds of each contestant; in each, everybody has a turn, and the one before the first warms everybody."""
    async with AsyncExitStack() as stack:
        held = [await stack.enter_async_context(_connected(each, transport, era)) for each in contestants]
        for number in range(rounds + 1):
            for each in held[:: 1 if number % 2 else -1]:
                taken = await _round(each)
                if number:
                    each.rounds.append(taken)
        return {each.name: each.rounds for each in held}


async def _round(server: Connected) -> Round:
    before = processor_seconds(server.pid)
    begun = time.perf_counter()
    for number in range(CALLS):
        await _call(server.client, number)
    alone = time.perf_counter() - begun
    begun = time.perf_counter()
    await asyncio.gather(*(_call(server.client, number) for number in range(AT_ONCE)))
    many = time.perf_counter() - begun
    used = processor_seconds(server.pid) - before
    return Round(alone * 1000 / CALLS, many * 1000 / AT_ONCE, used * 1000 / (CALLS + AT_ONCE))


async def _call(client: Client, number: int) -> None:
    result = await client.call_tool("add", {"a": number, "b": 1})
    if result.structured_content != {"sum": number + 1}:
        raise RuntimeError(f"The sum of {number} and 1 was answered by {result}.")


@asynccontextmanager
async def _connected(contestant: Contestant, transport: str, era: str) -> AsyncIterator[Connected]:
    command = contestant.command(transport)
    if transport == "stdio":
        environ = {**get_default_environment(), "PYTHONPATH": str(ROOT)}
        before = _children()
        async with Client(
            StdioServerParameters(command=command[0], args=command[1:], env=environ), mode=ERAS[era]
        ) as client:
            [pid] = _children() - before
            yield Connected(contestant.name, client, pid)
        return
    with subprocess.Popen(  # noqa: ASYNC220 - once, before anything is measured
        command, stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        try:
            if not process.stderr:
                raise RuntimeError("The server has no pipes.")
            said = process.stderr.readline()
            if "Serving MCP at " not in said:
                raise RuntimeError(f"{contestant.name} did not start: {said}{process.stderr.read()}")
            async with Client(said.split()[-1], mode=ERAS[era]) as client:
                yield Connected(contestant.name, client, process.pid)
        finally:
            process.kill()


def processor_seconds(pid: int) -> float:
    """Seconds of processor time that all threads of a process have used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICK


def _children() -> set[int]:
    told = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text(encoding="utf-8")
    return {int(word) for word in told.split()}

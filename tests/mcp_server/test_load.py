"""Many hosts at once that call, fail, err and cancel: nobody loses an answer, and the ledger has each call once.

`TOOLKIT_LOAD_SECONDS` is how long; a minute is a thorough test.
"""

import asyncio
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters

from tests.mcp_server.serving import ERAS, MISBEHAVING, over_http, says, stdio, text_of
from toolkit.toolkit import Toolkit

SECONDS = float(os.environ.get("TOOLKIT_LOAD_SECONDS", "10"))
OVER_HTTP, OVER_STDIO = 28, 4
WARM, GROWTH = 400, 1.2
"""After so many calls everything is loaded; from then on memory may grow so much, and not with each call."""

Made = Counter[tuple[str, str]]  # calls by tool and by what the ledger must say of them


class Hosts:
    """Hosts that all do the same at the same time, each in an order of its own.

    Args:
        folder: for their marks.
        until: when they stop, by the clock of the loop.
    """

    def __init__(self, folder: Path, until: float) -> None:
        self.made: Made = Counter()
        self._folder = folder
        self._until = until
        self._numbers = count()

    async def work(self, server: str | StdioServerParameters, era: str, seed: int) -> None:
        """One host, from its first call to its last."""
        chance = random.Random(seed)
        doing: list[Callable[[Client], Awaitable[None]]] = [self._add, self._fail, self._err, self._count]
        loop = asyncio.get_running_loop()
        async with Client(server, mode=ERAS[era], read_timeout_seconds=60) as client:
            while loop.time() < self._until:
                some = [chance.choice(doing) for _ in range(chance.randint(1, 6))]
                await asyncio.gather(*(each(client) for each in some), self._give_up(client))

    async def have_made(self, calls: int, *, of: int) -> int:
        """The memory of process `of` when they have made so many calls, or when they stop."""
        loop = asyncio.get_running_loop()
        while self.made.total() < calls and loop.time() < self._until:  # noqa: ASYNC110 - any of them may be the one
            await asyncio.sleep(0.1)
        return _memory(of)

    async def _add(self, client: Client) -> None:
        number = next(self._numbers)
        result = await client.call_tool("add", {"a": number, "b": 1})
        assert result.structured_content == {"sum": number + 1, "carry": None}
        self.made["add", "ok"] += 1

    async def _fail(self, client: Client) -> None:
        result = await client.call_tool("fail", {})
        assert text_of(result).startswith("The moon is in the way")
        self.made["fail", "error"] += 1

    async def _err(self, client: Client) -> None:
        result = await client.call_tool("add", {"a": "many"})
        assert result.is_error
        self.made["add", "refused"] += 1

    async def _count(self, client: Client) -> None:
        to, heard = 1 + next(self._numbers) % 5, []

        async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's
            heard.append(progress)

        result = await client.call_tool("count", {"to": to}, progress_callback=hear)
        assert text_of(result).startswith(f"counted to {to} ")
        assert set(range(1, to + 1)) <= set(heard)
        self.made["count", "ok"] += 1

    async def _give_up(self, client: Client) -> None:
        marks = self._folder / str(next(self._numbers))
        call = asyncio.create_task(client.call_tool("wait", {"marks": str(marks)}))
        await says(marks, "begun")
        call.cancel()
        await asyncio.wait([call])
        await says(marks, "cancelled")
        marks.unlink()
        self.made["wait", "cancelled"] += 1


@pytest.mark.timeout(120 + 3 * SECONDS)
async def test_hosts_at_once_lose_no_answer_and_the_ledger_has_every_call_once(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'toolkit.db'}"
    with over_http(database, command=MISBEHAVING) as (process, url):
        loop = asyncio.get_running_loop()
        hosts = Hosts(tmp_path, loop.time() + SECONDS)
        servers = [f"{url}/mcp"] * OVER_HTTP + [stdio(database, command=MISBEHAVING)] * OVER_STDIO
        eras = [list(ERAS)[number % 2] for number in range(len(servers))]
        async with asyncio.TaskGroup() as working:
            for seed, (server, era) in enumerate(zip(servers, eras, strict=True)):
                working.create_task(hosts.work(server, era, seed))
            warm = await hosts.have_made(WARM, of=process.pid)
        whole = _memory(process.pid)
        log = _ended(process)
    assert "Traceback" not in log, log[-2000:]
    assert len(hosts.made) == 5
    assert whole <= warm * GROWTH
    async with Toolkit.open(database) as tk:
        kept = await tk.usage.tool_calls(limit=hosts.made.total() + 100)
    assert Counter((each.tool, each.status) for each in kept) == hosts.made


def _memory(process: int) -> int:
    """Bytes that a process has in memory, as far as the system tells: 0 where it does not."""
    try:
        return int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _ended(process: subprocess.Popen[str]) -> str:
    """The log of a server that is told to end."""
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 0, log
    return log

"""The real command as a process of its own, and the SDK's real client."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import IO, Any

from mcp import Client, StdioServerParameters
from mcp.client.stdio import get_default_environment
from mcp.types import CallToolResult, TextContent

PLAIN = [sys.executable, "-m", "mcp_server"]
MISBEHAVING = [sys.executable, str(Path(__file__).with_name("misbehaving.py"))]
ERAS = {"2025-11-25": "legacy", "2026-07-28": "auto"}


def stdio(
    database: str, *args: str, command: list[str] = PLAIN, env: dict[str, str] | None = None
) -> StdioServerParameters:
    """How to start the command for one client; it inherits no key and no setting from this process."""
    return StdioServerParameters(command=command[0], args=[*command[1:], "--db", database, *args], env=env)


@contextmanager
def over_http(
    database: str, *args: str, command: list[str] = PLAIN, env: Mapping[str, str] | None = None
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command serving HTTP at a free port: its process, and its address."""
    with subprocess.Popen(
        [*command, "--db", database, "--http", "127.0.0.1:0", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**get_default_environment(), **(env or {})},
    ) as process:
        assert process.stderr
        try:
            said = process.stderr.readline()
            assert said.startswith("Serving MCP at http://127.0.0.1:"), said + process.stderr.read()
            yield process, said.split()[-1].removesuffix("/mcp")
        finally:
            process.kill()


@asynccontextmanager
async def held(client: Client) -> AsyncIterator[Client]:
    """`client`, entered and left by one task, as it must be; fixtures are set up and torn down by two."""
    entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    enough = asyncio.Event()

    async def hold() -> None:
        try:
            async with client:
                entered.set_result(None)
                await enough.wait()
        except BaseException as error:
            if not entered.done():
                entered.set_exception(error)
            raise

    task = asyncio.create_task(hold())
    await entered
    yield client
    enough.set()
    await task


HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}


class Pipe:
    """A client that writes and reads lines, and knows its server's process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.stdin, self.stdout = _open(process.stdin), _open(process.stdout)

    def send(self, **message: Any) -> None:
        """Write one message."""
        self.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.stdin.flush()

    def ask(self, number: int, method: str, **params: Any) -> dict[str, Any]:
        """The answer to one request."""
        self.send(id=number, method=method, params=params)
        answer: dict[str, Any] = json.loads(self.stdout.readline())
        assert answer["id"] == number
        return answer

    def end(self) -> tuple[int, str, str]:
        """The exit code, the rest of the output, and the log."""
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


@contextmanager
def piped(
    database: str, *args: str, command: list[str] = PLAIN, env: Mapping[str, str] | None = None
) -> Iterator[Pipe]:
    """The command as a process, shaken hands with."""
    with subprocess.Popen(
        [*command, "--db", database, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**get_default_environment(), **(env or {})},
    ) as process:
        try:
            pipe = Pipe(process)
            pipe.ask(1, "initialize", **HELLO)
            pipe.send(method="notifications/initialized")
            yield pipe
        finally:
            process.kill()


def text_of(result: CallToolResult) -> str:
    """What a model reads of `result`."""
    [content] = result.content
    assert isinstance(content, TextContent)
    return content.text


async def says(path: Path, word: str) -> None:
    """Wait until the file `path` says `word`."""
    async with asyncio.timeout(20):
        while not _has(path, word):  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)


def _has(path: Path, word: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == word

"""The real command as a process of its own, and the SDK's real client."""

import asyncio
import json
import re
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
MISBEHAVING = [sys.executable, "-m", "tests.mcp_server.misbehaving"]
FOLDER = Path(__file__).parent  # a working directory without an `.env`
ERAS = {"2025-11-25": "legacy", "2026-07-28": "auto"}


def environment(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """This checkout, `env`, and no key or setting of this process."""
    return {**get_default_environment(), "PYTHONPATH": str(FOLDER.parent.parent), **(env or {})}


def stdio(
    database: str, *args: str, command: list[str] = PLAIN, env: Mapping[str, str] | None = None
) -> StdioServerParameters:
    """How the SDK's client starts the command."""
    return StdioServerParameters(
        command=command[0], args=[*command[1:], "--db", database, *args], env=environment(env), cwd=FOLDER
    )


@contextmanager
def over_http(
    database: str,
    *args: str,
    command: list[str] = PLAIN,
    env: Mapping[str, str] | None = None,
    address: str = "127.0.0.1:0",
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command serving HTTP at a free port: its process, and its address."""
    with subprocess.Popen(
        [*command, "--db", database, "--http", address, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(env),
        cwd=FOLDER,
    ) as process:
        assert process.stderr
        try:
            said = process.stderr.readline()
            found = re.search(r"Serving MCP at (http://\S+)/mcp\b", said)
            assert found, said + process.stderr.read()
            yield process, found[1]
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

    def tell(self, number: int) -> tuple[int, str, str]:
        """Send a signal; gives what `end` gives. The input stays open until the process has ended by itself."""
        self.process.send_signal(number)
        self.process.wait(timeout=20)
        return self.end()

    def end(self) -> tuple[int, str, str]:
        """End the input; gives the exit code, the rest of the output, and the log."""
        out, err = self.process.communicate(timeout=20)
        return self.process.returncode, out, err


def _open(stream: IO[str] | None) -> IO[str]:
    assert stream
    return stream


@contextmanager
def started(
    database: str, *args: str, command: list[str] = PLAIN, env: Mapping[str, str] | None = None
) -> Iterator[Pipe]:
    """The command as a process that nobody has said anything to."""
    with subprocess.Popen(
        [*command, "--db", database, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(env),
        cwd=FOLDER,
    ) as process:
        try:
            yield Pipe(process)
        finally:
            process.kill()


@contextmanager
def piped(
    database: str, *args: str, command: list[str] = PLAIN, env: Mapping[str, str] | None = None
) -> Iterator[Pipe]:
    """The command as a process, shaken hands with."""
    with started(database, *args, command=command, env=env) as pipe:
        pipe.ask(1, "initialize", **HELLO)
        pipe.send(method="notifications/initialized")
        yield pipe


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

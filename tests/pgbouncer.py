"""A real pgbouncer for the tests, in the mode that breaks most: each transaction may meet another connection.

Where it comes from: the PATH, else Debian's package, unpacked beside this virtual environment when it is set up
(`python -m tests.pgbouncer`). On other systems, and without a network, there is none and its tests are skipped.
"""

import functools
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.parse import urlsplit

from tests.postgres import _free_port, _new_folder, _unprivileged, start_program

FOLDER = Path(sys.prefix) / "pgbouncer"
PATIENCE = 300  # seconds for one command of the package manager
SBIN = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"])


class NoPgbouncer(Exception):
    """There is no pgbouncer to test with; says why."""


class PgBouncer:
    """A pgbouncer in transaction mode on a free port of 127.0.0.1; it ends when it is stopped, or with this process.

    Args:
        dsn: the database behind it, and as whom.
        size: connections to the server at most; more clients than that take turns.
    """

    def __init__(self, dsn: str, *, size: int = 4) -> None:
        self._server = urlsplit(dsn)
        self._owner = _unprivileged()
        self._folder = _new_folder(None)
        self._process: subprocess.Popen[bytes] | None = None
        self.port = _free_port()
        try:
            self._program = _reachable(self._folder)
            self._settle(size)
            self._launch()
        except BaseException:
            self.remove()
            raise

    @property
    def dsn(self) -> str:
        """Address of the same database by way of it."""
        place = f"{self._server.username}:{self._server.password}@127.0.0.1:{self.port}"
        return self._server._replace(netloc=place).geturl()

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self._stop()
        self._launch()

    def remove(self) -> None:
        """Stop it and delete what it kept."""
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait(30)

    def _settle(self, size: int) -> None:
        server = self._server
        users = self._folder / "users"
        users.write_text(f'"{server.username}" "{server.password}"\n')
        settings = self._folder / "pgbouncer.ini"
        settings.write_text(
            "[databases]\n"
            f"* = host={server.hostname} port={server.port or 5432}\n"
            "[pgbouncer]\n"
            "pool_mode = transaction\n"
            f"default_pool_size = {size}\n"
            "max_client_conn = 200\n"
            "listen_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\n"
            "unix_socket_dir =\n"
            "auth_type = plain\n"
            f"auth_file = {users}\n"
        )
        if self._owner:
            self._folder.chmod(0o755)
            for file in (users, settings):
                os.chown(file, self._owner["user"], self._owner["group"])

    def _launch(self) -> None:
        command = [self._program, self._folder / "pgbouncer.ini"]
        self._process = start_program(command, self._folder / "log", self._owner, _environment(self._program))
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        process, deadline = self._process, time.monotonic() + 30
        while process and process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)
        raise NoPgbouncer("pgbouncer did not start: " + (self._folder / "log").read_text()[-2000:])


@functools.cache
def version() -> tuple[int, ...]:
    """Of the pgbouncer that there is, e.g. `(1, 18, 0)`; from 1.21 on it can keep prepared statements.

    Raises:
        NoPgbouncer: there is none.
    """
    return _version(_program())


def bring(folder: Path) -> None:
    """Unpack Debian's pgbouncer and the libraries that this machine does not have into `folder`.

    Raises:
        NoPgbouncer: this machine has no such packages.
    """
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise NoPgbouncer("this is not Debian; install pgbouncer yourself")
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="pgbouncer-", dir=folder.parent) as scratch:
        made = Path(scratch) / "made"
        _unpack("pgbouncer", made)
        needed = _run("dpkg-deb", "--field", *made.parent.glob("pgbouncer_*.deb"), "Depends")
        for alternatives in needed.split(","):
            names = [name.split()[0] for name in alternatives.split("|")]
            if names[0].startswith("lib") and not any(map(_is_installed, names)):
                _unpack(names[0], made)
        _version(made / "usr" / "sbin" / "pgbouncer")
        made.rename(folder)


def main() -> None:
    """Bring it if there is none; say in one line whether its tests will run."""
    try:
        try:
            found = _version(_program())
        except NoPgbouncer:
            bring(FOLDER)
            found = _version(_program())
        print(f"The tests with pgbouncer use {_program()}, version {'.'.join(map(str, found))}.")  # noqa: T201 - set-up
    except (NoPgbouncer, OSError, subprocess.SubprocessError) as error:
        print(f"The tests with pgbouncer will be skipped: {' '.join(str(error).split())[-300:]}.")  # noqa: T201 - set-up


def _program() -> Path:
    brought = FOLDER / "usr" / "sbin" / "pgbouncer"
    if found := shutil.which("pgbouncer", path=SBIN) or shutil.which(brought):
        return Path(found)
    raise NoPgbouncer("There is no pgbouncer to test with; install it, and run: python -m tests.pgbouncer.")


def _version(program: Path) -> tuple[int, ...]:
    said = _run(program, "--version", env=_environment(program))
    match = re.search(r"PgBouncer (\d+(?:\.\d+)+)", said)
    if not match:
        raise NoPgbouncer(f"pgbouncer says {said!r}")
    return tuple(int(part) for part in match[1].split("."))


def _environment(program: Path) -> dict[str, str] | None:
    """With the libraries that were brought beside the program; None: as it is."""
    root = program.parent.parent.parent
    if root == Path("/"):
        return None
    folders = sorted({str(file.parent) for file in root.glob("usr/lib/**/*.so.*")})
    return os.environ | {"LD_LIBRARY_PATH": os.pathsep.join(folders)}


def _reachable(folder: Path) -> Path:
    """The program, or a copy of what was brought where `nobody` may go; a venv may lie in a private home."""
    program = _program()
    if not program.is_relative_to(FOLDER) or all(parent.stat().st_mode & 0o001 for parent in program.parents):
        return program
    copy = folder / "program"
    shutil.copytree(FOLDER, copy, symlinks=True)
    return copy / program.relative_to(FOLDER)


def _unpack(package: str, folder: Path) -> None:
    """Download the package beside `folder` and unpack it into that."""
    beside = folder.parent
    try:
        _run("apt-get", "download", package, cwd=beside)
    except NoPgbouncer:
        if os.geteuid() != 0:
            raise
        _run("apt-get", "update")  # a new machine has no list of packages, or an old one
        _run("apt-get", "download", package, cwd=beside)
    for file in beside.glob(f"{package}_*.deb"):
        _run("dpkg-deb", "--extract", file, folder)


def _is_installed(package: str) -> bool:
    try:
        return _run("dpkg-query", "--show", "--showformat=${Status}", package) == "install ok installed"
    except NoPgbouncer:  # it has never heard of it
        return False


def _run(*command: str | Path, cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd, env=env, timeout=PATIENCE)
    if done.returncode:
        raise NoPgbouncer(f"{Path(command[0]).name} failed: {done.stderr or done.stdout}")
    return done.stdout


if __name__ == "__main__":
    main()

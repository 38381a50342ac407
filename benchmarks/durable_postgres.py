"""A Postgres server of the benchmarks' own: on the real disk, with fsync and everything else as Postgres ships it."""

import shutil
import subprocess
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.postgres import NoPostgres, PostgresServer, _die_with_us, _free_port

__all__ = ["DurablePostgres", "NoPostgres"]


class DurablePostgres(PostgresServer):
    """A server whose acknowledged transactions survive a power cut; the tests' own server would not even try.

    Args:
        folder: where its data goes, on the disk that is to be measured.
        options: settings that differ from Postgres's own.
    """

    def __init__(self, folder: Path, **options: str) -> None:
        self._parent = folder
        self._options = options
        super().__init__()

    def _init(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)  # it may be in memory
        self._folder = Path(tempfile.mkdtemp(prefix="toolkit-bench-postgres-", dir=self._parent))
        self._data = self._folder / "data"
        super()._init()

    def _start(self, port: int | None = None) -> int:
        port = port or _free_port()
        options: dict[str, str | int] = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "timezone": "UTC",
            "dynamic_shared_memory_type": "mmap",
            **self._options,
        }
        command: list[str | Path] = [self._bin / "postgres", "-D", self._data]
        command += [f"--{key}={value}" for key, value in options.items()]
        with (self._folder / "log").open("ab") as log, warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                preexec_fn=_die_with_us,  # noqa: PLW1509 - it makes one system call and touches no lock
                **self._owner,
            )
        self._wait_until_ready()
        return port

    def pid(self) -> int:
        """Of the server's first process."""
        if self._process is None:
            raise NoPostgres("postgres was not started.")
        return self._process.pid

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self.remove()

"""Who holds the write lock of a SQLite file, as far as the system tells: Linux does.

The files themselves are never opened here. POSIX drops all locks that a process has on a file as soon as the process
closes any descriptor of it, SQLite's own included: looking would cost the database its locks. A look at the file's
number (`stat`) opens nothing.
"""

import os
from dataclasses import dataclass
from pathlib import Path

_LOCKS = Path("/proc/locks")
_SHM_WRITE = 120  # the byte of the -shm file that a writer locks, where there is a write-ahead log
_RESERVED = 0x40000001  # the byte of the database itself that a writer locks, where there is none


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lock.

    Attributes:
        pid: its number.
        program: what it is called, without arguments: these may hold secrets.
        ours: whether it is this process.
    """

    pid: int
    program: str
    ours: bool


def who_writes(path: Path) -> Holder | None:
    """The process that holds the write lock of the database `path`; None where that cannot be known."""
    places = {_number(path.with_name(path.name + "-shm")): _SHM_WRITE, _number(path): _RESERVED}
    try:
        locks = _LOCKS.read_text(encoding="ascii", errors="replace")
    except OSError:  # another system, or one that keeps this to itself
        return None
    for line in locks.splitlines():
        # 7: POSIX  ADVISORY  WRITE 4711 fe:00:1311042 120 120       (a second field "->" is somebody who waits)
        match line.split():
            case [_, "POSIX", _, "WRITE", pid, inode, first, last]:
                byte = places.get(inode)
                if byte is not None and int(first) <= byte and (last == "EOF" or byte <= int(last)) and int(pid) > 0:
                    return Holder(int(pid), _program(int(pid)), int(pid) == os.getpid())
    return None


def _number(path: Path) -> str:
    """Device and inode as the table of locks writes them; something that is not in it where there is no such file."""
    try:
        status = path.stat()
    except OSError:
        return f"no {path}"
    return f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"


def _program(pid: int) -> str:
    try:
        return name_of(Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0"))
    except OSError:  # it has ended, or it is another user's and the system hides that
        return "(unknown)"


def name_of(words: list[str]) -> str:
    """The program of a command line, and for Python that of the script or module; nothing of what they are told."""
    name = Path(words[0]).name or "(unknown)"
    match words[1:]:
        case ["-m", module, *_] if name.startswith("python"):
            return f"{name} -m {module}"
        case [script, *_] if name.startswith("python") and script and not script.startswith("-"):
            return f"{name} {Path(script).name}"
        case _:
            return name

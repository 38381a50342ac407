"""A child process that runs functions for its parent: one at a time, within a limit of memory and of processor time.

It ends when its parent does, whatever it is busy with; an interrupt from the keyboard is its parent's affair.
"""

import contextlib
import os
import pickle
import queue
import signal
import struct
import sys
import threading
from typing import IO, Any

LENGTH = struct.Struct("<Q")
"""What stands before each message: how many bytes it has."""

_SPARE_SECONDS = 10  # of processor time beyond which even a child that nobody watches any more is ended


def main(parent: int | None = None) -> None:
    """Answer the messages of standard input on standard output, until there are no more.

    Args:
        parent: the end for reading of a pipe whose other end only the parent has.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if parent is not None:
        _die_with(parent)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints must not speak in between
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, messages), daemon=True).start()
    while True:
        message = messages.get()
        try:
            function, args, seconds, megabytes = pickle.loads(message)  # noqa: S301 - of our own parent
            limit(seconds, megabytes)
            answer: tuple[bool, Any] = (True, function(*args))
            message = pickle.dumps(answer)
        except MemoryError:
            message = pickle.dumps((False, MemoryError()))
        except Exception as error:  # noqa: BLE001 - it is raised where the function was called
            message = _failure(error)
        send(answers, message)


def send(to: IO[bytes], message: bytes) -> None:
    """Write a message."""
    to.write(LENGTH.pack(len(message)))
    to.write(message)
    to.flush()


def receive(source: IO[bytes]) -> bytes | None:
    """Read a message; None at the end."""
    head = source.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    size = LENGTH.unpack(head)[0]
    body = source.read(size)
    return body if len(body) == size else None


def limit(seconds: float, megabytes: int) -> None:
    """Bound what this process may take from now on, where the system can; a limit that is there stays."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 - Windows has none

    used = resource.getrusage(resource.RUSAGE_SELF)
    _lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + _SPARE_SECONDS)
    with contextlib.suppress(OSError):  # only Linux tells, and only there it is a limit
        with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 - no path
            pages = int(file.read().split()[0])
        _lower(resource.RLIMIT_AS, pages * resource.getpagesize() + megabytes * 1_000_000)


def _lower(what: int, most: int) -> None:
    import resource  # noqa: PLC0415 - as above

    hard = resource.getrlimit(what)[1]
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(what, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _die_with(parent: int) -> None:
    """Let the system end this process when the parent's end of a pipe is closed, even in a library that never looks."""
    if sys.platform == "win32":
        return
    import fcntl  # noqa: PLC0415 - Windows has none

    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(parent, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(parent, fcntl.F_SETFL, fcntl.fcntl(parent, fcntl.F_GETFL) | os.O_ASYNC)
    if os.getppid() == 1:  # it went before we listened
        os._exit(0)


def _listen(source: IO[bytes], messages: "queue.SimpleQueue[bytes]") -> None:
    while (message := receive(source)) is not None:
        messages.put(message)
    os._exit(0)  # the parent is gone: there is no one to finish for


def _failure(error: Exception) -> bytes:
    try:
        return pickle.dumps((False, error))
    except Exception:  # noqa: BLE001 - whatever an exception carries
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))

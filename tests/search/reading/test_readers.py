"""Files are read in processes that no file can take along."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.search.reading.made import pdf
from toolkit.errors import ConfigError
from toolkit.search.documents import Loaded
from toolkit.search.reading.folder import Skipped
from toolkit.search.reading.readers import Broken, Readers


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and was not asked for yet does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def ended(pid: int) -> bool:
    for _ in range(200):
        if not is_alive(pid):
            return True
        time.sleep(0.05)
    return False


async def test_without_workers_a_function_runs_in_this_process_unless_it_asks_for_another() -> None:
    async with Readers() as readers:
        assert await readers.run(os.getpid) == os.getpid()
        first = await readers.run(os.getpid, isolated=True)
        assert first not in (os.getpid(), 0)
        assert await readers.run(os.getpid, isolated=True) == first
    assert ended(first)


async def test_workers_are_processes_of_their_own() -> None:
    async with Readers(2) as readers:
        both = await asyncio.gather(*(readers.run(_slowly, 0.2) for _ in range(4)))
        assert len({*both}) == 2
        assert os.getpid() not in both
    assert all(ended(pid) for pid in both)


def _slowly(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


async def test_an_error_is_raised_where_the_function_was_called() -> None:
    async with Readers(1) as readers:
        with pytest.raises(ValueError, match="invalid literal"):
            await readers.run(int, "x")
        assert await readers.run(int, "3") == 3


async def test_what_takes_too_long_is_ended_and_the_next_goes_on() -> None:
    async with Readers(1, seconds=0.5) as readers:
        with pytest.raises(Broken, match=r"takes longer than 0\.5 s to read"):
            await readers.run(time.sleep, 60)
        await readers.run(os.getpid)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="only Linux limits memory")
async def test_what_takes_too_much_memory_is_ended() -> None:
    async with Readers(1, megabytes=200) as readers:
        with pytest.raises(Broken, match="needs more than 200 MB of memory"):
            await readers.run(bytes, 1_000_000_000)
        assert len(await readers.run(bytes, 1_000_000)) == 1_000_000


async def test_a_child_that_breaks_down_takes_nobody_along() -> None:
    async with Readers(1) as readers:
        with pytest.raises(Broken, match="broke its reader"):
            await readers.run(os._exit, 3)
        assert await readers.run(abs, -1) == 1


async def test_a_cancelled_call_ends_its_child_at_once() -> None:
    async with Readers(1) as readers:
        pid = await readers.run(os.getpid)
        task = asyncio.create_task(readers.run(time.sleep, 60))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended(pid)
        assert await readers.run(os.getpid) != pid


async def test_closing_ends_what_is_still_running() -> None:
    readers = Readers(1)
    pid = await readers.run(os.getpid)
    task = asyncio.create_task(readers.run(time.sleep, 60))
    await asyncio.sleep(0.1)
    await readers.aclose()
    with pytest.raises(Broken):
        await task
    assert ended(pid)
    with pytest.raises((Broken, RuntimeError)):
        await readers.run(abs, 1)


async def test_many_files_are_read_each_with_its_name(tmp_path: Path) -> None:
    for n in range(30):
        (tmp_path / f"{n}.md").write_text(f"# Number {n}\n")
    (tmp_path / "30.md").write_bytes(b"\0")
    for workers in (0, 2):
        async with Readers(workers) as readers:
            files = ((tmp_path / f"{n}.md", f"n/{n}") for n in range(31))
            found = {source: document async for source, document in readers.load_many(files)}
        assert found.pop("n/30") == Skipped(tmp_path / "30.md", "binary")
        titles = {source: each.title for source, each in found.items() if isinstance(each, Loaded)}
        assert titles == {f"n/{n}": f"Number {n}" for n in range(30)}


async def test_a_file_that_breaks_its_reader_is_skipped_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(pdf(["words"]))
    async with Readers(seconds=0.001) as readers:
        found = await readers.load(tmp_path / "a.pdf", "a.pdf")
    assert found == Skipped(tmp_path / "a.pdf", "takes longer than 0.001 s to read")


def test_workers_are_counted() -> None:
    with pytest.raises(ConfigError, match="workers is -1"):
        Readers(-1)


PROGRAM = """
import asyncio, os, sys, time
from toolkit.search.reading.readers import Readers

async def main():
    async with Readers(2) as readers:
        pids = await asyncio.gather(*(readers.run(os.getpid) for _ in range(2)))
        print(*pids, flush=True)
        await asyncio.gather(*(readers.run({what}) for _ in range(2)))

asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["time.sleep, 600", "eval, 'sum(iter(int, 1))'"])
@pytest.mark.parametrize("signalled", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_child_outlives_its_program(what: str, signalled: signal.Signals) -> None:
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM.format(what=what)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert program.stdout is not None
    with program.stdout:
        pids = [int(pid) for pid in program.stdout.readline().split()]
        time.sleep(0.2)
        if signalled == signal.SIGINT:
            os.killpg(program.pid, signalled)  # as a terminal does
        else:
            program.send_signal(signalled)
        assert program.wait(20) != 0
    assert pids
    assert all(ended(pid) for pid in pids)


def test_a_program_without_a_guard_around_its_main_part_can_have_workers(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(
        "import asyncio, os\n"
        "from toolkit.search.reading.readers import Readers\n"
        "async def main():\n"
        "    async with Readers(1) as readers:\n"
        "        return await readers.run(os.getppid)\n"
        "print(asyncio.run(main()) == os.getpid())\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "script.py"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")

"""A notebook is run, and each cell's output compared with the one in the file."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import ExitStack, aclosing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

from toolkit.errors import ConfigError
from toolkit.testing.notebooks import sanitizing
from toolkit.testing.notebooks.files import code_cells, read
from toolkit.testing.notebooks.outputs import MARK
from toolkit.testing.notebooks.surroundings import Surroundings, fresh_folder, replaying

Outcome: TypeAlias = Literal["same", "skipped", "differs", "raised", "late", "died", "unrun", "not run", "broken"]

CELL_SECONDS: Final = 120.0
"""How long a cell may take, where nobody says otherwise."""

_LEAVE_SECONDS: Final = 10.0
"""How long nbval may take to end its kernel when it is told to stop."""

_LONGEST_LINE: Final = 2**28
"""Bytes of what is told of a cell, at most."""

_PLUGINS: Final = ("-p", "nbval.plugin", "-p", "toolkit.testing.notebooks.nbval_plugin", "-p", "no:cacheprovider")


@dataclass(frozen=True, slots=True)
class Cell:
    """What came of a cell.

    Attributes:
        number: among the cells with code, from 1: the number that Jupyter shows after a run from top to bottom.
        outcome: `same`, `skipped`, `differs`, `raised` (it failed), `late` (it took too long), `died` (its kernel did),
            `unrun` (the file has no outputs of it), `not run` (a cell before it was late, or died), `broken`.
        source: its code.
        stood: by kind, the outputs in the file that are compared; only where it differs.
        came: those that came.
        error: what it raised: `name`, `value` and `traceback`.
        said: what else there is to say.
    """

    number: int
    outcome: Outcome
    source: str
    stood: Mapping[str, Sequence[str]] = field(default_factory=dict)
    came: Mapping[str, Sequence[str]] = field(default_factory=dict)
    error: Mapping[str, Any] | None = None
    said: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is nothing wrong with it."""
        return self.outcome in ("same", "skipped")


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of a notebook.

    Attributes:
        path: the notebook.
        cells: its cells with code; none where it could not be run.
        seconds: how long it took.
        problem: why it could not be run.
    """

    path: Path
    cells: Sequence[Cell] = ()
    seconds: float = 0.0
    problem: str = ""

    @property
    def ok(self) -> bool:
        """Whether every output is as it stands in the file."""
        return not self.problem and all(cell.ok for cell in self.cells)


async def check(
    paths: Sequence[Path],
    *,
    at_once: int = 1,
    timeout: float = CELL_SECONDS,
    own_rules: Sequence[Path] = (),
    only_run: bool = False,
) -> AsyncGenerator[Checked, None]:
    """Run notebooks as they are, and compare; each is given when it is done.

    Args:
        paths: the notebooks.
        at_once: how many are run at a time.
        timeout: seconds that a cell may take.
        own_rules: files of what may differ, beside what always may.
        only_run: outputs are not compared.

    Raises:
        ConfigError: a rule cannot be used.
    """
    rules = sanitizing.rules(own_rules)
    sound = []
    for path in paths:
        try:
            read(path)
            sound.append(path)
        except ConfigError as error:
            yield Checked(path, problem=str(error))
    done: asyncio.Queue[Checked] = asyncio.Queue()

    async def share(some: Sequence[Path]) -> None:
        with ExitStack() as stack:
            plan = {path: stack.enter_context(replaying(path)) for path in some}
            async with aclosing(run(plan, rules=rules, timeout=timeout, only_run=only_run)) as running:
                async for each in running:
                    done.put_nowait(each)

    shares = [sound[start::at_once] for start in range(min(at_once, len(sound)))]
    async with asyncio.TaskGroup() as group:
        for some in shares:
            group.create_task(share(some))
        for _ in sound:
            yield await done.get()


async def run(
    plan: Mapping[Path, Surroundings],
    *,
    rules: str,
    timeout: float = CELL_SECONDS,
    only_run: bool = False,
) -> AsyncGenerator[Checked, None]:
    """Run notebooks one after another, each in its surroundings, and compare; one nbval does it all.

    Args:
        plan: the notebooks, in order.
        rules: what may differ, as `sanitizing.rules` gives it.
        timeout: seconds that a cell may take.
        only_run: outputs are not compared.
    """
    with fresh_folder() as folder:
        process = await _nbval(plan, folder, rules, timeout, only_run=only_run)
        try:
            other: deque[str] = deque(maxlen=1)
            for path in plan:
                begun, cells, wanted = time.monotonic(), list[Cell](), len(code_cells(read(path)))
                while len(cells) < wanted and (told := await _next(process, other)) is not None:
                    cells.append(Cell(len(cells) + 1, **told))
                problem = "" if len(cells) == wanted else f"nbval could not run it ({'; '.join(other) or 'it ended'})."
                yield Checked(path, cells, time.monotonic() - begun, problem)
        finally:
            await _end(process)


async def _nbval(
    plan: Mapping[Path, Surroundings], folder: Path, rules: str, seconds: float, *, only_run: bool
) -> asyncio.subprocess.Process:
    (folder / "rules.cfg").write_text(rules, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")  # nobody's own options
    environs = {str(path.absolute()): dict(surroundings.environ) for path, surroundings in plan.items()}
    (folder / "plan.json").write_text(json.dumps(environs), encoding="utf-8")
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", *_PLUGINS, "--noconftest", "--color=no", "-q", "--tb=no", "--capture=no"),
        *("-c", str(folder / "pytest.ini"), "--rootdir", str(folder), "--toolkit-plan", str(folder / "plan.json")),
        *("--nbval-lax" if only_run else "--nbval", "--nbval-current-env"),
        *("--nbval-sanitize-with", str(folder / "rules.cfg"), "--nbval-cell-timeout", str(seconds)),
        *environs,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=_LONGEST_LINE,
        start_new_session=True,  # a Ctrl-C is ours to pass on
    )


async def _next(process: asyncio.subprocess.Process, other: deque[str]) -> dict[str, Any] | None:
    """What came of the next cell, None if nbval has ended; what else it says goes to `other`."""
    assert process.stdout  # noqa: S101 - it was asked for
    while line := (await process.stdout.readline()).decode(errors="replace"):
        _, mark, told = line.partition(MARK)
        if mark:
            found: dict[str, Any] = json.loads(told)
            return found
        if line.strip():
            other.append(line.strip())
    return None


async def _end(process: asyncio.subprocess.Process) -> None:
    """Have nbval end its kernel, and end; nothing else is to be done where it has ended."""
    if process.returncode is None and process.stdout and not process.stdout.at_eof():
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT) if os.name == "posix" else process.terminate()
    try:
        await asyncio.wait_for(process.communicate(), _LEAVE_SECONDS)
    except TimeoutError:
        process.kill()  # a kernel ends by itself when nobody is there
        await process.wait()

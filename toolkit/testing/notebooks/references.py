"""The outputs that a notebook is compared with, always made in the same way.

A notebook is run by nbclient in a fresh kernel; what it gave is run again by nbval as `toolkit notebook test` runs it.
Only what passes there is written.
"""

import asyncio
import re
import shutil
import signal
import subprocess
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from toolkit.errors import CassetteError, ConfigError, Conflict
from toolkit.providers.cassette import file
from toolkit.testing.notebooks import sanitizing
from toolkit.testing.notebooks.checking import CELL_SECONDS, Cell, Checked, run
from toolkit.testing.notebooks.files import Notebook, cassettes_in, cassettes_of, code_cells, read
from toolkit.testing.notebooks.outputs import comparable, lasting
from toolkit.testing.notebooks.surroundings import Surroundings, fresh_folder, recording, replaying

_KERNEL: Final = {"display_name": "Python 3", "language": "python", "name": "python3"}
_TIMES: Final = ("execution", "ExecuteTime", "collapsed")
"""What front ends note of a run."""
_DAY: Final = re.compile(r"^recorded: .*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Updated:
    """What came of an update.

    Attributes:
        path: the notebook.
        changed: the numbers of cells whose outputs are others now.
        cassettes: those that were recorded, and are others now.
        refused: why nothing was written: what came of the cells.
    """

    path: Path
    changed: Sequence[int] = ()
    cassettes: Sequence[Path] = ()
    refused: Checked | None = None


async def update(
    path: Path,
    *,
    record: bool = False,
    timeout: float = CELL_SECONDS,
    own_rules: Sequence[Path] = (),
) -> Updated:
    """Run the notebook `path`, and write what its cells gave into it; nothing is written if a second run gives others.

    Args:
        path: the notebook.
        record: real models are asked first, and recorded beside the notebook; else its cassette is replayed.
        timeout: seconds that a cell may take.
        own_rules: files of what may differ, beside what always may.

    Raises:
        ConfigError: it cannot be read or not be run, or a rule cannot be used.
        Conflict: someone else changed it meanwhile.
    """
    rules = sanitizing.rules(own_rules)
    old, new = read(path), read(path)
    before = _bytes(path)
    with _studio(path, record=record) as studio:
        if record:
            with recording(studio / f"{path.stem}.yaml") as surroundings:
                refused = await execute(path, new, surroundings, timeout)
            _settle(studio, path)
            if refused:
                return Updated(path, refused=Checked(path, [refused]))
            new = read(path)
        cassette = studio / f"{path.stem}.yaml"
        with replaying(path, cassette) as surroundings:
            refused = await execute(path, new, surroundings, timeout)
        if refused:
            return Updated(path, refused=Checked(path, [refused]))
        changed = _cleaned(new, old, sanitizing.sanitizer(rules))
        with _candidate(path, new) as candidate, replaying(path, cassette) as surroundings:
            (checked,) = [each async for each in run({candidate: surroundings}, rules=rules, timeout=timeout)]
            if not checked.ok:
                return Updated(path, refused=Checked(path, checked.cells, checked.seconds, checked.problem))
            if _bytes(path) not in (before, _bytes(candidate)):
                raise Conflict(f"{path} was changed by someone else meanwhile; start again.")
            cassettes = _installed(studio, path) if record else ()
            if _bytes(path) != _bytes(candidate):
                candidate.replace(path)
    return Updated(path, tuple(changed), tuple(cassettes))


async def execute(path: Path, notebook: Notebook, surroundings: Surroundings, seconds: float) -> Cell | None:
    """Run `notebook`, which is `path`, in place; gives the cell that raised or was late, if one did."""
    from jupyter_client.manager import AsyncKernelManager  # noqa: PLC0415 - these come with an extra
    from nbclient import NotebookClient  # noqa: PLC0415
    from nbclient.exceptions import CellTimeoutError, DeadKernelError  # noqa: PLC0415
    from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager  # noqa: PLC0415

    kernels = AsyncKernelManager(kernel_name=CURRENT_ENV_KERNEL_NAME, kernel_spec_manager=NbvalKernelspecManager())
    client = NotebookClient(
        notebook, kernels, timeout=seconds, allow_errors=True, record_timing=False, store_widget_state=False
    )
    client.reset_execution_trackers()
    async with client.async_setup_kernel(
        env=dict(surroundings.environ), cwd=str(cassettes_of(path).parent), stderr=subprocess.DEVNULL, cleanup_kc=True
    ):
        with suppress(NotImplementedError):
            asyncio.get_running_loop().remove_signal_handler(
                signal.SIGINT
            )  # nbclient's: it would go on with a dead kernel
        number = 0
        for place, cell in enumerate(notebook.cells):
            if cell.cell_type != "code":
                continue
            number += 1
            skip, may_raise = _marks(cell)
            if skip or not cell.source.strip():
                continue
            try:
                await client.async_execute_cell(cell, place, execution_count=number)
            except CellTimeoutError:
                return Cell(number, "late", cell.source)
            except DeadKernelError:
                return Cell(number, "died", cell.source)
            error = next((each for each in cell.outputs if each.output_type == "error"), None)
            if error and not may_raise:
                told = {"name": error.ename, "value": error.evalue, "traceback": list(error.traceback)}
                return Cell(number, "raised", cell.source, error=told)
    return None


def _marks(cell: Any) -> tuple[bool, bool]:
    """Whether nbval leaves a cell out, and whether it lets it raise."""
    from nbval.plugin import find_comment_markers, find_metadata_tags  # noqa: PLC0415 - it comes with an extra

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        options = dict(find_metadata_tags(cell.metadata) or ()) | dict(find_comment_markers(cell.source))
    return bool(options.get("skip")), bool(options.get("check_exception"))


def _cleaned(notebook: Notebook, old: Notebook, sanitize: sanitizing.Sanitize) -> list[int]:
    """Leave in `notebook` what is the same at every run, and what differs only as it may as it was in `old`.

    Returns:
        The numbers of the cells whose outputs are others than in `old`.
    """
    notebook.metadata.pop("widgets", None)
    notebook.metadata.setdefault("kernelspec", type(notebook)(_KERNEL))
    notebook.metadata["language_info"] = type(notebook)(name="python")
    changed = []
    taken = {cell.get("id") for cell in notebook.cells}
    for place, cell in enumerate(notebook.cells, 1):
        for name in _TIMES:
            cell.metadata.pop(name, None)
        if notebook.nbformat_minor >= 5 and "id" not in cell:  # noqa: PLR2004 - since 4.5 each cell has one
            cell.id = next(name for n in range(place, place + 10_000) if (name := f"cell-{n}") not in taken)
            taken.add(cell.id)
    for number, (cell, was) in enumerate(zip(code_cells(notebook), code_cells(old), strict=True), 1):
        cell.outputs, stood = lasting(cell.outputs), lasting(was.outputs)
        now, then = (comparable(each, sanitize, pictures=True) for each in (cell.outputs, stood))
        if now == then:
            cell.outputs = [
                type(cell)(each, execution_count=number) if "execution_count" in each else each for each in stood
            ]
        else:
            changed.append(number)
    return changed


def _bytes(path: Path) -> bytes:
    return path.read_bytes()


@contextmanager
def _candidate(path: Path, notebook: Notebook) -> Iterator[Path]:
    """The notebook in a file beside `path`, where a kernel finds what lies there."""
    import nbformat as untyped  # noqa: PLC0415 - it comes with an extra

    nbformat: Any = untyped
    candidate = path.with_name(f".{path.stem}.{token_hex(4)}.ipynb")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            nbformat.write(notebook, candidate)
        shutil.copymode(path, candidate)
        yield candidate
    except OSError as error:
        raise ConfigError(f"{path} cannot be written ({error.strerror}).") from error
    finally:
        candidate.unlink(missing_ok=True)


@contextmanager
def _studio(path: Path, *, record: bool) -> Iterator[Path]:
    """The folder with the cassettes: the notebook's own, or an empty one in which they may fail to be recorded."""
    if record:
        with fresh_folder() as studio:
            yield studio
    else:
        yield cassettes_of(path)


def _settle(studio: Path, path: Path) -> None:
    """Leave the cassettes that were recorded as they were before, where they say the same; all have the same day.

    The programs of a notebook must agree on the time in a replay.
    """
    recorded = cassettes_in(studio, path)
    for each in recorded:
        before = cassettes_of(path) / each.name
        with suppress(OSError, CassetteError):
            if file.read(before).lasting == file.read(each).lasting:
                shutil.copyfile(before, each)
    texts = {each: each.read_text(encoding="utf-8") for each in recorded}
    days = [found.group() for text in texts.values() if (found := _DAY.search(text))]
    for each, text in texts.items():
        each.write_text(_DAY.sub(days[0], text, count=1), encoding="utf-8", newline="\n")


def _installed(studio: Path, path: Path) -> list[Path]:
    """Put the cassettes that are others now beside the notebook."""
    changed = []
    for each in cassettes_in(studio, path):
        place = cassettes_of(path) / each.name
        if not place.is_file() or place.read_bytes() != each.read_bytes():
            place.parent.mkdir(exist_ok=True)
            new = place.with_name(f".{place.name}.{token_hex(4)}.new")
            shutil.copyfile(each, new)
            new.replace(place)
            changed.append(place)
    return changed

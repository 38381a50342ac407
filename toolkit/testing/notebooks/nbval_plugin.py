"""Loaded by the pytest that runs nbval: tells by a line of JSON what came of each cell, and minds its kernel."""

import json
import os
import sys
import time
from collections.abc import Generator
from pathlib import Path
from queue import Empty
from typing import Any, Final

import pytest

from toolkit.testing.notebooks.outputs import MARK, comparable

_SLICE: Final = 1.0
"""Seconds after which a kernel that says nothing is looked after."""

_LAST_WORDS: Final = 2.0
"""Seconds in which a cell that took too long may say where it was; one that awaits never does (ipykernel #881)."""

_PLAN = pytest.StashKey[dict[str, dict[str, str]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that names the plan: JSON, by the path of a notebook the environment of its kernel."""
    parser.getgroup("toolkit").addoption("--toolkit-plan", type=Path, required=True)


def pytest_configure(config: pytest.Config) -> None:
    """Read the plan."""
    config.stash[_PLAN] = json.loads(config.getoption("--toolkit-plan").read_text(encoding="utf-8"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: Any) -> Generator[None, Any, Any]:
    """Give a kernel that is to start its environment, and mind it from then on."""
    notebook = item.parent
    if notebook.kernel is None:
        os.environ.clear()
        os.environ.update(item.config.stash[_PLAN][str(notebook.path)])
    done = yield
    if not hasattr(notebook, "toolkit_minder"):
        notebook.toolkit_minder = _Minder(notebook)
    notebook.toolkit_minder.begin(item)
    return done


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    """Tell what came of a cell."""
    report = yield
    if call.when == "call" or (call.when == "setup" and call.excinfo):
        sys.stdout.write(f"{MARK}{json.dumps(_told(item, call))}\n")
        sys.stdout.flush()
    return report


class KernelDied(Exception):
    """The kernel ended while a cell ran."""


class _Minder:
    """Between nbval and a kernel: notices its end, and lets outputs be cleared and replaced as a front end does."""

    def __init__(self, notebook: Any) -> None:
        self._notebook, self._kernel = notebook, notebook.kernel
        self._ask, self._execute = self._kernel.get_message, self._kernel.execute_cell_input
        self._kernel.get_message = self._get
        self._kernel.execute_cell_input = self._run
        self._item: Any = None
        self._message: str | None = None
        self._clear_next = False
        self._shown: dict[str, int] = {}

    def begin(self, item: Any) -> None:
        """The cell `item` is next."""
        self._item, self._message, self._clear_next, self._shown = item, None, False, {}

    def _run(self, *given: Any, **named: Any) -> str:
        self._message = self._execute(*given, **named)
        return str(self._message)

    def _get(self, stream: str, timeout: float | None = None) -> Any:
        if timeout is not None and self._notebook.timed_out:
            timeout = min(timeout, _LAST_WORDS)
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            left = _SLICE if until is None else min(_SLICE, max(until - time.monotonic(), 0.0))
            try:
                message = self._ask(stream, timeout=left)
            except Empty:
                if not self._kernel.is_alive():
                    raise KernelDied from None
                if until is not None and time.monotonic() >= until:
                    raise
            else:
                if stream == "iopub" and message["parent_header"].get("msg_id") == self._message is not None:
                    self._show(message["msg_type"], message["content"])
                return message

    def _show(self, kind: str, content: Any) -> None:
        """What nbval itself does not know of outputs."""
        outputs = self._item.test_outputs
        if kind == "clear_output" and not content["wait"]:
            self._forget(outputs)
        elif kind == "clear_output":
            self._clear_next = True
        elif kind in ("display_data", "execute_result", "stream", "error"):
            if self._clear_next:
                self._forget(outputs)
            if name := content.get("transient", {}).get("display_id"):
                self._shown[name] = len(outputs)
        elif kind == "update_display_data":
            place = self._shown.get(content["transient"]["display_id"])
            if place is not None:
                outputs[place].update(data=content["data"], metadata=content["metadata"])

    def _forget(self, outputs: list[Any]) -> None:
        outputs.clear()
        self._shown.clear()
        self._clear_next = False


def _told(item: Any, call: pytest.CallInfo[None]) -> dict[str, Any]:
    outcome, said = _outcome(item, call.excinfo.value if call.excinfo else None)
    told = {"outcome": outcome, "source": item.cell.source, "said": said, "stood": {}, "came": {}}
    came = item.test_outputs or []
    if outcome == "differs":
        told |= {"stood": comparable(item.cell.outputs, item.sanitize), "came": comparable(came, item.sanitize)}
    if error := next((each for each in came if "ename" in each), None):
        told["error"] = {"name": error["ename"], "value": error["evalue"], "traceback": error["traceback"]}
    return told


def _outcome(item: Any, error: BaseException | None) -> tuple[str, str]:
    """What came of a cell, in one word, and what else is to be said of it."""
    if getattr(item.parent, "toolkit_over", False):
        return "not run", ""
    said = str(error) if error else ""
    match error:
        case None:
            empty = not item.cell.source.strip() or not item.options["check"]
            return ("same", "") if empty or item.cell.execution_count is not None else ("unrun", "")
        case pytest.skip.Exception():
            return "skipped", ""
        case KernelDied():
            outcome = "died"
        case _ if said.startswith("Timeout of"):
            outcome = "late"
        case _ if said.startswith("Unrun reference"):
            return "unrun", ""
        case _ if said == "Cell outputs differ":
            return "differs", ""
        case _ if said == "Cell execution caused an exception":
            return "raised", ""
        case _:
            outcome = "broken"
    item.parent.toolkit_over = True
    return outcome, said

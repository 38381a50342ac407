import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import nbformat as untyped
import pytest

from notebooks.refresh import FOLDER, WIDGET, cleaned, refresh

nbformat: Any = untyped
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def check(*paths: Path) -> "subprocess.CompletedProcess[str]":
    """What nbval, strict, says of notebooks, in an environment without keys."""
    keys = ("TOOLKIT_", "OPENAI_", "ANTHROPIC_", "DATABASE_URL")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    return subprocess.run(
        [*command, "--color=no", "--nbval", "--nbval-current-env", *map(str, paths)],
        cwd=FOLDER.parent,
        env={name: value for name, value in os.environ.items() if not name.startswith(keys)},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )


def code(source: str, *outputs: dict[str, Any], **more: Any) -> Any:
    return nbformat.v4.new_code_cell(source, outputs=[nbformat.from_dict(each) for each in outputs], **more)


def result(text: str) -> dict[str, Any]:
    return {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": text}}


def written(path: Path, *cells: Any) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells)), path)
    return path


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def test_every_notebook_gives_the_outputs_that_it_shows() -> None:
    done = check(*NOTEBOOKS)
    assert done.returncode == 0, done.stdout
    cells = sum(cell.cell_type == "code" for path in NOTEBOOKS for cell in read(path).cells)
    assert f"{cells} passed" in done.stdout


def test_an_output_that_was_altered_fails(tmp_path: Path) -> None:
    cells = (code("1 + 1", result("2"), execution_count=1), code("2 + 2", result("5"), execution_count=2))
    done = check(written(tmp_path / "altered.ipynb", *cells))
    assert done.returncode == 1
    assert "altered.ipynb::Cell 1" in done.stdout
    assert "1 failed, 1 passed" in done.stdout


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_reference_is_as_refresh_makes_it(path: Path) -> None:
    notebook = read(path)
    assert cleaned(read(path)) == notebook
    # A cell without a count is run by nbval, but not compared.
    assert all(cell.execution_count for cell in notebook.cells if cell.cell_type == "code")
    assert not any(place in path.read_text() for place in (str(FOLDER.parent), "/tmp/", "0x"))


def test_what_differs_from_run_to_run_is_taken_out() -> None:
    output = {"output_type": "stream", "name": "stdout"}
    shown = {
        "output_type": "display_data",
        "metadata": {},
        "data": {"text/plain": "Panel()", WIDGET: {"model_id": "7"}},
    }
    metadata = {"execution": {"iopub.execute_input": "now"}, "tags": ["kept"]}
    cell = code("x", {**output, "text": "a"}, {**output, "text": "b"}, shown, metadata=metadata)
    notebook = cleaned(nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}}))
    assert "widgets" not in notebook.metadata
    (cell,) = notebook.cells
    assert cell.id == "cell-1"
    assert cell.metadata == {"tags": ["kept"]}
    assert [output.get("text") or output.data for output in cell.outputs] == ["ab", {"text/plain": "Panel()"}]


def test_a_notebook_that_differs_from_run_to_run_is_not_written(tmp_path: Path) -> None:
    path = written(tmp_path / "clock.ipynb", code("2 + 2"), code("import time; time.time_ns()"))
    before = path.read_text()
    with pytest.raises(click.ClickException, match=r"clock\.ipynb: two runs differ in cell 2; print nothing"):
        refresh(path)
    assert path.read_text() == before

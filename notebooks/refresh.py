"""The references of the notebooks, always made in the same way: `python -m notebooks.refresh [FILE…]`.

Each notebook is run in a fresh kernel of this Python, and written back with its outputs, without what differs from run
to run. A notebook whose outputs still differ between two runs is not fit to be compared, and is not written.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import click
import nbformat as untyped
from nbclient import NotebookClient

nbformat: Any = untyped
Notebook: TypeAlias = Any

FOLDER = Path(__file__).parent
WIDGET = "application/vnd.jupyter.widget-view+json"
KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def run(path: Path) -> Notebook:
    """The notebook as it is after a run, without ids, times and the state of widgets."""
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(path.parent)}}, timeout=120).execute()
    return cleaned(notebook)


def cleaned(notebook: Notebook) -> Notebook:
    """`notebook` with only what is the same at every run: sources, outputs and the order of execution."""
    notebook.metadata = nbformat.from_dict(KERNEL)
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"cell-{number}"
        cell.metadata = nbformat.from_dict({"tags": tags} if (tags := cell.metadata.get("tags")) else {})
        if cell.cell_type == "code":
            cell.outputs = _joined(cell.outputs)
    return notebook


def refresh(path: Path) -> None:
    """Make the reference of the notebook at `path` anew.

    Raises:
        click.ClickException: two runs do not give the same.
    """
    once, again = run(path), run(path)
    if once != again:
        cells = [str(n) for n, pair in enumerate(zip(once.cells, again.cells, strict=True), 1) if pair[0] != pair[1]]
        raise click.ClickException(
            f"{path.name}: two runs differ in cell {', '.join(cells)}; print nothing that changes from run to run."
        )
    nbformat.write(again, path)


def main(names: Sequence[str]) -> None:
    """Refresh the notebooks named, by default all that lie beside this file."""
    for path in [Path(name) for name in names] or sorted(FOLDER.glob("*.ipynb")):
        refresh(path)
        click.echo(f"{path.name} is up to date.")


def _joined(outputs: Sequence[Any]) -> list[Any]:
    # How a stream is cut into pieces depends on the kernel's timing.
    joined: list[Any] = []
    for output in outputs:
        output.get("data", {}).pop(WIDGET, None)
        last = joined[-1] if joined else None
        if last is not None and "stream" == output.output_type == last.output_type and output.name == last.name:
            last.text += output.text
        else:
            joined.append(output)
    return joined


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except click.ClickException as error:
        error.show()
        sys.exit(1)

"""Notebooks on the disk: found, read, and where their cassettes are."""

import json
import warnings
from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeAlias

from toolkit.errors import ConfigError, choices

Notebook: TypeAlias = Any
"""A notebook as nbformat has it, version 4."""

_NEEDED: Final = ("ipykernel", "nbclient", "nbval")


def need_extra() -> None:
    """Make sure that what runs notebooks is installed.

    Raises:
        ConfigError: it is not.
    """
    if missing := [name for name in _NEEDED if find_spec(name) is None]:
        raise ConfigError(
            f"Notebooks are run with {' and '.join(missing)}; install what is missing with "
            "`pip install 'toolkit-mcp[notebook-test]'`."
        )


def find(paths: Iterable[Path]) -> list[Path]:
    """The notebooks among `paths` and in the folders among them, each once; what is hidden in a folder is left out.

    Raises:
        ConfigError: a path is no notebook and no folder, or there is no notebook at all.
    """
    paths = list(paths)
    found = dict.fromkeys(each for path in paths for each in _of(path))
    if not found:
        raise ConfigError(f"There is no notebook in {', '.join(map(str, paths))}.")
    return list(found)


def _of(path: Path) -> Iterator[Path]:
    if path.is_dir():
        inside = (each for each in sorted(path.rglob("*.ipynb")) if each.is_file())
        yield from (each for each in inside if not any(part[0] == "." for part in each.relative_to(path).parts))
    elif path.suffix != ".ipynb":
        raise ConfigError(f"{path} is no notebook; name a file that ends in .ipynb, or a folder.")
    elif not path.is_file():
        near = sorted(each.name for each in path.parent.glob("*.ipynb")) if path.parent.is_dir() else []
        raise ConfigError(f"There is no notebook {path}; {choices(near)}." if near else f"There is no notebook {path}.")
    else:
        yield path


def read(path: Path) -> Notebook:
    """The notebook at `path`.

    Raises:
        ConfigError: it cannot be read, or not be run here.
    """
    import nbformat as untyped  # noqa: PLC0415 - who has no notebooks has no nbformat

    nbformat: Any = untyped
    try:
        text = path.read_text(encoding="utf-8")
        if not isinstance(json.loads(text), dict):
            raise ConfigError(f"{path} is JSON, but no notebook: it has no cells.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an id that is missing is no news here
            notebook = nbformat.reads(text, as_version=4)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{path} is no notebook: it is not JSON. Open it in an editor, or take an older one."
        ) from error
    except (nbformat.ValidationError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{path} is JSON, but no notebook; {_first_line(error)}.") from error
    if not isinstance(notebook.get("cells"), list):
        raise ConfigError(f"{path} is JSON, but no notebook: it has no cells.")
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if language.lower() != "python":
        raise ConfigError(f"{path} is written in {language}; only notebooks in Python can be run here.")
    return notebook


def code_cells(notebook: Notebook) -> list[Any]:
    """The cells that are run, in order: the first is number 1."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def cassettes_of(path: Path) -> Path:
    """The folder in which a notebook's cassettes are."""
    return path.absolute().parent / "cassettes"


def cassette_of(path: Path) -> Path:
    """The cassette of a notebook, which need not be there."""
    return cassettes_of(path) / f"{path.stem}.yaml"


def cassettes_in(folder: Path, path: Path) -> Sequence[Path]:
    """The cassettes of a notebook that are in `folder`: its own, and `STEM.NAME.yaml` of programs that it starts."""
    return [
        each for each in (folder / f"{path.stem}.yaml", *sorted(folder.glob(f"{path.stem}.*.yaml"))) if each.is_file()
    ]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")

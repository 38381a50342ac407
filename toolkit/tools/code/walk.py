"""The Python files of a folder that somebody wrote: not installed ones, not ignored ones, no links."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

_OTHERS = frozenset({"node_modules", "__pycache__", "site-packages"})


@dataclass(frozen=True, slots=True)
class _Rules:
    """One `.gitignore`: its patterns hold below `base`."""

    base: Path
    spec: "GitIgnoreSpec"


def python_files(root: Path) -> Iterator[Path]:
    """Every `.py` and `.pyi` file below `root`, sorted; hidden folders and virtual environments are left out.

    Links are not followed, so there is no way out of the folder and none round in a circle. `.gitignore` files count
    from the top of the repository on, but not against `root` itself. A folder that cannot be read is passed over.
    """
    above = _above(root)
    yield from _walk(root, [] if _ignored(root, above, folder=True) else above)


def _walk(folder: Path, above: list[_Rules]) -> Iterator[Path]:
    try:
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
    except OSError:
        return
    rules = above + _rules(folder)
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            foreign = entry.name.startswith(".") or entry.name in _OTHERS or (path / "pyvenv.cfg").is_file()
            if not foreign and not _ignored(path, rules, folder=True):
                yield from _walk(path, rules)
        elif (
            entry.name.endswith((".py", ".pyi"))
            and entry.is_file(follow_symlinks=False)
            and not _ignored(path, rules, folder=False)
        ):
            yield path


def _ignored(path: Path, rules: list[_Rules], *, folder: bool) -> bool:
    """Whether the nearest `.gitignore` that says anything about `path` says that it is ignored."""
    for rule in reversed(rules):
        relative = path.relative_to(rule.base).as_posix()
        verdict = rule.spec.check_file(relative + "/" if folder else relative).include
        if verdict is not None:
            return verdict
    return False


def _above(root: Path) -> list[_Rules]:
    folders = [root, *root.parents]
    depth = next((n for n, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    return [rule for folder in reversed(folders[1 : depth + 1]) for rule in _rules(folder)]


def _rules(folder: Path) -> list[_Rules]:
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 30 ms that a start need not pay

    try:
        return [_Rules(folder, GitIgnoreSpec.from_lines(lines))]
    except ValueError:  # a pattern that makes no sense: git passes over it, we over the file that holds it
        return []

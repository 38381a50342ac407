"""The files of a folder that a person would call its contents."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

INSTALLED = frozenset({"node_modules", "__pycache__", "site-packages"})
"""Folders whose contents others wrote or a program made; hidden folders and virtual environments are the same."""

DEEPEST = 200
"""Folders within one another that are walked; a person's are some ten."""

_SECRET_NAME = re.compile(
    r"""(?xi)
    \.env(?!\.(?:example|sample|template|dist)$)(?:\..+)?
  | .+\.(?:pem|key|p12|pfx|jks|keystore|kdbx|ppk)
  | id_(?:rsa|dsa|ecdsa|ed25519)(?:_sk)?
  | \.(?:netrc|pgpass|npmrc|pypirc|htpasswd|git-credentials)"""
)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or folder that is not taken.

    Attributes:
        path: where it is.
        reason: why, in a few words.
        unseen: it could not be looked at, so what is known of it is not out of date for that.
    """

    path: Path
    reason: str
    unseen: bool = False


def walk(root: Path) -> Iterator[Path | Skipped]:
    """Every file below `root` that may be read, and every file that is left out with the reason; sorted by name.

    `.gitignore` files count at every level, from the top of the git repository that `root` lies in. Links to folders
    are not followed, so there is no way round in a circle; a link to a file is followed where it leads out of `root`.

    Args:
        root: an absolute path without links; it is walked even if a `.gitignore` above it says otherwise.
    """
    above = _rules_above(root)
    yield from _walk(root, root, [] if _ignored(root, above, folder=True) else above)


@dataclass(frozen=True, slots=True)
class _Rules:
    """One `.gitignore`: its patterns hold below `base`."""

    base: Path
    spec: "GitIgnoreSpec"


def _walk(folder: Path, root: Path, above: list[_Rules]) -> Iterator[Path | Skipped]:
    entries = _entries(folder, root)
    if isinstance(entries, Skipped):
        yield entries
        return
    rules = above + _rules_of(folder)
    for entry in entries:
        path = Path(entry.path)
        if entry.is_dir(follow_symlinks=False):
            if not is_foreign(path):
                if _ignored(path, rules, folder=True):
                    yield Skipped(path, "ignored by .gitignore")
                else:
                    yield from _walk(path, root, rules)
        elif entry.is_symlink():
            yield _followed(path, root)
        elif _ignored(path, rules, folder=False):
            yield Skipped(path, "ignored by .gitignore")
        elif path.name.startswith(".") and not keeps_secrets(path.name):
            yield Skipped(path, "hidden")
        elif entry.is_file(follow_symlinks=False):
            yield path
        else:
            yield Skipped(path, "not a regular file")


def _entries(folder: Path, root: Path) -> "list[os.DirEntry[str]] | Skipped":
    """What is in a folder, sorted by name; or why nobody can tell."""
    if len(folder.parts) - len(root.parts) > DEEPEST:
        return Skipped(folder, f"more than {DEEPEST} folders deep", unseen=True)
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        return Skipped(folder, f"cannot be read ({error.strerror})", unseen=True)


def is_foreign(folder: Path) -> bool:
    """Whether others wrote what is in a folder, or a program made it."""
    return folder.name.startswith(".") or folder.name in INSTALLED or (folder / "pyvenv.cfg").is_file()


def keeps_secrets(name: str) -> bool:
    """Whether a file of this name is one that keys and passwords are kept in."""
    return bool(_SECRET_NAME.fullmatch(name))


def _followed(link: Path, root: Path) -> Path | Skipped:
    try:
        target = link.resolve(strict=True)
    except (OSError, RuntimeError):
        return Skipped(link, "a link that leads nowhere")
    if target.is_relative_to(root):
        return Skipped(link, "a link to something in the same folder")
    if not target.is_file():
        return Skipped(link, "a link to a folder" if target.is_dir() else "not a regular file")
    return link


def _ignored(path: Path, rules: list[_Rules], *, folder: bool) -> bool:
    """Whether the nearest `.gitignore` that says anything about `path` says that it is ignored."""
    for rule in reversed(rules):
        relative = PurePosixPath(path.relative_to(rule.base)).as_posix()
        verdict = rule.spec.check_file(relative + "/" if folder else relative).include
        if verdict is not None:
            return verdict
    return False


def _rules_above(root: Path) -> list[_Rules]:
    """The `.gitignore` files between the top of the repository and `root`, outermost first."""
    folders = [root, *root.parents]
    depth = next((n for n, folder in enumerate(folders) if (folder / ".git").exists()), 0)
    return [rule for folder in reversed(folders[1 : depth + 1]) for rule in _rules_of(folder)]


def _rules_of(folder: Path) -> list[_Rules]:
    try:
        lines = (folder / ".gitignore").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - 30 ms that a start without an ingest need not pay

    try:
        return [_Rules(folder, GitIgnoreSpec.from_lines(lines))]
    except ValueError:  # git passes over a pattern that makes no sense, and so do we
        return [_Rules(folder, GitIgnoreSpec.from_lines(line for line in lines if _makes_sense(line)))]


def _makes_sense(line: str) -> bool:
    from pathspec import GitIgnoreSpec  # noqa: PLC0415 - as above

    try:
        GitIgnoreSpec.from_lines([line])
    except ValueError:
        return False
    return True

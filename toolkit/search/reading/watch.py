"""Files that change, as they change."""

from collections.abc import AsyncIterator
from pathlib import Path

from toolkit.errors import ConfigError
from toolkit.search.reading.folder import is_foreign, keeps_secrets

QUIET = 0.5
"""Seconds without a change after which those before it are told: an editor saves a file in several steps."""

LONGEST = 5.0
"""Seconds after which changes are told even if there is no quiet."""


async def changes(folder: Path, *, quiet: float = QUIET, force_polling: bool | None = None) -> AsyncIterator[set[Path]]:
    """The files below `folder` that were added, changed or removed, again and again, until nobody asks any more.

    Hidden folders, installed packages and virtual environments are not looked at; what `.gitignore` leaves out is left
    to who reads the files. Close the iterator, or cancel who waits for it, to end it.

    Args:
        folder: a folder, or a single file.
        quiet: seconds without a change after which those before it are told.
        force_polling: look at every file again and again, as network drives need it; None: where the system needs it.

    Raises:
        ConfigError: the extra `watch` is not installed, or there is no such folder.
    """
    try:
        from watchfiles import awatch  # noqa: PLC0415 - comes with the extra `watch`
    except ImportError:
        raise ConfigError("To watch a folder, install the extra: pip install 'toolkit-mcp[watch]'.") from None
    root = _existing(folder)
    told = awatch(
        root,
        watch_filter=lambda _, path: _counts(Path(path), root),
        debounce=int(LONGEST * 1_000),
        step=int(quiet * 1_000),
        recursive=True,
        force_polling=force_polling,
        ignore_permission_denied=True,
    )
    async for changed in told:
        yield {Path(path) for _, path in changed}


def _existing(folder: Path) -> Path:
    root = folder.expanduser().resolve()
    if not root.exists():
        raise ConfigError(f"{folder} does not exist; give the path of a folder that does.")
    return root


def _counts(path: Path, root: Path) -> bool:
    """Whether a change of `path` is one that a reader of `root` would see."""
    inside = path.relative_to(root).parts if path.is_relative_to(root) else (path.name,)
    if any(is_foreign(root.joinpath(*inside[: n + 1])) for n in range(len(inside) - 1)):
        return False
    return path.name == ".gitignore" or not path.name.startswith(".") or keeps_secrets(path.name) or path == root

"""One toolkit per database, for as long as the kernel lives."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

from toolkit.bridge import at_exit, awaitable, blocking
from toolkit.settings import Record, Settings
from toolkit.toolkit import Toolkit

_open: dict[tuple[str, Path | None], Toolkit] = {}


async def connect(url: str | None = None) -> Any:
    """A toolkit to use with `await` in cells; its work goes on while a cell computes, and it is closed at exit.

    Connecting again, e.g. by running the cell once more, gives the same toolkit.

    Args:
        url: as in `Toolkit.open`.

    Raises:
        ConfigError: the URL or a variable of the environment cannot be used as written.
        DatabaseError: it cannot be opened; connecting again tries again.
    """
    tk = awaitable(_toolkit(url))
    await tk.start()
    return tk


def connect_sync(url: str | None = None) -> Any:
    """The same toolkit, to use without `await`."""
    tk = blocking(_toolkit(url))
    tk.start()
    return tk


def latest() -> Any:
    """The toolkit that was connected last, to use without `await`; a first one where none was.

    Raises:
        ConfigError, DatabaseError: as `connect`.
    """
    return blocking(list(_open.values())[-1]) if _open else connect_sync()


@contextmanager
def replay(path: str | PathLike[str], *, record: Record = "none") -> Iterator[None]:
    """Inside, `connect` gives a toolkit whose models are replayed from a cassette; it is closed at the end.

        with nb.replay("cassettes/report.yaml"):
            tk = nb.connect_sync("sqlite://")

    Args:
        path: the cassette.
        record: `none`, `once`, `new_episodes` or `all`: which calls are recorded.
    """
    before = {name: os.environ.get(name) for name in ("TOOLKIT_CASSETTE", "TOOLKIT_RECORD")}
    os.environ |= {"TOOLKIT_CASSETTE": os.fspath(path), "TOOLKIT_RECORD": record}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
        for key in [key for key in _open if key[1] == Path(path)]:
            blocking(_open.pop(key)).close()


def _toolkit(url: str | None) -> Toolkit:
    settings = Settings.from_env(database_url=url)
    key = (settings.database_url, settings.cassette)
    if key not in _open:
        toolkit = Toolkit.open(settings=settings)
        _open[key] = toolkit
        at_exit(blocking(toolkit).close)
    _open[key] = _open.pop(key)  # the last one is that of `latest`
    return _open[key]

"""One toolkit per database, for as long as the kernel lives."""

from typing import Any

from toolkit.bridge import at_exit, awaitable, blocking
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

_open: dict[str, Toolkit] = {}


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


def _toolkit(url: str | None) -> Toolkit:
    settings = Settings.from_env(database_url=url)
    if settings.database_url not in _open:
        toolkit = Toolkit.open(settings=settings)
        _open[settings.database_url] = toolkit
        at_exit(blocking(toolkit).close)
    return _open[settings.database_url]

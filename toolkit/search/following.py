"""Documents that are kept up with their files, as these change."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from toolkit.errors import IngestError
from toolkit.search.documents import IngestReport
from toolkit.search.reading.watch import changes

Ingest: TypeAlias = Callable[[Sequence[Path]], Awaitable[IngestReport]]
"""Takes the files at some paths in, and out of the index what is gone."""


async def follow(ingest: Ingest, paths: Sequence[Path]) -> AsyncGenerator[IngestReport | IngestError, None]:
    """What became of `paths`, now and after every change in them, until nobody asks any more.

    They are watched before they are first read, so that nothing falls between. What cannot be read later on is given as
    the error, and watching goes on. Close the iterator, or cancel who waits for it, to end it.

    Args:
        ingest: called with all paths at first, then with those in which something has changed.
        paths: files and folders.

    Raises:
        ConfigError: the extra `watch` is not installed, or a path does not exist.
        IngestError: nothing of them all can be read at first.
    """
    changed: set[Path] = set()
    news = asyncio.Event()

    async def watch(path: Path) -> None:
        async for _ in changes(path):
            changed.add(path)
            news.set()

    watches = [asyncio.create_task(watch(path)) for path in paths]
    for each in watches:
        each.add_done_callback(lambda _: news.set())
    try:
        await asyncio.sleep(0)  # every watch begins
        _check(watches)
        yield await ingest(paths)
        while True:
            await news.wait()
            news.clear()
            _check(watches)
            now = [path for path in paths if path in changed]
            changed.clear()
            try:
                yield await ingest(now)
            except IngestError as error:
                yield error
    finally:
        for each in watches:
            each.cancel()
        await asyncio.gather(*watches, return_exceptions=True)


def _check(watches: Sequence[asyncio.Task[None]]) -> None:
    """Raise what ended one of them."""
    for each in watches:
        if each.done():
            each.result()

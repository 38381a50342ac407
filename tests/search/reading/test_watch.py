"""Files that change are told."""

import asyncio
import sys
from pathlib import Path

import pytest

from toolkit.errors import ConfigError
from toolkit.search.reading.watch import changes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path.resolve()


async def test_what_is_added_changed_and_removed_is_told(folder: Path) -> None:
    (folder / "old.md").write_text("old")
    (folder / "gone.md").write_text("gone")
    for name in (".git", "node_modules", "sub"):
        (folder / name).mkdir()
    told = changes(folder, quiet=0.05)
    seen: set[Path] = set()
    wanted = {folder / name for name in ("old.md", "gone.md", "sub/new.md", ".gitignore")}
    waiting = asyncio.ensure_future(anext(told))
    async with asyncio.timeout(30):
        while not wanted <= seen:
            for name in (".git/x", "node_modules/y.js", ".hidden", "sub/new.md", "old.md", ".gitignore"):
                (folder / name).write_text("new")
            (folder / "gone.md").unlink(missing_ok=True)
            await asyncio.wait([waiting], timeout=0.3)
            if waiting.done():
                seen |= waiting.result()
                waiting = asyncio.ensure_future(anext(told))
            elif folder / "gone.md" not in seen:
                (folder / "gone.md").write_text("there again: it went before anybody looked")
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await told.aclose()  # type: ignore[attr-defined] # it is a generator
    assert seen <= wanted | {folder / "sub"}


async def test_a_folder_that_is_not_there_is_told(folder: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        await anext(changes(folder / "missing"))


async def test_without_the_extra_the_message_says_how_to_get_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(ConfigError, match=r"pip install 'toolkit-mcp\[watch\]'"):
        await anext(changes(folder))

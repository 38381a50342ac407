import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import notebooks as nb
from toolkit.bridge import blocking, inside
from toolkit.errors import ConfigError, DatabaseUnavailable
from toolkit.toolkit import Toolkit


@pytest.fixture(autouse=True)
async def _none_open(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    opened: dict[str, Toolkit] = {}
    monkeypatch.setattr("notebooks.connection._open", opened)
    yield
    for toolkit in opened.values():
        await asyncio.to_thread(blocking(toolkit).close)


async def test_a_connected_toolkit_is_ready() -> None:
    tk = await nb.connect("sqlite://")
    assert [model.name for model in await tk.models.list(provider="offline")] == ["offline"]


async def test_connecting_again_gives_the_same_toolkit(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'work.db'}"
    first, again, other = await nb.connect(url), await nb.connect(url), await nb.connect("sqlite://")
    assert inside(first) == inside(again)
    assert inside(first) != inside(other)


async def test_the_address_of_the_environment_is_the_same_toolkit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLKIT_DATABASE_URL", "sqlite://")
    assert inside(await nb.connect()) == inside(await nb.connect("sqlite://"))


async def test_with_and_without_await_it_is_the_same_toolkit() -> None:
    tk = await nb.connect("sqlite://")
    session = await tk.sessions.create()
    same = await asyncio.to_thread(nb.connect_sync, "sqlite://")
    assert (await asyncio.to_thread(same.sessions.get, session.id)).id == session.id


async def test_a_closed_toolkit_is_opened_again(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'work.db'}"
    tk = await nb.connect(url)
    session = await tk.sessions.create()
    await tk.close()
    assert (await (await nb.connect(url)).sessions.get(session.id)).id == session.id


async def test_an_address_that_cannot_be_opened_is_told_each_time(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            await nb.connect(f"sqlite:///{tmp_path / 'file' / 'work.db'}")
    with pytest.raises(ConfigError):
        await nb.connect("mysql://localhost/x")


def test_it_is_closed_when_the_kernel_ends(tmp_path: Path) -> None:
    script = f"""
import asyncio, notebooks
from toolkit.toolkit import Toolkit

close = Toolkit.close

async def told(self):
    await close(self)
    print("closed", flush=True)

Toolkit.close = told

async def main():
    tk = await notebooks.connect("sqlite:///{tmp_path / "work.db"}")
    await tk.sessions.create()

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("closed\n", "", 0)


def test_importing_notebooks_imports_no_widgets() -> None:
    script = "import sys, notebooks; print(sorted({'ipywidgets', 'IPython', 'toolkit.toolkit'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["ChatPanel", "SearchPanel"])
def test_a_panel_without_ipywidgets_says_what_to_install(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(vars(nb), name, raising=False)
    monkeypatch.setattr("notebooks.find_spec", lambda _: None)
    with pytest.raises(ConfigError, match=rf"^{name} needs ipywidgets; install it with `pip install 'toolkit-mcp\["):
        getattr(nb, name)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = nb.Nothing

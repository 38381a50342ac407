import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import notebooks as nb
from toolkit.bridge import blocking, inside
from toolkit.errors import CassetteError, ConfigError, DatabaseUnavailable
from toolkit.testing.vendors import VendorServer
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


async def test_what_a_block_recorded_is_replayed_by_another_without_keys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "report.yaml"
    with VendorServer() as vendors, monkeypatch.context() as keys:
        for name, value in vendors.environ().items():
            keys.setenv(name, value)
        with nb.replay(file, record="once"):
            asked = await (await nb.connect("sqlite://")).complete("Which day is it?", model="gpt-6-luna")
    for name in vendors.environ():
        monkeypatch.delenv(name, raising=False)
    ids = []
    for _ in range(2):
        with nb.replay(file):
            tk = await nb.connect("sqlite://")
            assert (await tk.complete("Which day is it?", model="gpt-6-luna")).text == asked.text
            ids.append((await tk.sessions.create()).id)
    assert ids[0] == ids[1]


async def test_after_a_replay_the_environment_and_the_toolkit_are_those_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLKIT_RECORD", "once")
    monkeypatch.delenv("TOOLKIT_CASSETTE", raising=False)
    before = await nb.connect("sqlite://")
    with pytest.raises(CassetteError, match=r"There is no cassette .*gone\.yaml"), nb.replay(tmp_path / "gone.yaml"):
        await nb.connect("sqlite://")
    assert (os.environ["TOOLKIT_RECORD"], os.environ.get("TOOLKIT_CASSETTE")) == ("once", None)
    assert inside(await nb.connect("sqlite://")) == inside(before)


def test_a_later_recording_of_the_same_file_is_not_undone_at_exit(tmp_path: Path) -> None:
    script = """
import os, notebooks as nb
from toolkit.testing.vendors import VendorServer

with VendorServer() as vendors:
    os.environ |= vendors.environ()
    for question in ("first", "second"):
        with nb.replay("report.yaml", record="all"):
            nb.connect_sync("sqlite://").complete(question, model="gpt-6-luna")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stderr, done.returncode) == ("", 0)
    text = (tmp_path / "report.yaml").read_text(encoding="utf-8")
    assert "text: second" in text
    assert "first" not in text


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

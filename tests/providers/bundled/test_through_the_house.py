"""The embedded model through the table of models, the router and the ledger."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from toolkit import Toolkit
from toolkit.errors import NotFound, ToolkitError
from toolkit.messages import Usage
from toolkit.settings import Settings

ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
async def tk() -> AsyncIterator[Toolkit]:
    async with Toolkit.open(settings=Settings.from_env({}, database_url="sqlite://")) as made:
        yield made


async def test_it_is_asked_by_its_vendors_name_or_by_a_rows_and_costs_nothing(tk: Toolkit) -> None:
    await tk.models.add("bundled", "all-MiniLM-L6-v2", name="own", priority=5_000)
    by_name = await tk.router.embed(["A heron fishes."], model="own")
    by_vendor = await tk.router.embed(["A heron fishes."], model="bundled/all-MiniLM-L6-v2")
    assert by_name == by_vendor
    await tk.usage.flush()
    calls = await tk.usage.calls()
    assert [
        (call.kind, call.status, call.attempt.provider, call.attempt.usage, call.attempt.cost_nano_usd)
        for call in calls
    ] == [("embed", "ok", "bundled", Usage(6), 0)] * 2


async def test_another_model_of_its_is_told_in_words(tk: Toolkit) -> None:
    with pytest.raises(ToolkitError, match="There is no bundled model 'e5'"):
        await tk.router.embed(["a"], model="bundled/e5")
    with pytest.raises(NotFound):
        await tk.router.embed(["a"], model="bundle/all-MiniLM-L6-v2")


def test_nobody_is_told_of_it_and_nothing_is_written_into_the_home(tmp_path: Path) -> None:
    program = "from toolkit.providers.bundled.encoder import loaded; loaded().run(loaded().tokens('hi'))"
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from toolkit.bridge import awaitable
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer
from toolkit.toolkit import Toolkit


@pytest.fixture
def vendors() -> Iterator[VendorServer]:
    with VendorServer() as server:
        yield server


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'toolkit.db'}" if "elsewhere" in request.fixturenames else "sqlite://"


@pytest.fixture
def toolkit(vendors: VendorServer, url: str) -> Toolkit:
    return Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url=url))


@pytest.fixture
async def elsewhere(vendors: VendorServer, url: str) -> AsyncIterator[Any]:
    """Another toolkit on the same file, as another process has it."""
    async with awaitable(Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url=url))) as other:
        yield other


@pytest.fixture
async def tk(toolkit: Toolkit) -> AsyncIterator[Any]:
    """A toolkit as `notebooks.connect` gives it, whose first two models are played by `vendors`."""
    async with awaitable(toolkit) as opened:
        yield opened

from collections.abc import AsyncIterator, Iterator
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
def toolkit(vendors: VendorServer) -> Toolkit:
    return Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url="sqlite://"))


@pytest.fixture
async def tk(toolkit: Toolkit) -> AsyncIterator[Any]:
    """A toolkit as `notebooks.connect` gives it, whose first two models are played by `vendors`."""
    async with awaitable(toolkit) as opened:
        yield opened

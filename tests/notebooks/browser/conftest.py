"""One JupyterLab and one browser for all tests of a worker."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser import CHROMIUM
from tests.notebooks.lab import Lab, lab
from toolkit.testing.vendors import VendorServer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Lab]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium to show a notebook")
    with VendorServer() as vendors:
        async with lab(tmp_path_factory.mktemp("jupyter"), vendors) as running:
            yield running


@pytest.fixture
def jupyter(shared: Lab) -> Lab:
    """JupyterLab and its vendors, as if nothing had been before."""
    shared.vendors.recover()
    shared.vendors.requests.clear()
    for answers in shared.vendors._answers.values():
        answers.clear()
    return shared

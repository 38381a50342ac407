"""The pages over a real port, a vendor that this machine plays, and a person who has no JavaScript."""

from collections.abc import Iterator

import pytest

from tests.mcp_server.admin.person import Person
from tests.mcp_server.inside import Served, serving
from toolkit.testing.vendors import VendorServer


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One server that asks nobody who they are, for all tests of this process."""
    database = f"sqlite:///{tmp_path_factory.mktemp('admin') / 'toolkit.db'}"
    with VendorServer() as vendors, serving(database, vendors) as served:
        yield served


@pytest.fixture
def served(shared: Served) -> Served:
    """The same, as if nothing had been before."""
    shared.clear()
    return shared


@pytest.fixture
def person(served: Served) -> Iterator[Person]:
    """Somebody on this machine."""
    with Person(served.url) as somebody:
        yield somebody

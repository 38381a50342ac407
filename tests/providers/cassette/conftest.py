"""A router on a memory database whose calls go through a cassette, and clients of a server on this machine."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from toolkit import providers, stamps
from toolkit.db import open_database
from toolkit.messages import ChatRequest, Message
from toolkit.models.catalog import Catalog
from toolkit.models.router import Router
from toolkit.providers.base import Provider
from toolkit.providers.cassette import Cassette
from toolkit.settings import Record, Settings
from toolkit.testing.vendors import VendorServer
from toolkit.usage.ledger import Ledger

HELLO = ChatRequest((Message("user", "What is the capital of France?"),))

House: TypeAlias = Callable[..., AbstractAsyncContextManager[Router]]


@pytest.fixture
def vendors() -> Iterator[VendorServer]:
    with VendorServer() as server:
        yield server


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A cassette that is not there yet."""
    return tmp_path / "cassettes" / "test.yaml"


def text_of(file: Path) -> str:
    """What is in a file; empty where there is none."""
    return file.read_text(encoding="utf-8") if file.exists() else ""


def unreachable(name: str, _auth: Mapping[str, str], _config: Mapping[str, Any]) -> Provider:
    """Stands for a vendor that nobody may ask."""
    raise AssertionError(f"{name} was connected to in a replay")


@asynccontextmanager
async def house(
    cassette: Cassette, environ: Mapping[str, str] | None = None, connect: Any = providers.connect
) -> AsyncIterator[Router]:
    """The router, its database empty; in a replay without any variable and any vendor."""
    cassette.start()
    variables = cassette.environ(environ or {})
    db = open_database(Settings("sqlite://"))
    router = Router(
        Catalog(db, variables),
        Ledger(db),
        variables,
        connect=cassette.connect(unreachable if cassette.replays else connect),
        clock=stamps.monotonic,
        sleep=stamps.sleep,
    )
    try:
        await db.open()
        await router._candidates._catalog.seed()
        yield router
    finally:
        await router.close()
        await db.close()
        cassette.close()


@asynccontextmanager
async def recorded(file: Path, vendors: VendorServer, mode: Record = "all") -> AsyncIterator[Router]:
    environ = vendors.environ()
    async with house(Cassette.open(file, mode, environ=environ), environ) as router:
        yield router


@asynccontextmanager
async def replayed(file: Path) -> AsyncIterator[Router]:
    async with house(Cassette.open(file, "none", environ={})) as router:
        yield router

"""What a model does for search: it is asked only where somebody wants it, and search goes on without it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from toolkit import Toolkit
from toolkit.errors import ConfigError
from toolkit.settings import Settings
from toolkit.testing.vendors import Fault, VendorServer

PASSAGE = "# Guide\n\nIt then closes again after a minute."


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


@pytest.fixture
async def tk(vendors: VendorServer) -> AsyncIterator[Toolkit]:
    async with Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url="sqlite://")) as opened:
        yield opened


async def test_a_model_of_the_chain_describes_what_is_ingested(
    tk: Toolkit, vendors: VendorServer, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text(PASSAGE)
    vendors.say('{"answer": ["How long a circuit breaker stays open"]}')
    await tk.ingest(tmp_path, describe=True)
    (hit,) = await tk.search("breaker", mode="lexical")
    assert hit.heading == "Guide — How long a circuit breaker stays open"
    (request,) = vendors.requests
    assert "[1]\n# Guide\n\nIt then closes again" in str(request.body["messages"][-1]["content"])


async def test_what_nobody_described_is_ingested_all_the_same(
    tk: Toolkit, vendors: VendorServer, tmp_path: Path
) -> None:
    (tmp_path / "guide.md").write_text(PASSAGE)
    for vendor in ("openai", "anthropic"):
        vendors.fail(vendor, Fault.status(503), times=99)
    assert (await tk.ingest(tmp_path, describe=True)).added == 1
    (hit,) = await tk.search("closes", mode="lexical")
    assert hit.heading == "Guide"


async def test_to_describe_without_a_model_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text(PASSAGE)
    async with Toolkit.open(settings=Settings.from_env({}, database_url="sqlite://")) as tk:
        with pytest.raises(
            ConfigError, match="describe=True needs a language model; add one with `toolkit models add`"
        ):
            await tk.ingest(tmp_path, describe=True)
        assert not await tk.documents.collections()

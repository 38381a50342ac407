"""Servers that misbehave on purpose, and clients of them."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from mcp import Client

from tests.mcp_server.serving import ERAS, MISBEHAVING, held, over_http, stdio

GREET = """---
title: Greet
arguments:
  - {name: who, description: Whom to greet}
  - {name: how, required: false}
---
Say hello to {{ who }}{{ how }}.
"""

SEARCH_IN = """---
title: Search in
arguments:
  - name: question
  - name: collection
  - {name: tone, default: brief}
---
Look for {{ question }} in {{ collection }}, and be {{ tone }}.
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('toolkit') / 'toolkit.db'}"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a user who has prompts of their own."""
    folder = tmp_path_factory.mktemp("prompts")
    (folder / "greet.md").write_text(GREET, encoding="utf-8")
    (folder / "search_in.md").write_text(SEARCH_IN, encoding="utf-8")
    return {"TOOLKIT_PROMPTS_DIR": str(folder)}


@pytest.fixture(scope="module")
def http_url(database: str, settings: dict[str, str]) -> Iterator[str]:
    """One misbehaving server for all tests of a file."""
    with over_http(database, command=MISBEHAVING, env=settings) as (_, url):
        yield f"{url}/mcp"


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[f"{where} {era}" for where in ("stdio", "http") for era in ERAS]
)
async def client(request: pytest.FixtureRequest, database: str, settings: dict[str, str]) -> AsyncIterator[Client]:
    """A client of a misbehaving server: on each transport, in each era of the protocol."""
    where, era = request.param.split()
    server = (
        stdio(database, command=MISBEHAVING, env=settings) if where == "stdio" else request.getfixturevalue("http_url")
    )
    async with held(Client(server, mode=ERAS[era])) as connected:
        assert connected.protocol_version == era
        yield connected

"""A call that its client gives up, followed down to the vendor: on each transport, in each era of the protocol."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
from mcp import Client

from tests.mcp_server.serving import ERAS, PLAIN, held, over_http, stdio
from toolkit.testing.vendors import Asked, Fault, VendorServer
from toolkit.toolkit import Toolkit

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def vendors() -> Iterator[VendorServer]:
    """A vendor that hears a question and never answers."""
    with VendorServer() as made:
        made.fail("openai", Fault.hang())
        yield made


@pytest.fixture(scope="module")
def settings(vendors: VendorServer) -> dict[str, str]:
    return {"OPENAI_API_KEY": "test", "OPENAI_BASE_URL": vendors.openai_url}


@pytest.fixture(scope="module")
def http_url(database: str, settings: dict[str, str]) -> Iterator[str]:
    with over_http(database, "--tools", "chat,compare_models", command=PLAIN, env=settings) as (_, url):
        yield f"{url}/mcp"


@dataclass(frozen=True)
class Case:
    client: Client
    vendors: VendorServer
    database: str

    async def asked(self, count: int) -> list[Asked]:
        """What the vendor was asked from here on, as soon as there are `count` questions."""
        async with asyncio.timeout(30):
            while len(self.vendors.requests) < count:  # noqa: ASYNC110 - another process asks
                await asyncio.sleep(0.01)
        return self.vendors.requests[-count:]

    async def kept(self, count: int) -> set[str | None]:
        """How the last `count` questions ended, as soon as the ledger has them all."""
        async with Toolkit.open(self.database) as tk, asyncio.timeout(30):
            while len(calls := await tk.usage.calls()) < len(self.vendors.requests):  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        return {call.attempt.error for call in calls[:count]}


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[f"{where} {era}" for where in ("stdio", "http") for era in ERAS]
)
async def case(
    request: pytest.FixtureRequest, database: str, settings: dict[str, str], vendors: VendorServer
) -> AsyncIterator[Case]:
    where, era = request.param.split()
    server = (
        stdio(database, "--tools", "chat,compare_models", env=settings)
        if where == "stdio"
        else request.getfixturevalue("http_url")
    )
    async with held(Client(server, mode=ERAS[era])) as client:
        yield Case(client, vendors, database)


@pytest.mark.parametrize(
    ("tool", "arguments", "questions"),
    [
        ("chat", {"message": "Who are you?", "model": "openai/a"}, 1),
        ("compare_models", {"question": "Who are you?", "models": ["openai/a", "openai/b"]}, 2),
    ],
)
async def test_a_cancelled_call_closes_the_vendors_connections_and_the_ledger_says_so(
    case: Case, tool: str, arguments: dict[str, object], questions: int
) -> None:
    before = len(case.vendors.requests)
    call = asyncio.create_task(case.client.call_tool(tool, arguments))
    asked = (await case.asked(before + questions))[-questions:]
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    for each in asked:
        assert await asyncio.to_thread(each.abandoned.wait, 30), "the vendor still writes for nobody"
    assert await case.kept(questions) == {"Cancelled"}

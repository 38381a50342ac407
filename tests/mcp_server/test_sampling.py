"""The host's own model in the chain of the real command, lent by the SDK's client."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client, MCPError

from tests.mcp_server.lending import DECLINED, Lender, said
from tests.mcp_server.serving import ERAS, HELLO, over_http, started, stdio, text_of
from toolkit.messages import Attempt
from toolkit.toolkit import Toolkit

LEGACY, MODERN = ERAS
CHAT = {"message": "Who are you?"}


@pytest.fixture
async def chain(tmp_path: Path) -> str:
    """A database whose chain is the host's model, then one that always answers."""
    url = f"sqlite:///{tmp_path / 'toolkit.db'}"
    async with Toolkit.open(url) as tk:
        await tk.models.add("host", "default", name="host", priority=5)
        await tk.models.add("scripted", "m", name="next", priority=10, config={"say": ["I am the next one."]})
    return url


@pytest.fixture(params=["stdio", "http"])
def server(request: pytest.FixtureRequest, chain: str) -> Iterator[Any]:
    """The command over `chain`, as the SDK's client is told of it."""
    if request.param == "stdio":
        yield stdio(chain)
        return
    with over_http(chain) as (_, url):
        yield f"{url}/mcp"


@pytest.mark.parametrize("era", ERAS)
async def test_the_hosts_model_answers_and_the_reply_and_the_ledger_say_so(server: Any, chain: str, era: str) -> None:
    lender = Lender("I am the host's.")
    async with Client(server, mode=ERAS[era], sampling_callback=lender) as client:
        assert client.protocol_version == era
        result = await client.call_tool("chat", CHAT)
    assert text_of(result).startswith("I am the host's.\n(answered by host;")
    assert [(a["model"], a["ok"]) for a in result.structured_content["attempts"]] == [("host", True)]
    assert len(lender.asked) == 1
    [kept] = await ledger(chain)
    assert (kept.name, kept.ok, kept.cost_nano_usd) == ("host", True, None)


@pytest.mark.parametrize("era", ERAS)
async def test_where_the_host_lends_no_model_the_next_one_answers(server: Any, chain: str, era: str) -> None:
    async with Client(server, mode=ERAS[era]) as client:
        result = await client.call_tool("chat", CHAT)
    assert text_of(result).startswith("I am the next one.")
    first, second = result.structured_content["attempts"]
    assert (first["model"], first["error"]) == ("host", "ModelNotFound")
    assert "No agent host lends its model" in first["message"]
    assert (second["model"], second["ok"]) == ("next", True)
    assert {(kept.name, kept.ok) for kept in await ledger(chain)} == {("host", False), ("next", True)}


@pytest.mark.parametrize("line", [DECLINED, RuntimeError("The host's model is ill.")], ids=["declines", "fails"])
async def test_a_host_that_declines_or_fails_is_asked_once_and_the_next_model_answers(server: Any, line: Any) -> None:
    lender = Lender(line)
    async with Client(server, mode=ERAS[LEGACY], sampling_callback=lender) as client:
        result = await client.call_tool("chat", CHAT)
    assert text_of(result).startswith("I am the next one.")
    assert [(a["model"], a.get("error")) for a in result.structured_content["attempts"]] == [
        ("host", "ModelNotFound"),
        ("next", None),
    ]
    assert "The agent host did not lend its model" in result.structured_content["attempts"][0]["message"]
    assert len(lender.asked) == 1


async def test_a_host_that_does_not_answer_in_time_hears_that_nobody_waits_and_the_next_model_answers(
    server: Any, chain: str
) -> None:
    await hurry(chain)
    lender = Lender(None)
    async with Client(server, mode=ERAS[LEGACY], sampling_callback=lender) as client:
        result = await client.call_tool("chat", CHAT)
        await lender.abandoned.wait()
    assert text_of(result).startswith("I am the next one.")
    first = result.structured_content["attempts"][0]
    assert first["error"] == "ProviderTimeout"
    assert first["message"].startswith("The agent host's model took longer than 0.3 s")


async def test_a_call_whose_host_declines_and_stays_away_ends_without_asking_anybody_else(
    server: Any, chain: str
) -> None:
    await hurry(chain)
    async with Client(server, mode=ERAS[MODERN], sampling_callback=Lender(DECLINED)) as client:
        with pytest.raises(MCPError, match="User rejected"):
            await client.call_tool("chat", CHAT)
        assert [(kept.name, kept.error) for kept in await ledger(chain, least=1)] == [("host", "Cancelled")]
        assert not (await client.call_tool("chat", {**CHAT, "model": "next"})).is_error


def test_the_end_of_input_ends_a_call_that_waits_for_its_host(chain: str) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"sampling": {}},
    }
    with started(chain) as pipe:
        answer = pipe.ask(1, "tools/call", name="chat", arguments=CHAT, _meta=meta)
        assert answer["result"]["resultType"] == "input_required"
        code, out, log = pipe.end()
    assert (code, out) == (0, "")
    assert "Traceback" not in log


async def test_a_host_that_hears_only_the_stream_of_its_own_call_is_asked_there(chain: str) -> None:
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": LEGACY}
    with over_http(chain) as (_, url):
        async with httpx2.AsyncClient(base_url=url, headers=headers, timeout=20) as http:
            hello = {**HELLO, "capabilities": {"sampling": {}}}
            shaken = await http.post("/mcp", json=message(id=1, method="initialize", params=hello))
            http.headers["Mcp-Session-Id"] = shaken.headers["Mcp-Session-Id"]
            await http.post("/mcp", json=message(method="notifications/initialized"))
            call = message(id=2, method="tools/call", params={"name": "chat", "arguments": CHAT})
            async with http.stream("POST", "/mcp", json=call) as stream:
                events = (json.loads(line[6:]) async for line in stream.aiter_lines() if line.startswith("data: {"))
                asked = await anext(events)
                assert asked["method"] == "sampling/createMessage"
                answer = said("I am the host's.").model_dump(mode="json", by_alias=True, exclude_none=True)
                await http.post("/mcp", json=message(id=asked["id"], result=answer))
                told = await anext(events)
    assert told["result"]["structuredContent"]["model"] == "host"


def message(**more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", **more}


async def ledger(chain: str, *, least: int = 0) -> list[Attempt]:
    """What is kept of who was asked, as soon as there are so many."""
    async with Toolkit.open(chain) as tk, asyncio.timeout(20):
        while len(calls := await tk.usage.calls()) < least:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
        return [each.attempt for each in calls]


async def hurry(chain: str) -> None:
    """Give the host's model little time."""
    async with Toolkit.open(chain) as tk:
        await tk.models.set("host", config={"timeout": 0.3})

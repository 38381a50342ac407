"""Several servers over one database, and servers that are killed."""

import asyncio
import time
from typing import Any

from mcp import Client

from tests.mcp_server.serving import Pipe, piped, stdio, text_of
from toolkit.settings import Settings
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.toolkit import Toolkit


async def test_two_clients_that_write_at_the_same_time_lose_nothing_and_find_what_the_other_wrote(
    database_url: str,
) -> None:
    async with Client(stdio(database_url)) as ada, Client(stdio(database_url), mode="legacy") as bob:
        results = await asyncio.gather(
            *(
                client.call_tool("ingest", {"text": f"Note {n} of {who}: the kingfisher dives.", "collection": who})
                for n in range(10)
                for who, client in (("ada", ada), ("bob", bob))
            )
        )
        assert [text_of(result) for result in results if result.is_error] == []
        collections = await ada.call_tool("list_collections", {})
        found = await ada.call_tool("semantic_search", {"query": "Note 7 of bob", "collection": "bob"})
    counted = {c["name"]: c["documents"] for c in collections.structured_content["collections"]}
    assert counted == {"ada": 10, "bob": 10}
    assert "Note 7 of bob" in text_of(found)


async def test_a_session_begun_in_one_process_goes_on_in_another(database_url: str) -> None:
    async with VendorServer() as vendors:
        begun = stdio(database_url, "--tools", "sessions,chat", env=vendors.environ())
        async with Client(begun) as client:
            session = (await client.call_tool("create_session", {})).structured_content["id"]
            await client.call_tool("chat", {"message": "My name is Ada.", "session": session})
        async with Client(begun, mode="legacy") as client:
            await client.call_tool("chat", {"message": "What is my name?", "session": session})
        said = [message["content"] for message in vendors.requests[-1].body["messages"]]
    assert "My name is Ada." in str(said)


def test_a_server_killed_in_the_middle_of_a_turn_has_kept_every_turn_that_it_acknowledged(database_url: str) -> None:
    with VendorServer() as vendors, piped(database_url, "--tools", "sessions,chat", env=vendors.environ()) as pipe:
        session = _call(pipe, "create_session")["structuredContent"]["id"]
        for n in range(3):
            vendors.say(f"answer {n}")
            answered = _call(pipe, "chat", message=f"question {n}", session=session)
            assert f"answer {n}" in answered["content"][0]["text"]
        vendors.fail("openai", Fault.hang())
        vendors.fail("anthropic", Fault.hang())
        asked = len(vendors.requests)
        pipe.send(
            id=99,
            method="tools/call",
            params={"name": "chat", "arguments": {"message": "lost", "session": session}},
        )
        while len(vendors.requests) == asked:
            time.sleep(0.01)
        pipe.process.kill()
        pipe.end()
    said = asyncio.run(_messages(database_url, session))
    assert said == [text for n in range(3) for text in (f"question {n}", f"answer {n}")]


def _call(pipe: Pipe, tool: str, **arguments: Any) -> dict[str, Any]:
    result: dict[str, Any] = pipe.ask(2, "tools/call", name=tool, arguments=arguments)["result"]
    assert not result.get("isError"), result
    return result


async def _messages(url: str, session: str) -> list[str]:
    async with Toolkit.open(settings=Settings(url)) as tk:
        return [message.text for message in await tk.sessions.messages(session)]

"""A conversation goes from an agent host into a notebook and out over HTTP, each in a process or loop of its own."""

import httpx2
from mcp import Client

from notebooks.chat.panel import ChatPanel
from tests.mcp_server.serving import over_http, stdio
from toolkit.bridge import awaitable
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer
from toolkit.toolkit import Toolkit


async def test_a_session_begun_over_mcp_is_continued_in_a_panel_and_read_back_over_http(database_url: str) -> None:
    async with VendorServer() as vendors:
        vendors.say("Good morning, Ada.", "Your name is **Ada**.")
        async with Client(stdio(database_url, "--tools", "sessions,chat", env=vendors.environ())) as host:
            session = (await host.call_tool("create_session", {})).structured_content["id"]
            await host.call_tool("chat", {"message": "My name is Ada.", "session": session})

        settings = Settings.from_env(vendors.environ(), database_url=database_url)
        async with awaitable(Toolkit.open(settings=settings)) as tk:
            panel = ChatPanel(tk, session=session)
            reply = await panel.ask("What is my name?")
            shown = str(panel.transcript)
            panel.close()
        told = [message["content"] for message in vendors.requests[-1].body["messages"]]

        with over_http(database_url, env=vendors.environ()) as (_, url):
            async with httpx2.AsyncClient(base_url=url) as http:
                kept = (await http.get(f"/v1/sessions/{session}/messages")).raise_for_status().json()

    assert reply is not None
    assert reply.text == "Your name is **Ada**."
    assert "My name is Ada." in str(told)
    words = ["My name is Ada.", "Good morning, Ada.", "What is my name?", "Your name is **Ada**."]
    assert [shown.index(word) for word in words] == sorted(shown.index(word) for word in words)
    assert [(message["role"], message["content"]) for message in kept["messages"]] == list(
        zip(["user", "assistant"] * 2, words, strict=True)
    )

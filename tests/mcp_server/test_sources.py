"""Tools of other servers, offered on: what stands in `TOOLKIT_TOOLS_FILE` is a host's, too."""

import json
import sys
from pathlib import Path

import pytest
from mcp import Client

from tests.mcp_server.serving import piped, stdio, text_of

CHILD = Path(__file__).parent.parent / "tools" / "remote" / "mcp_child.py"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of a user who has a server of their own, and one that is gone."""
    file = tmp_path / "tools.json"
    servers = {"child": {"command": sys.executable, "args": [str(CHILD), "stdio"]}, "gone": {"command": "no-such-x"}}
    file.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    return {"TOOLKIT_TOOLS_FILE": str(file)}


async def test_a_tool_of_another_server_is_listed_and_called_like_our_own(database: str, env: dict[str, str]) -> None:
    async with Client(stdio(database, env=env)) as client:
        listed = {tool.name: tool for tool in (await client.list_tools()).tools}
        assert {"chat", "child__add"} <= set(listed)
        assert (await client.call_tool("child__add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        wrong = await client.call_tool("child__add", {"a": "x"})
    assert listed["child__add"].description == "Add two numbers."
    assert wrong.is_error
    assert "`a` must be a whole number" in text_of(wrong)


async def test_a_tool_of_another_server_can_be_called_by_who_never_asked_for_the_list(
    database: str, env: dict[str, str]
) -> None:
    with piped(database, env=env) as pipe:
        answer = pipe.ask(2, "tools/call", name="child__add", arguments={"a": 2})
    assert answer["result"]["structuredContent"] == {"result": 3}


async def test_tools_of_another_server_can_be_chosen_by_name(database: str, env: dict[str, str]) -> None:
    async with Client(stdio(database, "--tools", "child__add", env=env)) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["child__add", "read_more"]


def test_a_server_that_cannot_be_started_hides_no_tool_and_is_told_in_the_log(
    database: str, env: dict[str, str]
) -> None:
    with piped(database, env=env) as pipe:
        listed = pipe.ask(2, "tools/list")
        _, _, log = pipe.end()
    assert "chat" in {tool["name"] for tool in listed["result"]["tools"]}
    assert "The MCP server gone cannot be started" in log

"""The tools of a file, and of the servers that it names, are offered to a host beside our own."""

import json
import sys
from pathlib import Path

import pytest
from mcp import Client

from tests.mcp_server.serving import ERAS, stdio

SERVER = """
from mcp.server.mcpserver import MCPServer

server = MCPServer("birds")

@server.tool()
def sing(name: str) -> str:
    \"\"\"Have a bird sing.\"\"\"
    return f"{name} sings."

server.run()
"""


@pytest.mark.parametrize("era", ERAS)
async def test_tools_of_another_server_are_listed_and_called(tmp_path: Path, era: str) -> None:
    (tmp_path / "birds.py").write_text(SERVER, encoding="utf-8")
    tools = {"mcpServers": {"birds": {"command": sys.executable, "args": [str(tmp_path / "birds.py")]}}}
    (tmp_path / "tools.json").write_text(json.dumps(tools), encoding="utf-8")
    env = {"TOOLKIT_TOOLS_FILE": str(tmp_path / "tools.json")}
    async with Client(stdio(f"sqlite:///{tmp_path / 'x.db'}", env=env), mode=ERAS[era]) as client:
        listed = [tool.name for tool in (await client.list_tools()).tools]
        assert {"semantic_search", "birds__sing"} <= set(listed)
        result = await client.call_tool("birds__sing", {"name": "A wren"})
        assert "A wren sings." in str(result.content)


async def test_a_file_that_cannot_be_read_hides_none_of_our_own_tools(tmp_path: Path) -> None:
    (tmp_path / "tools.json").write_text("{", encoding="utf-8")
    env = {"TOOLKIT_TOOLS_FILE": str(tmp_path / "tools.json")}
    async with Client(stdio(f"sqlite:///{tmp_path / 'x.db'}", env=env), mode="auto") as client:
        assert "semantic_search" in [tool.name for tool in (await client.list_tools()).tools]

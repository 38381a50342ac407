"""A server whose database cannot be opened."""

from pathlib import Path

import pytest
from mcp import Client

from tests.mcp_server.serving import ERAS, over_http, stdio, text_of


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("where", ["stdio", "http"])
async def test_a_broken_database_is_told_by_the_first_tool_and_mended_while_the_server_lives(
    tmp_path: Path, where: str, era: str
) -> None:
    in_the_way = tmp_path / "folder"
    in_the_way.write_text("a file where a folder must be", encoding="utf-8")
    broken = f"sqlite:///{in_the_way / 'toolkit.db'}"
    if where == "stdio":
        async with Client(stdio(broken), mode=ERAS[era]) as client:
            await _told_and_mended(client, in_the_way)
    else:
        with over_http(broken) as (_, url):
            async with Client(f"{url}/mcp", mode=ERAS[era]) as client:
                await _told_and_mended(client, in_the_way)


async def _told_and_mended(client: Client, in_the_way: Path) -> None:
    assert (await client.list_tools()).tools
    for _ in range(2):
        result = await client.call_tool("list_collections", {})
        assert result.is_error
        assert str(in_the_way) in text_of(result)
        assert "Traceback" not in text_of(result)
    _mend(in_the_way)
    result = await client.call_tool("list_collections", {})
    assert not result.is_error, text_of(result)


def _mend(in_the_way: Path) -> None:
    in_the_way.unlink()
    in_the_way.mkdir()

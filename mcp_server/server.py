"""The MCP server: the toolkit's tools and prompts as they are, for both eras of the protocol.

It is built on the SDK's low-level `Server`: a tool's schema goes out as the registry wrote it.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from mcp.server import CacheHint, Server

import toolkit
from mcp_server.house import House
from mcp_server.instructions import USUAL, instructions
from mcp_server.presets import Offer
from mcp_server.prompts import Prompts
from mcp_server.resources import Resources
from mcp_server.rounds import Calls
from mcp_server.tools import Tools

# What is offered does not change while the process lives; only prompts are read anew, for the user may edit them.
_CACHE = CacheHint(ttl_ms=300_000, scope="public")


def create_server(house: House, offer: Offer | None = None) -> Server[Any]:
    """A server over `house` that any number of connections and transports may share.

    Args:
        house: assembled by the first list or call, opened by the first call; with an `offer` of its own, assembled
            now, because what the host is told depends on it; furnished before, if the offer names tools of sources.
        offer: which tools; by default the preset `default`.

    Raises:
        ConfigError: the offer names what does not exist.
    """
    offer = offer or Offer()
    tools, prompts, resources = Tools(house, offer), Prompts(house), Resources(house)
    offered = USUAL if offer.is_usual else frozenset(tool.name for tool in tools.offered())
    readable = "get_chunk" in offered  # who is not offered the documents as tools cannot have them as resources
    return Server(
        "toolkit",
        title="Toolkit",
        version=toolkit.__version__,
        instructions=instructions(offered),
        cache_hints={
            "tools/list": _CACHE,
            "server/discover": _CACHE,
            "resources/templates/list": _CACHE,
        },
        lifespan=_calls,
        get_tool_input_schema=tools.input_schema,
        on_list_tools=tools.list,
        on_call_tool=tools.call,
        on_list_prompts=prompts.list,
        on_get_prompt=prompts.get,
        on_list_resources=resources.list if readable else None,
        on_list_resource_templates=resources.list_templates if readable else None,
        on_read_resource=resources.read if readable else None,
    )


@asynccontextmanager
async def _calls(_server: Server[Any]) -> AsyncIterator[Calls]:
    calls = Calls()
    try:
        yield calls
    finally:
        await calls.close()

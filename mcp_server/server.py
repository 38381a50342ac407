"""The MCP server: the toolkit's tools and prompts as they are, for both eras of the protocol.

It is built on the SDK's low-level `Server`: a tool's schema goes out as the registry wrote it.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from mcp.server import CacheHint, Server
from mcp.server.caching import CacheableMethod
from mcp.types import NotificationParams

import toolkit
from mcp_server import apps, auth
from mcp_server.changes import Changes
from mcp_server.completions import Completions
from mcp_server.house import House
from mcp_server.instructions import USUAL, instructions
from mcp_server.operations import tracing
from mcp_server.presets import Offer
from mcp_server.prompts import Prompts
from mcp_server.resources import Resources
from mcp_server.rounds import Calls
from mcp_server.sealing import Sealer
from mcp_server.subscriptions import AnnouncingServer, Subscriptions
from mcp_server.tasks import Tasks
from mcp_server.tools import Tools

# Who listens hears when a list has changed; others have it as old as this. A read says for itself how long it holds.
_CACHE: Mapping[CacheableMethod, CacheHint] = {
    "server/discover": CacheHint(ttl_ms=300_000, scope="public"),
    "tools/list": CacheHint(ttl_ms=60_000, scope="public"),
    "prompts/list": CacheHint(ttl_ms=10_000, scope="public"),
    "resources/templates/list": CacheHint(ttl_ms=300_000, scope="public"),
    "resources/list": CacheHint(ttl_ms=5_000, scope="private"),
    "resources/read": CacheHint(),
}


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
    tools, changes = Tools(house, offer), Changes(house)
    offered = USUAL if offer.is_usual else frozenset(tools.offered())
    prompts, resources, completions = Prompts(house, changes), Resources(house, changes, offered), Completions(house)
    subscriptions = Subscriptions(changes, resources)
    tasks = Tasks(tools.call, house, offer, lambda ctx: auth.caller(ctx).owner)
    server = AnnouncingServer(
        "toolkit",
        title="Toolkit",
        version=toolkit.__version__,
        instructions=instructions(offered),
        cache_hints=_CACHE,
        lifespan=partial(_calls, house, tasks, changes),
        get_tool_input_schema=tools.input_schema,
        on_list_tools=tools.list,
        on_call_tool=tools.call,
        on_list_prompts=prompts.list,
        on_get_prompt=prompts.get,
        on_list_resources=resources.list if resources.any else None,
        on_list_resource_templates=resources.list_templates if resources.any else None,
        on_read_resource=resources.read if resources.any else None,
        on_subscribe_resource=subscriptions.subscribe if resources.any else None,
        on_unsubscribe_resource=subscriptions.unsubscribe if resources.any else None,
        on_subscriptions_listen=subscriptions.listen,
        on_completion=completions.complete,
    )
    server.add_notification_handler("notifications/initialized", NotificationParams, subscriptions.met)
    server.extensions[apps.EXTENSION] = {}
    tasks.join(server)
    tracing.where_collected(server)
    house.tell(lambda tk: tk.usage.watchers.add(tracing.hear))
    return server


@asynccontextmanager
async def _calls(house: House, tasks: Tasks, changes: Changes, _server: Server[Any]) -> AsyncIterator[Calls]:
    calls = Calls(lambda: Sealer.of(house.toolkit.settings.environ))
    try:
        async with changes.watched():
            yield calls
    finally:
        await tasks.close()
        await calls.close()

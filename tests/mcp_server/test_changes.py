"""What a host hears of changes, whoever makes them, on both transports and in both eras."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client, MCPError, StdioServerParameters
from mcp.client.subscriptions import Subscription
from mcp.shared.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
    event_from_wire,
)
from mcp.types import (
    EmptyResult,
    ServerNotification,
    SubscribeRequest,
    SubscribeRequestParams,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)

from mcp_server.changes import EACH_SECONDS, Changes
from mcp_server.house import House
from mcp_server.subscriptions import MOST
from tests.mcp_server.serving import ERAS, MISBEHAVING, held, over_http, stdio
from toolkit.search.documents import Document
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHILD = Path(__file__).parent.parent / "tools" / "remote" / "mcp_child.py"


@dataclass
class Host:
    """A client that hears, and the folder of its user."""

    client: Client
    server: str | StdioServerParameters
    folder: Path
    tk: Toolkit
    heard: list[ServerEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, message: Any) -> None:
        """Of a revision with a handshake: everything that is not an answer."""
        if isinstance(message, ServerNotification):
            wire = message.model_dump(mode="json", by_alias=True)
            if event := event_from_wire(wire["method"], wire.get("params")):
                self.take(event)

    async def listen(self, stream: Subscription) -> None:
        """Of 2026-07-28: what the stream says."""
        async for event in stream:
            self.take(event)

    def take(self, event: ServerEvent) -> None:
        self.heard.append(event)
        self.changed.set()

    @asynccontextmanager
    async def following(self, *uris: str) -> AsyncIterator[None]:
        """Hear of the lists, and of what is at `uris`."""
        self.heard.clear()
        if self.client.protocol_version == "2026-07-28":
            async with AsyncExitStack() as stack:
                stream = self.client.listen(
                    tools_list_changed=True,
                    prompts_list_changed=True,
                    resources_list_changed=True,
                    resource_subscriptions=uris,
                )
                task = asyncio.create_task(self.listen(await stack.enter_async_context(stream)))
                yield
                task.cancel()
            return
        await self.client.list_resources()  # who has the list hears when it changes
        for uri in uris:
            params = SubscribeRequestParams(uri=uri)
            await self.client.session.send_request(SubscribeRequest(params=params), EmptyResult)
        yield
        for uri in uris:
            ended = UnsubscribeRequestParams(uri=uri)
            await self.client.session.send_request(UnsubscribeRequest(params=ended), EmptyResult)

    async def told(self, *events: ServerEvent) -> None:
        """Wait until it has heard all of them."""
        async with asyncio.timeout(20):
            while not set(events) <= set(self.heard):
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("user")
    (folder / "prompts").mkdir()
    (folder / "tools.json").write_text('{"mcpServers": {}}', encoding="utf-8")
    return folder


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[f"{where} {era}" for where in ("stdio", "http") for era in ERAS]
)
async def host(request: pytest.FixtureRequest, folder: Path, database: str) -> AsyncIterator[Host]:
    """A host; another process, this one, has the same database open."""
    where, era = request.param.split()
    env = {"TOOLKIT_PROMPTS_DIR": str(folder / "prompts"), "TOOLKIT_TOOLS_FILE": str(folder / "tools.json")}
    async with AsyncExitStack() as stack:
        tk = await stack.enter_async_context(Toolkit.open(settings=Settings(database)))
        server: str | StdioServerParameters = stdio(database, command=MISBEHAVING, env=env)
        if where == "http":
            server = stack.enter_context(over_http(database, command=MISBEHAVING, env=env))[1] + "/mcp"
        host = Host(Client(server, mode=ERAS[era]), server, folder, tk)
        host.client.message_handler = host.hear
        await stack.enter_async_context(held(host.client))
        yield host


async def test_it_says_that_it_tells_when_a_list_changes(host: Host) -> None:
    told = host.client.server_capabilities
    assert told.tools
    assert told.prompts
    assert told.resources
    lists = (told.tools.list_changed, told.prompts.list_changed, told.resources.list_changed)
    assert (*lists, told.resources.subscribe) == (True, True, True, True)


async def test_a_document_that_another_process_adds_changes_and_removes_is_told(host: Host) -> None:
    async with host.following():
        await host.tk.ingest(Document("news", "One."))
        await host.told(ResourcesListChanged())
    [document] = await host.tk.documents.recent(matching="news")
    own = (f"toolkit://documents/{document.id}", f"toolkit://chunks/{document.id}-1")
    async with host.following(*own):
        await host.tk.ingest(Document("other", "Nobody follows this."))
        await host.tk.ingest(Document("news", "Two."))
        await host.told(*map(ResourceUpdated, own))
        assert {event.uri for event in host.heard if isinstance(event, ResourceUpdated)} == set(own)
        host.heard.clear()
        await host.tk.documents.remove_document(document.id)
        await host.told(ResourcesListChanged(), *map(ResourceUpdated, own))


async def test_what_one_client_follows_another_does_not_hear(host: Host) -> None:
    if isinstance(host.server, StdioServerParameters):
        pytest.skip("there a client has the server to itself")
    await host.tk.ingest(Document("mine", "One."))
    [document] = await host.tk.documents.recent(matching="mine")
    mode = "legacy" if host.client.protocol_version == "2025-11-25" else "auto"
    other = Host(Client(host.server, mode=mode), host.server, host.folder, host.tk)
    other.client.message_handler = other.hear
    own = f"toolkit://documents/{document.id}"
    async with other.client, other.following(), host.following(own):
        await host.tk.documents.remove_document(document.id)
        await host.told(ResourceUpdated(own), ResourcesListChanged())
        await other.told(ResourcesListChanged())
    assert ResourceUpdated(own) not in other.heard


async def test_a_session_and_what_is_spent_in_it_are_told(host: Host) -> None:
    session = await host.tk.sessions.create()
    async with host.following(f"toolkit://sessions/{session.id}", "toolkit://usage"):
        await host.tk.complete("Hello?", session=session.id, model="offline")
        await host.told(ResourceUpdated(f"toolkit://sessions/{session.id}"), ResourceUpdated("toolkit://usage"))
        await host.tk.sessions.delete(session.id)
        await host.told(ResourcesListChanged())


async def test_a_prompt_of_the_database_is_told_and_so_is_the_tool_that_it_is(host: Host) -> None:
    async with host.following():
        await host.client.list_tools()
        await host.tk.prompts.add("wish", "---\ntool: true\n---\nWish well.")
        await host.told(PromptsListChanged(), ToolsListChanged())
        assert "wish" in {prompt.name for prompt in (await host.client.list_prompts()).prompts}
        assert "wish" in {tool.name for tool in (await host.client.list_tools()).tools}
    async with host.following():
        await host.tk.prompts.remove("wish")
        await host.told(PromptsListChanged(), ToolsListChanged())


async def test_a_prompt_of_the_folder_is_there_at_once_and_told(host: Host) -> None:
    await host.client.list_tools()
    async with host.following():
        path = host.folder / "prompts" / "later.md"
        path.write_text("Say hello.", encoding="utf-8")
        await host.told(PromptsListChanged())
        assert "later" in {prompt.name for prompt in (await host.client.list_prompts()).prompts}
        path.unlink()


async def test_tools_of_a_file_and_of_the_servers_that_it_names_are_there_at_once_and_told(host: Host) -> None:
    file = host.folder / "tools.json"
    before = file.read_text(encoding="utf-8")
    assert "child__add" not in {tool.name for tool in (await host.client.list_tools()).tools}
    async with host.following():
        servers = {"child": {"command": sys.executable, "args": [str(CHILD), "stdio"]}}
        file.write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
        await host.told(ToolsListChanged())
        assert "child__add" in {tool.name for tool in (await host.client.list_tools()).tools}
        assert (await host.client.call_tool("child__add", {"a": 2, "b": 3})).structured_content == {"result": 5}
        host.heard.clear()
        file.write_text(before, encoding="utf-8")
        await host.told(ToolsListChanged())


async def test_what_is_not_there_cannot_be_subscribed_to_where_a_call_could_say_so(host: Host) -> None:
    if host.client.protocol_version == "2026-07-28":
        pytest.skip("there a stream may name what is not there yet")
    params = SubscribeRequestParams(uri="toolkit://sessions/nope")
    with pytest.raises(MCPError, match="There is no"):
        await host.client.session.send_request(SubscribeRequest(params=params), EmptyResult)


async def test_nobody_follows_without_end(host: Host) -> None:
    if host.client.protocol_version != "2026-07-28":
        pytest.skip("there each address is a call of its own")
    uris = [f"toolkit://sessions/{number}" for number in range(MOST + 1)]
    with pytest.raises(MCPError, match=f"More than {MOST} resources"):
        async with host.client.listen(resource_subscriptions=uris):
            pass


async def test_a_tool_that_a_program_adds_is_told_and_many_at_once_are_told_once_in_a_while() -> None:
    house = House(lambda: Toolkit.open(settings=Settings("sqlite://")))
    changes = Changes(house)
    heard: list[tuple[ServerEvent, float]] = []
    clock = asyncio.get_running_loop().time
    changes.subscribe(lambda event: heard.append((event, clock())))
    async with changes.watched():
        await house.furnish()
        await asyncio.sleep(0)  # the watch begins
        for number in range(3):
            house.toolkit.tools.add(_nothing, name=f"tool{number}")
            await asyncio.sleep(0.05)
        async with asyncio.timeout(20):
            while len(heard) < 2:  # noqa: ASYNC110 - the second comes by itself
                await asyncio.sleep(0.01)
    assert [event for event, _ in heard] == [ToolsListChanged()] * 2
    assert heard[1][1] - heard[0][1] >= EACH_SECONDS - 0.01
    await house.close()


async def _nothing() -> str:
    """Do nothing."""
    return ""


async def test_before_anybody_has_a_list_nothing_is_watched() -> None:
    def assemble() -> Toolkit:
        raise AssertionError("nobody needs it")

    changes = Changes(House(assemble))
    async with changes.watched():
        await asyncio.sleep(0.01)

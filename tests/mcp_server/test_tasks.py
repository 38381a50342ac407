"""Calls that a client asks after; the suite of conformance has the words of the protocol, here is what they are for."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client, MCPError
from mcp.server import Server
from mcp.types import INVALID_PARAMS, METHOD_NOT_FOUND, MISSING_REQUIRED_CLIENT_CAPABILITY, SamplingCapability

import mcp_server.task
import mcp_server.tasks
from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.rounds import Calls
from mcp_server.sampling import Context
from mcp_server.server import create_server
from mcp_server.tasks import Tasks, takes_long
from mcp_server.tools import Tools
from tests.mcp_server.lending import Lender
from tests.mcp_server.polling import Tasks as Polling
from tests.mcp_server.polling import ask, begin, ended, until
from tests.mcp_server.serving import PLAIN, held, over_http, stdio, text_of
from toolkit.toolkit import Toolkit
from toolkit.tools.tool import ToolContext

FIXTURES = [*PLAIN[:-1], "tests.mcp_server.conformance.fixtures"]


class Program:
    """A toolkit with tools that take long, and what happened in them."""

    def __init__(self) -> None:
        self.tk = Toolkit.open("sqlite://")
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()
        for function in (self.work, self.ask_host):
            self.tk.tools.add(function, open_world=True)
        self.tk.tools.add(self.rest)

    async def work(self, context: ToolContext) -> str:
        """Wait for the test."""
        await context.progress(3, 7, "reading")
        self.begun.set()
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.set()
            raise
        return "worked"

    async def ask_host(self) -> str:
        """Ask the host's model, after some time."""
        await asyncio.sleep(mcp_server.task.GRACE_SECONDS * 2)
        try:
            return (await self.tk.complete("Who are you?", model="host/default")).text
        except asyncio.CancelledError:
            self.cancelled.set()
            raise

    async def rest(self) -> str:
        """Take some time, but not so much that anybody would ask after it."""
        await asyncio.sleep(mcp_server.task.GRACE_SECONDS * 1.5)
        return "rested"

    @asynccontextmanager
    async def served(self, *, tasks: bool = True, **more: Any) -> AsyncIterator[Client]:
        server = create_server(House(lambda: self.tk), Offer.of("work,ask_host,rest"))
        async with Client(server, extensions=[Polling()] if tasks else [], **more) as client:
            yield client


@pytest.fixture
async def program(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Program]:
    monkeypatch.setattr(mcp_server.task, "GRACE_SECONDS", 0.05)
    made = Program()
    async with made.tk:
        yield made


@pytest.fixture(scope="module")
def http_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with over_http(f"sqlite:///{tmp_path_factory.mktemp('http') / 'toolkit.db'}", command=FIXTURES) as (_, url):
        yield f"{url}/mcp"


@pytest_asyncio.fixture(params=["stdio", "http"])
async def remote(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Client]:
    """A client that knows tasks, of a server in a process of its own."""
    database = f"sqlite:///{tmp_path / 'toolkit.db'}"
    server = stdio(database, command=FIXTURES) if request.param == "stdio" else request.getfixturevalue("http_url")
    async with held(Client(server, extensions=[Polling()])) as client:
        yield client


async def test_a_call_that_takes_long_becomes_a_task_that_has_the_same_result_in_the_end(remote: Client) -> None:
    task = await begin(remote, "slow_compute", seconds=0.8, label="it")
    assert task.status == "working"
    told = await ended(remote.session, task.task_id)
    assert told.result
    assert told.result["content"] == [{"type": "text", "text": "computed it"}]
    assert told.result["structuredContent"] == {"result": "computed it"}
    assert text_of(await remote.call_tool("slow_compute", {"label": "soon"})) == "computed soon"


async def test_a_task_outlives_the_connection_that_began_it_where_the_server_does(http_url: str) -> None:
    async with Client(http_url, extensions=[Polling()]) as first:
        task = await begin(first, "slow_compute", seconds=0.8, label="later")
    async with Client(http_url, extensions=[Polling()]) as second:
        assert (await ended(second.session, task.task_id)).status == "completed"


async def test_what_takes_a_moment_only_is_answered_at_once(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mcp_server.task, "GRACE_SECONDS", 30)
    program.go_on.set()
    async with program.served() as client:
        polling = client.extensions[0]  # type: ignore[index]
        assert isinstance(polling, Polling)
        assert text_of(await client.call_tool("work")) == "worked"
        assert polling.made == []


async def test_a_tool_that_cannot_take_long_never_becomes_a_task(program: Program) -> None:
    async with program.served() as client:
        polling = client.extensions[0]  # type: ignore[index]
        assert isinstance(polling, Polling)
        assert text_of(await client.call_tool("rest")) == "rested"
        assert polling.made == []


@pytest.mark.parametrize("more", [{"tasks": False}, {"mode": "legacy"}])
async def test_a_client_that_knows_no_tasks_waits_for_its_answer(program: Program, more: dict[str, Any]) -> None:
    async with program.served(**more) as client:
        call = asyncio.create_task(client.call_tool("work"))
        await asyncio.sleep(mcp_server.task.GRACE_SECONDS * 2)
        program.go_on.set()
        assert text_of(await call) == "worked"
        with pytest.raises(MCPError) as raised:
            await ask(client.session, "get", "nothing")
    expected = METHOD_NOT_FOUND if "mode" in more else MISSING_REQUIRED_CLIENT_CAPABILITY
    assert raised.value.code == expected


async def test_a_task_says_how_far_it_is_in_the_words_of_the_tool(program: Program) -> None:
    async with program.served() as client:
        task = await begin(client, "work")
        await program.begun.wait()
        assert (await ask(client.session, "get", task.task_id)).status_message == "reading (3 of 7)"


async def test_cancelling_a_task_cancels_the_work(program: Program) -> None:
    async with program.served() as client:
        task = await begin(client, "work")
        await program.begun.wait()
        await ask(client.session, "cancel", task.task_id)
        await asyncio.wait_for(program.cancelled.wait(), 5)
        assert (await ended(client.session, task.task_id)).status == "cancelled"


async def test_a_server_that_ends_cancels_its_tasks(program: Program) -> None:
    async with program.served() as client:
        await begin(client, "work")
        await program.begun.wait()
    await asyncio.wait_for(program.cancelled.wait(), 5)


async def test_a_task_asks_for_the_hosts_model_and_goes_on_with_what_is_brought(program: Program) -> None:
    async with program.served(sampling_callback=Lender("unused"), sampling_capabilities=SamplingCapability()) as client:
        task = await begin(client, "ask_host")
        waiting = await until(client.session, task.task_id, lambda told: told.status == "input_required")
        [(key, request)] = (waiting.input_requests or {}).items()
        assert request["method"] == "sampling/createMessage"
        with pytest.raises(MCPError, match="answers no request"):
            await ask(client.session, "update", task.task_id, input_responses={key: 7})
        brought = {"role": "assistant", "content": {"type": "text", "text": "I am it."}, "model": "m"}
        await ask(client.session, "update", task.task_id, input_responses={"other": brought, key: brought})
        told = await ended(client.session, task.task_id)
    assert told.result
    assert told.result["content"][0]["text"] == "I am it."


async def test_cancelling_a_task_that_waits_for_its_host_ends_the_call_too(program: Program) -> None:
    async with program.served(sampling_callback=Lender("unused"), sampling_capabilities=SamplingCapability()) as client:
        task = await begin(client, "ask_host")
        await until(client.session, task.task_id, lambda told: told.status == "input_required")
        await ask(client.session, "cancel", task.task_id)
        await asyncio.wait_for(program.cancelled.wait(), 5)


async def test_a_client_that_goes_away_before_it_has_a_task_cancels_the_call(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_server.task, "GRACE_SECONDS", 30)
    async with program.served() as client:
        call = asyncio.create_task(client.call_tool("work"))
        await program.begun.wait()
        call.cancel()
        await asyncio.wait_for(program.cancelled.wait(), 5)


async def test_where_no_more_tasks_can_be_kept_calls_are_answered_directly(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mcp_server.tasks, "MOST", 1)
    async with program.served() as client:
        await begin(client, "work")
        call = asyncio.create_task(client.call_tool("work"))
        await asyncio.sleep(mcp_server.task.GRACE_SECONDS * 2)
        assert not call.done()
        program.go_on.set()
        assert text_of(await call) == "worked"
        polling = client.extensions[0]  # type: ignore[index]
        assert isinstance(polling, Polling)
        assert polling.made == []


async def test_a_result_is_kept_until_it_was_read_or_its_time_is_over(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with program.served() as client:
        unread, read = await begin(client, "work"), await begin(client, "work")
        program.go_on.set()
        monkeypatch.setattr(mcp_server.task, "READ_SECONDS", 0)
        told = await ended(client.session, read.task_id)
        assert told.ttl_ms < unread.ttl_ms
        await asyncio.sleep(0.01)
        with pytest.raises(MCPError, match="call the tool again") as raised:
            await ask(client.session, "get", read.task_id)
        assert raised.value.code == INVALID_PARAMS
        assert (await ended(client.session, unread.task_id)).status == "completed"


async def test_the_task_of_one_user_is_not_there_for_another(program: Program) -> None:
    who = ["ada"]
    house, offer = House(lambda: program.tk), Offer.of("work")
    tasks = Tasks(Tools(house, offer).call, house, offer, lambda _ctx: who[0])

    @asynccontextmanager
    async def lifespan(_server: Server[Any]) -> AsyncIterator[Calls]:
        yield Calls()

    server: Server[Any] = Server("toolkit", lifespan=lifespan)
    tasks.join(server)
    async with Client(server, extensions=[Polling()]) as client:
        task = await begin(client, "work")
        who[0] = "bob"
        for verb in ("get", "cancel"):
            with pytest.raises(MCPError, match="There is no such task"):
                await ask(client.session, verb, task.task_id)
        who[0] = "ada"
        assert (await ask(client.session, "get", task.task_id)).status == "working"
    await tasks.close()


async def test_a_defect_fails_the_task_and_only_the_log_says_why(
    program: Program, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(_self: Tools, _ctx: Context, _params: Any) -> Any:
        await asyncio.sleep(mcp_server.task.GRACE_SECONDS * 2)
        raise RuntimeError("the key in /etc/secret")

    monkeypatch.setattr(Tools, "call", broken)
    async with program.served() as client:
        told = await ended(client.session, (await begin(client, "work")).task_id)
    assert told.status == "failed"
    assert told.error == {"code": -32603, "message": told.status_message}
    assert "secret" not in str(told)
    assert "the key in /etc/secret" in caplog.text


async def test_these_tools_of_the_toolkit_can_become_tasks(program: Program) -> None:
    assert {tool.name for tool in program.tk.tools.list() if takes_long(tool)} == {
        "ask", "chat", "ingest", "compare_models", "review_code", "analyze_architecture", "generate_docs",
        "work", "ask_host",
    }  # fmt: skip

"""Two real servers over one Postgres behind a balancer: which of them answers makes no difference."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion

from tests.mcp_server.gateway.conftest import LARGE, SMALL
from tests.mcp_server.gateway.round_robin import RoundRobin
from tests.mcp_server.gateway.test_chat import toolkit_of
from tests.mcp_server.serving import over_http
from toolkit.access.keys import REMEMBERED
from toolkit.settings import Settings
from toolkit.testing.faults import Fault
from toolkit.testing.vendors import VendorServer
from toolkit.toolkit import Toolkit

ADMIN = "a-key-of-somebody-who-administers"
IMPATIENT = [sys.executable, "-m", "tests.mcp_server.gateway.impatient"]
CLIENTS = 8


@dataclass(frozen=True, slots=True)
class Pair:
    """Two replicas, their vendors, how a third one would be started, and Bob's key."""

    first: str
    second: str
    vendors: VendorServer
    database: str
    env: dict[str, str]
    bobs: str


@pytest.fixture(scope="module")
def pair(postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    with VendorServer() as vendors, ExitStack() as stack:
        folder = tmp_path_factory.mktemp("replicas")
        tools = folder / "tools.json"
        tools.write_text(json.dumps({"tools": [_tool(vendors)]}), encoding="utf-8")
        env = {
            **vendors.environ(),
            "TOOLKIT_SCHEMA": "replicas",
            "TOOLKIT_API_KEYS": ADMIN,
            "TOOLKIT_TOOLS_FILE": str(tools),
            "XDG_DATA_HOME": str(folder),
        }
        bobs = stack.enter_context(ThreadPoolExecutor(1)).submit(asyncio.run, _furnish(postgres_dsn, env)).result()
        first, second = (stack.enter_context(over_http(postgres_dsn, env=env))[1] for _ in range(2))
        yield Pair(first, second, vendors, postgres_dsn, env, bobs)


def _tool(vendors: VendorServer) -> dict[str, Any]:
    return {
        "name": "list_elsewhere",
        "description": "Lists what there is elsewhere.",
        "parameters": {"type": "object", "properties": {}},
        "read_only": True,
        "handler": {"type": "http", "url": f"{vendors.openai_url}/models", "method": "GET", "allow_private": True},
    }


async def _furnish(database: str, env: dict[str, str]) -> str:
    """Two models, and a key of Bob's, who may ask twice in a minute."""
    async with Toolkit.open(settings=Settings.from_env(env, database_url=database)) as tk:
        for seeded in await tk.models.list():
            await tk.models.remove(seeded.name)
        await tk.models.add("openai", "gpt-4o", name=LARGE, priority=10)
        await tk.models.add("openai", "gpt-4o-mini", name=SMALL, priority=20)
        await tk.limits.set("user", "bob", rpm=2)
        _, secret = await tk.keys.create("bob")
        return secret


@pytest.fixture(autouse=True)
def _forgetful(pair: Pair) -> None:
    pair.vendors.recover()
    pair.vendors.requests.clear()


@pytest.fixture
async def first(pair: Pair) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's own client of the one replica."""
    async with client_of(pair.first) as client:
        yield client


@pytest.fixture
async def second(pair: Pair) -> AsyncIterator[openai.AsyncOpenAI]:
    """The same of the other."""
    async with client_of(pair.second) as client:
        yield client


@pytest.fixture
async def tk(pair: Pair) -> AsyncIterator[Toolkit]:
    """A third program over the same tables."""
    async with Toolkit.open(settings=Settings.from_env(pair.env, database_url=pair.database)) as tk:
        yield tk


def client_of(url: str, key: str = ADMIN, retries: int = 0) -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=retries, timeout=60)


async def ask(client: openai.AsyncOpenAI, text: str, **more: Any) -> ChatCompletion:
    return await client.chat.completions.create(
        model="default", messages=[{"role": "user", "content": text}], extra_body=more
    )


async def begun(client: openai.AsyncOpenAI) -> str:
    """A new session."""
    session: Any = await client.post("/sessions", cast_to=object, body={})
    return str(session["id"])


async def said(client: openai.AsyncOpenAI, session: str) -> list[str]:
    """What a replica says was said in a session."""
    told: Any = await client.get(f"/sessions/{session}/messages", cast_to=object)
    return [message["content"] for message in told["messages"]]


async def test_a_session_begun_at_one_goes_on_at_the_other(
    pair: Pair, first: openai.AsyncOpenAI, second: openai.AsyncOpenAI
) -> None:
    session = await begun(first)
    await ask(first, "I am Ada.", session_id=session)
    await ask(second, "Who am I?", session_id=session)
    heard = [message["content"] for message in pair.vendors.requests[-1].body["messages"]]
    assert heard == ["I am Ada.", "You said: I am Ada.", "Who am I?"]
    assert await said(first, session) == [*heard, "You said: Who am I?"]


async def test_turns_of_one_session_at_both_at_once_are_put_in_order(
    pair: Pair, first: openai.AsyncOpenAI, second: openai.AsyncOpenAI
) -> None:
    session = await begun(first)
    pair.vendors.fail("openai", Fault.drip(0.002), times=6)
    await asyncio.gather(
        *(ask(client, f"Turn {n}", session_id=session) for n, client in enumerate([first, second] * 3))
    )
    heard = [[message["content"] for message in asked.body["messages"]] for asked in pair.vendors.requests]
    kept = await said(second, session)
    assert heard == [kept[: 2 * n + 1] for n in range(6)]
    assert sorted(kept[::2]) == [f"Turn {n}" for n in range(6)]
    assert kept[1::2] == [f"You said: {question}" for question in kept[::2]]


async def test_what_a_user_asks_at_both_counts_against_one_limit(pair: Pair) -> None:
    async with client_of(pair.first, pair.bobs) as first, client_of(pair.second, pair.bobs) as second:
        for client in (first, second):
            await ask(client, "Hello")
        for client in (first, second):
            with pytest.raises(openai.RateLimitError) as refused:
                await ask(client, "Hello")
            assert int(refused.value.response.headers["retry-after"]) > 0


async def test_an_answer_that_one_keeps_is_given_by_the_other_until_either_is_told_to_forget_it(
    pair: Pair, first: openai.AsyncOpenAI, second: openai.AsyncOpenAI
) -> None:
    async def cached(client: openai.AsyncOpenAI) -> bool:
        return bool(toolkit_of(await ask(client, "Once and again", cache=True))["cached"])

    assert [await cached(first), await cached(second)] == [False, True]
    for told, others in ((pair.first, (second, first)), (pair.second, (first, second))):
        async with httpx2.AsyncClient(base_url=told, headers={"authorization": f"Bearer {ADMIN}"}) as http:
            accepted = await http.post("/api/v1/events", json={"kind": "cache.invalidate"})
        assert (accepted.status_code, accepted.json()["result"]) == (202, {"invalidated": 1})
        assert [await cached(client) for client in others] == [False, True]


async def test_a_model_that_is_disabled_or_moved_is_so_at_both_within_a_second(
    tk: Toolkit, first: openai.AsyncOpenAI, second: openai.AsyncOpenAI
) -> None:
    for change, answers in (({"enabled": False}, SMALL), ({"enabled": True}, LARGE), ({"priority": 30}, SMALL)):
        await tk.models.set(LARGE, **change)
        await asyncio.sleep(1)
        for client in (first, second):
            assert (await ask(client, "Who are you?")).model == answers
    await tk.models.set(LARGE, priority=10)


async def test_a_key_that_is_revoked_is_refused_by_both_within_five_seconds(pair: Pair, tk: Toolkit) -> None:
    key, secret = await tk.keys.create("carol")
    async with client_of(pair.first, secret) as first, client_of(pair.second, secret) as second:
        for client in (first, second):
            assert [model.id async for model in client.models.list()]
        await tk.keys.revoke(key.id)
        await asyncio.sleep(REMEMBERED)
        for client in (first, second):
            with pytest.raises(openai.AuthenticationError):
                await client.models.list()


async def test_the_tools_of_a_file_are_there_at_both(first: openai.AsyncOpenAI, second: openai.AsyncOpenAI) -> None:
    for client in (first, second):
        listed: Any = await client.get("/tools", cast_to=object)
        assert "list_elsewhere" in [tool["name"] for tool in listed["tools"]]
        called: Any = await client.post("/tools/execute", cast_to=object, body={"name": "list_elsewhere"})
        assert called["success"], called


async def test_of_a_replica_killed_under_load_every_acknowledged_turn_is_kept_once_and_who_retries_is_answered(
    pair: Pair, tk: Toolkit
) -> None:
    acknowledged: list[tuple[str, str, str]] = []

    async def turn(client: openai.AsyncOpenAI, session: str, text: str) -> None:
        answer = await ask(client, text, session_id=session)
        assert answer.choices[0].message.content == f"You said: {text}"
        acknowledged.append((session, toolkit_of(answer)["call_id"], text))

    with over_http(pair.database, command=IMPATIENT, env=pair.env) as (process, victim):
        async with (
            RoundRobin([int(url.rpartition(":")[2]) for url in (pair.first, victim)]) as proxy,
            AsyncExitStack() as stack,
        ):
            clients = [await stack.enter_async_context(client_of(proxy.url, retries=5)) for _ in range(CLIENTS)]
            sessions = [await begun(client) for client in clients]  # every second one at the victim, where it stays

            async def everybody(text: str) -> None:
                await asyncio.gather(*(turn(*each, text) for each in zip(clients, sessions, strict=True)))

            await everybody("Before")
            pair.vendors.requests.clear()
            pair.vendors.fail("openai", Fault.drip(0.02), times=CLIENTS)
            meanwhile = asyncio.create_task(everybody("Meanwhile"))
            while len(pair.vendors.requests) < CLIENTS:  # noqa: ASYNC110 - they come from other processes
                await asyncio.sleep(0.01)
            process.kill()
            await meanwhile
            assert len(pair.vendors.requests) == CLIENTS + CLIENTS // 2
            await everybody("After")
    rows = await tk.db.fetch_all("SELECT session_id, call_id, role FROM messages WHERE call_id IS NOT NULL")
    kept = Counter((row["session_id"], row["call_id"]) for row in rows)
    assert [kept[session, call_id] for session, call_id, _ in acknowledged] == [2] * 3 * CLIENTS
    async with client_of(pair.second) as client:
        for session in sessions:
            turns = [f"{begins}{text}" for text in ("Before", "Meanwhile", "After") for begins in ("", "You said: ")]
            assert await said(client, session) == turns

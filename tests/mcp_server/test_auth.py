"""Who may do what over HTTP: real servers, the SDK's real clients in both eras, and raw requests for the protocol."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from mcp import Client
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken

from tests.mcp_server.issuer import Issuer, issuing
from tests.mcp_server.serving import ERAS, HELLO, over_http, text_of
from toolkit.search.documents import Document
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

SECRET = "a secret of at least thirty-two bytes"
TOOLS = ("--tools", "search,sessions,search-admin,list_models,usage_report,chat")
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}


@dataclass(frozen=True)
class Served:
    """A server that asks who calls: where it is, its issuer, and one key per kind of caller."""

    url: str
    issuer: Issuer
    keys: dict[str, str]

    def post(self, token: str | None, body: dict[str, Any], **headers: str) -> httpx2.Response:
        """A raw request to `/mcp`."""
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx2.post(f"{self.url}/mcp", json=body, headers={**JSON, **bearer, **headers})

    def get(self, path: str, token: str | None = None, **headers: str) -> httpx2.Response:
        return httpx2.get(
            self.url + path, headers={**({"Authorization": f"Bearer {token}"} if token else {}), **headers}
        )


async def _make_keys(database: str) -> dict[str, str]:
    scopes = {
        "ada": ["chat", "search"],
        "bob": ["chat", "search"],
        "reader": ["search"],
        "talker": ["chat"],
        "root": ["admin", "chat", "search"],
    }
    async with Toolkit.open(settings=Settings(database)) as tk:
        return {name: (await tk.keys.create(name, scopes=may))[1] for name, may in scopes.items()}


@pytest.fixture(scope="module")
def served(database: str) -> Iterator[Served]:
    keys = asyncio.run(_make_keys(database))
    with issuing() as issuer:
        env = {
            "TOOLKIT_API_KEYS": "first-key-of-the-environment, second-key-of-the-environment",
            "TOOLKIT_JWKS_URL": f"{issuer.url}/jwks",
            "TOOLKIT_JWT_ISSUER": issuer.url,
            "TOOLKIT_MAX_BODY_MB": "1",
            "TOOLKIT_ALLOWED_HOSTS": "toolkit.example.org",
            "TOOLKIT_TRUSTED_PROXIES": "127.0.0.1",
        }
        with over_http(database, *TOOLS, env=env) as (_, url):
            yield Served(url, issuer, keys)


@asynccontextmanager
async def connected(url: str, token: str, era: str) -> AsyncIterator[Client]:
    """The SDK's client with a bearer token."""
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
        transport = streamable_http_client(f"{url}/mcp", http_client=http)
        async with Client(transport, mode=ERAS[era]) as client:
            assert client.protocol_version == era
            yield client


INITIALIZE = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}


def test_without_a_token_it_says_where_one_is_to_be_had(served: Served) -> None:
    refused = served.post(None, INITIALIZE)
    assert refused.status_code == 401
    challenge = refused.headers["www-authenticate"]
    assert challenge == (
        f'Bearer scope="chat search", resource_metadata="{served.url}/.well-known/oauth-protected-resource/mcp"'
    )
    for place in ("/.well-known/oauth-protected-resource/mcp", "/.well-known/oauth-protected-resource"):
        told = served.get(place)
        assert told.json() == {
            "resource": f"{served.url}/mcp",
            "resource_name": "Toolkit",
            "scopes_supported": ["admin", "chat", "search"],
            "bearer_methods_supported": ["header"],
            "authorization_servers": [served.issuer.url],
        }


@pytest.mark.parametrize("token", ["nonsense", "tk_" + "A" * 43, "a.b.c", "first-key-of-the-environmen"])
def test_a_token_that_is_not_good_is_refused_as_such(served: Served, token: str) -> None:
    refused = served.post(token, INITIALIZE)
    assert refused.status_code == 401
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
    assert token not in refused.text + refused.headers["www-authenticate"]


def test_behind_a_proxy_that_is_trusted_its_address_is_the_one_that_was_called(served: Served) -> None:
    told = served.get(
        "/.well-known/oauth-protected-resource", Host="toolkit.example.org", **{"X-Forwarded-Proto": "https"}
    )
    assert told.json()["resource"] == "https://toolkit.example.org/mcp"


def test_a_token_without_any_scope_of_ours_is_refused(served: Served) -> None:
    refused = served.post(served.issuer.token(scope="email"), INITIALIZE)
    assert refused.status_code == 403
    assert 'error="insufficient_scope"' in refused.headers["www-authenticate"]
    assert 'scope="chat search"' in refused.headers["www-authenticate"]
    assert refused.json()["error"]["message"].endswith("admin or chat or search, and your token has none.")


def test_whether_it_lives_is_told_to_all_and_how_it_is_to_administrators(served: Served) -> None:
    ada, root = served.keys["ada"], served.keys["root"]
    assert served.get("/health").status_code == 200
    assert served.get("/health/ready").json() == {"status": "ready"}
    assert served.get("/health/ready", ada).json() == {"status": "ready"}
    assert served.get("/health/ready", root).json()["checks"]["database"]["ok"]
    assert served.get("/metrics").status_code == 401
    refused = served.get("/metrics", ada)
    assert (refused.status_code, 'scope="admin"' in refused.headers["www-authenticate"]) == (403, True)
    assert "toolkit_db_connections" in served.get("/metrics", root).text
    assert served.get("/nowhere").status_code == 401


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("kind", ["database", "environment", "jwt"])
async def test_the_sdk_s_client_calls_tools_with_a_token_of_each_kind(served: Served, kind: str, era: str) -> None:
    token = {
        "database": served.keys["ada"],
        "environment": "second-key-of-the-environment",
        "jwt": served.issuer.token("carol"),
    }[kind]
    async with connected(served.url, token, era) as client:
        assert len((await client.list_tools()).tools) > 5
        result = await client.call_tool("list_collections", {})
        assert not result.is_error, text_of(result)


class _Storage:
    tokens: OAuthToken | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return None

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None: ...


@pytest.mark.parametrize("era", ERAS)
async def test_the_sdk_s_oauth_client_finds_the_issuer_by_itself_and_gets_in(served: Served, era: str) -> None:
    auth = ClientCredentialsOAuthProvider(
        f"{served.url}/mcp", _Storage(), "robot", "secret", "client_secret_post", issuer=served.issuer.url
    )
    async with (
        httpx2.AsyncClient(auth=auth) as http,
        Client(streamable_http_client(f"{served.url}/mcp", http_client=http), mode=ERAS[era]) as client,
    ):
        made = await client.call_tool("create_session", {"title": "of the robot"})
        assert not made.is_error, text_of(made)
    assert served.issuer.resources[-1] == f"{served.url}/mcp"


@pytest.mark.parametrize("era", ERAS)
async def test_a_tool_that_needs_another_scope_says_which_and_the_list_is_the_same_for_all(
    served: Served, era: str
) -> None:
    async with connected(served.url, served.keys["root"], era) as client:
        everything = [tool.name for tool in (await client.list_tools()).tools]
    refused = {
        "reader": [("chat", "chat"), ("create_session", "chat"), ("ask", "chat"), ("delete_collection", "admin")],
        "talker": [("semantic_search", "search"), ("ingest", "search"), ("usage_report", "admin")],
    }
    arguments = {
        "chat": {"message": "x"},
        "ask": {"question": "x"},
        "semantic_search": {"query": "x"},
        "ingest": {"text": "x"},
        "delete_collection": {"collection": "x"},
    }
    for who, calls in refused.items():
        async with connected(served.url, served.keys[who], era) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == everything
            for tool, scope in calls:
                result = await client.call_tool(tool, arguments.get(tool, {}))
                assert result.is_error
                assert f"{tool} needs the scope {scope}, and your token has " in text_of(result)


async def test_a_file_of_the_server_s_machine_is_for_administrators(served: Served) -> None:
    path = str(Path(__file__))
    async with connected(served.url, served.keys["ada"], "2026-07-28") as client:
        result = await client.call_tool("ingest", {"path": path})
        assert "ingest and a `path` on the server needs the scope admin" in text_of(result)
    async with connected(served.url, served.keys["root"], "2026-07-28") as client:
        result = await client.call_tool("ingest", {"path": path, "collection": "files"})
        assert not result.is_error, text_of(result)


async def test_who_administers_does_so_for_everyone(served: Served, database: str) -> None:
    async with Toolkit.open(settings=Settings(database)) as tk:
        await tk.ingest(Document("old", "An old notice."), collection="notices")
    async with connected(served.url, served.keys["root"], "2026-07-28") as client:
        removed = await client.call_tool("delete_collection", {"collection": "notices", "confirm": True})
        assert not removed.is_error, text_of(removed)


@pytest.mark.parametrize("era", ERAS)
async def test_neither_of_two_users_sees_what_is_the_other_s(served: Served, era: str) -> None:
    async with (
        connected(served.url, served.keys["ada"], era) as ada,
        connected(served.url, served.keys["bob"], era) as bob,
    ):
        secret = f"The kingfisher of {era} nests under the third bridge."
        added = await ada.call_tool("ingest", {"text": secret, "title": "birds", "collection": f"private {era}"})
        assert not added.is_error, text_of(added)
        session = (await ada.call_tool("create_session", {"title": f"ada's {era}"})).structured_content["id"]
        [hit] = (await ada.call_tool("semantic_search", {"query": "kingfisher"})).structured_content["hits"][:1]
        chunk, document = hit["chunk_id"], hit["chunk_id"].rpartition("-")[0]
        assert secret in text_of(await ada.call_tool("get_chunk", {"chunk_id": chunk}))
        assert secret in str(await ada.read_resource(f"toolkit://documents/{document}"))

        listed = [await bob.call_tool(tool, {}) for tool in ("list_sessions", "list_collections")]
        found = await bob.call_tool("semantic_search", {"query": "kingfisher third bridge"})
        read = [
            await bob.call_tool(tool, arguments)
            for tool, arguments in (
                ("get_chunk", {"chunk_id": chunk}),
                ("get_session", {"session": session}),
                ("extend_session", {"session": session, "ttl_seconds": 60}),
                ("delete_session", {"session": session, "confirm": True}),
                ("chat", {"message": "x", "session": session}),
            )
        ]
        assert all(result.is_error for result in read)
        shown = [text_of(result) for result in (*listed, found, *read)]
        for uri in (f"toolkit://documents/{document}", f"toolkit://chunks/{chunk}", f"toolkit://sessions/{session}"):
            with pytest.raises(Exception, match=r"(?i)no such|there is no|not found") as refused:
                await bob.read_resource(uri)
            shown.append(str(refused.value))
        shown.append(str(await bob.list_resources()))
        for said in shown:
            assert not any(word in said for word in (secret, f"private {era}", f"ada's {era}")), said
        assert not (await ada.call_tool("get_session", {"session": session})).is_error


def test_a_session_of_the_handshake_s_era_belongs_to_who_has_opened_it(served: Served) -> None:
    opened = served.post(served.keys["ada"], INITIALIZE)
    session = {"Mcp-Session-Id": opened.headers["mcp-session-id"], "Mcp-Protocol-Version": "2025-11-25"}
    lists = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    served.post(served.keys["ada"], {"jsonrpc": "2.0", "method": "notifications/initialized"}, **session)
    assert served.post(served.keys["ada"], lists, **session).status_code == 200
    assert served.post(served.keys["bob"], lists, **session).status_code == 404
    assert served.post(served.issuer.token("ada"), lists, **session).status_code == 404
    assert served.post(None, lists, **session).status_code == 401
    assert served.post(served.keys["ada"], lists, **session).status_code == 200


async def test_an_expired_token_is_refused_though_it_was_good_before(served: Served) -> None:
    token = served.issuer.token("ada", exp=int(time.time()) - 9)  # within the leeway for one more second
    assert served.post(token, INITIALIZE).status_code == 200
    late = served.issuer.token("ada", exp=int(time.time()) - 11)
    assert served.post(late, INITIALIZE).status_code == 401


async def test_on_this_machine_the_first_key_closes_a_server_that_runs(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'toolkit.db'}"
    with over_http(database, env={"TOOLKIT_LOG_LEVEL": "INFO"}) as (process, url):
        assert httpx2.get(f"{url}/.well-known/oauth-protected-resource").status_code == 404
        async with Client(f"{url}/mcp") as client:
            secret = (await _make_keys(database))["ada"]
            refused = await client.call_tool("list_collections", {})
            assert refused.is_error
            assert "this server asks who calls" in text_of(refused)
        assert httpx2.post(f"{url}/mcp", json=INITIALIZE, headers=JSON).status_code == 401
        async with connected(url, secret, "2026-07-28") as client:
            assert not (await client.call_tool("list_collections", {})).is_error
        process.terminate()
        log = (await asyncio.to_thread(process.communicate, timeout=20))[1]
    assert "list_collections" in log
    assert secret not in log


async def test_replicas_share_keys_and_anyone_of_them_answers(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'toolkit.db'}"
    secret = (await _make_keys(database))["ada"]
    env = {"TOOLKIT_SECRET_KEY": SECRET}
    token = jwt.encode({"sub": "ada", "exp": int(time.time()) + 60}, SECRET, algorithm="HS256")
    with over_http(database, *TOOLS, env=env) as (_, one), over_http(database, *TOOLS, env=env) as (_, two):
        async with connected(one, secret, "2026-07-28") as client:
            session = (await client.call_tool("create_session", {})).structured_content["id"]
        async with connected(two, token, "2025-11-25") as client:
            assert not (await client.call_tool("get_session", {"session": session})).is_error
        async with Toolkit.open(settings=Settings(database)) as tk:
            await tk.keys.revoke("ada")
        async with asyncio.timeout(20):
            while _status(one, secret) == 200:  # noqa: ASYNC110 - another process looks the key up again
                await asyncio.sleep(0.2)
        assert _status(two, secret) == 401
        assert _status(two, token) == 200


def _status(url: str, token: str) -> int:
    return httpx2.post(f"{url}/mcp", json=INITIALIZE, headers={**JSON, "Authorization": f"Bearer {token}"}).status_code


async def test_other_machines_reach_it_only_where_somebody_can_prove_who_they_are(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'toolkit.db'}"
    await _make_keys(database)
    with over_http(database, address="0.0.0.0:0") as (_, url):
        port = url.rpartition(":")[2]
        near = f"http://127.0.0.1:{port}"
        assert httpx2.post(f"{near}/mcp", json=INITIALIZE, headers=JSON).status_code == 401
        assert httpx2.get(f"{near}/health").status_code == 200
        assert httpx2.get(f"{near}/health", headers={"Host": f"toolkit.example.org:{port}"}).status_code == 421
        assert httpx2.get(f"{near}/health/ready").json() == {"status": "ready"}

"""Names, pages and bodies: what is turned away before anybody looks at it."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from mcp_server.app import create_app
from mcp_server.guard import Bodies
from mcp_server.house import House
from mcp_server.server import create_server
from tests.mcp_server.serving import over_http
from toolkit.settings import HttpSettings, Settings
from toolkit.toolkit import Toolkit

PAGE = "https://chat.example.org"
ENV = {"TOOLKIT_ALLOWED_HOSTS": "toolkit.example.org, other.example.org:8443", "TOOLKIT_ALLOWED_ORIGINS": PAGE}
SETTINGS = HttpSettings.from_env(ENV | {"TOOLKIT_API_KEYS": "k", "TOOLKIT_MAX_BODY_MB": "1"})


@pytest.fixture(scope="module")
def public(database: str) -> Iterator[str]:
    """A server that other machines can reach."""
    env = {**ENV, "TOOLKIT_API_KEYS": "key", "TOOLKIT_MAX_BODY_MB": "1"}
    with over_http(database, env=env, address="0.0.0.0:0") as (_, url):
        yield url.replace("0.0.0.0", "127.0.0.1")


@pytest.mark.parametrize(
    "name", ["toolkit.example.org", "TOOLKIT.example.org:443", "other.example.org:8443", "localhost"]
)
def test_it_is_called_by_the_names_that_it_was_given(public: str, name: str) -> None:
    assert httpx2.get(f"{public}/health", headers={"Host": name}).status_code == 200


@pytest.mark.parametrize(
    "name",
    ["evil.example", "toolkit.example.org.evil.example", "other.example.org", "127.0.0.1.evil.example", "", "10.0.0.1"],
)
def test_another_name_is_not_its_own_on_a_public_address_either(public: str, name: str) -> None:
    assert httpx2.get(f"{public}/health", headers={"Host": name}).status_code == 421


def test_the_address_at_which_it_was_called_is_a_name_of_its_own() -> None:
    assert _get("/health", "10.1.2.3:8080", server="10.1.2.3") == 200
    assert _get("/health", "[fd00::1]:8080", server="fd00::1") == 200
    assert _get("/health", "10.1.2.4:8080", server="10.1.2.3") == 421


def _get(path: str, host: str, *, server: str) -> int:
    """One request to the application itself, that came in at the address `server`."""
    house = House(lambda: Toolkit.open(settings=Settings("sqlite://")))
    app = create_app(create_server(house), house, SETTINGS)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "headers": [(b"host", host.encode())],
        "server": (server, 8080),
        "client": ("10.9.9.9", 1),
    }
    asyncio.run(app(scope, receive, send))
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:6274", "http://127.0.0.1", "https://toolkit.example.org"])
def test_a_page_that_may_call_is_told_so_before_it_has_a_token(public: str, origin: str) -> None:
    asked = httpx2.options(
        f"{public}/mcp",
        headers={
            "Host": "toolkit.example.org",
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization, content-type, mcp-method, mcp-name, mcp-param-region",
        },
    )
    if origin == "https://toolkit.example.org":  # its own page: the browser does not ask, and nothing need be said
        assert asked.status_code in (200, 400)
        return
    assert asked.status_code == 200
    assert asked.headers["access-control-allow-origin"] == origin
    assert "POST" in asked.headers["access-control-allow-methods"]
    for header in ("authorization", "mcp-method", "mcp-name", "mcp-param-region"):
        assert header in asked.headers["access-control-allow-headers"]
    refused = httpx2.post(f"{public}/mcp", headers={"Origin": origin}, json={})
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == origin
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]


@pytest.mark.parametrize("origin", ["https://evil.example", f"{PAGE}.evil.example", "http://chat.example.org", "null"])
def test_any_other_page_is_turned_away_and_told_nothing(public: str, origin: str) -> None:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for answer in (
        httpx2.options(f"{public}/mcp", headers=headers),
        httpx2.post(f"{public}/mcp", json={}, headers={"Origin": origin, "Authorization": "Bearer key"}),
        httpx2.get(f"{public}/health", headers={"Origin": origin}),
    ):
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers


HEADERS = {
    "Authorization": "Bearer key",
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_however_it_comes(public: str, chunked: bool) -> None:
    body = b'{"x": "' + b"x" * 1_100_000 + b'"}'
    content: Any = (body[n : n + 65_536] for n in range(0, len(body), 65_536)) if chunked else body
    refused = httpx2.post(f"{public}/mcp", content=content, headers=HEADERS)
    assert refused.status_code == 413
    assert "larger than 1 MB; TOOLKIT_MAX_BODY_MB says how large it may be" in refused.text


def test_who_has_no_token_is_refused_before_the_body_is_read(public: str) -> None:
    host, port = public.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(b"POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
        assert raw.recv(100).startswith(b"HTTP/1.1 401")


async def test_a_body_that_does_not_come_is_not_waited_for() -> None:
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return {"type": "http.request", "body": b"x", "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    async def app(*_: object) -> None:
        raise AssertionError("nobody is to see it")

    scope = {"type": "http", "method": "POST", "headers": []}
    await Bodies(app, 1000, seconds=0.05)(scope, receive, send)
    assert sent[0]["status"] == 408
    assert (b"connection", b"close") in sent[0]["headers"]


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("TOOLKIT_ALLOWED_HOSTS", "https://toolkit.example.org", "write names alone"),
        ("TOOLKIT_ALLOWED_HOSTS", "*", "write names alone"),
        ("TOOLKIT_ALLOWED_ORIGINS", "*", "write scheme and name"),
        ("TOOLKIT_ALLOWED_ORIGINS", "chat.example.org", "write scheme and name"),
        ("TOOLKIT_ALLOWED_ORIGINS", "https://chat.example.org/", "write scheme and name"),
        ("TOOLKIT_TRUSTED_PROXIES", "proxy.example.org", "write addresses or networks"),
        ("TOOLKIT_JWKS_URL", "http://login.example.org/jwks", "begins with https://"),
        ("TOOLKIT_JWKS_URL", "file:///etc/passwd", "begins with https://"),
        ("TOOLKIT_MAX_BODY_MB", "0", "at least 1"),
    ],
)
def test_a_setting_that_cannot_be_used_names_itself(name: str, value: str, sentence: str) -> None:
    with pytest.raises(Exception, match=f"{name}.*{sentence}"):
        HttpSettings.from_env({name: value})


def test_no_setting_shows_a_secret() -> None:
    shown = repr(Settings.from_env({"TOOLKIT_API_KEYS": "hunter2", "TOOLKIT_SECRET_KEY": "swordfish"}))
    assert "hunter2" not in shown
    assert "swordfish" not in shown

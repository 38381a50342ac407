import asyncio
import ipaddress
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.tools.remote.web import response, web
from toolkit.errors import ToolError
from toolkit.tools.remote.addresses import CheckedTransport, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.3",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "240.0.0.1",
        "192.0.2.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fd00:ec2::254",
        "fec0::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "2001:0:4136:e378:8000:63bf:80ff:fffe",
    ],
)
def test_an_address_that_is_not_of_the_internet_is_told_from_one_that_is(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_an_address_of_the_internet_may_be_reached(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


def request(url: str) -> httpx2.Request:
    return httpx2.Request("GET", url, extensions={"timeout": {"connect": 10.0}})


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "0.0.0.0",
    ],
)
async def test_no_way_of_writing_this_machine_reaches_it(host: str) -> None:
    async with web(response("200 OK", "secret")) as site, CheckedTransport(private=False) as transport:
        with pytest.raises(ToolError, match=r'private network .* allow it with "allow_private": true'):
            await transport.handle_async_request(request(site.url(host=host)))
    assert site.asked == []


def lookups(monkeypatch: pytest.MonkeyPatch, *answers: list[str]) -> list[str]:
    """From now on a name is looked up here; the last answer stands."""
    asked: list[str] = []
    left = list(answers)

    async def getaddrinfo(host: str, port: int, **_options: Any) -> list[Any]:
        asked.append(host)
        found = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr("toolkit.tools.remote.addresses.anyio.getaddrinfo", getaddrinfo)
    return asked


async def test_a_name_is_looked_up_once_and_the_connection_goes_to_what_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with web(response("200 OK", "here")) as site, CheckedTransport(private=True) as transport:
        asked = lookups(monkeypatch, ["127.0.0.1"], ["93.184.216.34"])
        answer = await transport.handle_async_request(request(site.url(host="service.test")))
        assert (await answer.aread(), asked) == (b"here", ["service.test"])
    assert site.asked[0].headers["host"] == f"service.test:{site.port}"


async def test_a_name_that_answers_differently_the_next_time_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with web(response("200 OK", "secret")) as site, CheckedTransport(private=False) as transport:
        lookups(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
        reached: list[str] = []

        class Nowhere(httpx2.AsyncHTTPTransport):
            async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
                reached.append(request.url.host)
                raise httpx2.ConnectError("not from here")

        monkeypatch.setattr("toolkit.tools.remote.addresses.httpx2.AsyncHTTPTransport", Nowhere)
        with pytest.raises(httpx2.ConnectError):
            await transport.handle_async_request(request(site.url(host="rebind.test")))
        with pytest.raises(ToolError, match="private network"):
            await transport.handle_async_request(request(site.url(host="rebind.test")))
    assert reached == ["93.184.216.34"]
    assert site.asked == []


async def test_of_several_addresses_only_the_public_ones_are_tried_and_each_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lookups(monkeypatch, ["127.0.0.1", "8.8.8.8", "10.0.0.1", "9.9.9.9"])
    tried: list[str] = []

    class Nowhere(httpx2.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            tried.append(request.url.host)
            raise httpx2.ConnectError("not from here")

    monkeypatch.setattr("toolkit.tools.remote.addresses.httpx2.AsyncHTTPTransport", Nowhere)
    async with CheckedTransport(private=False) as transport:
        with pytest.raises(httpx2.ConnectError):
            await transport.handle_async_request(request("http://mixed.test/"))
    assert tried == ["8.8.8.8", "9.9.9.9"]


async def test_a_certificate_must_be_the_names_though_the_address_is_connected_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=service.test"
    subject = ["-addext", "subjectAltName=DNS:service.test", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *make.split(), *subject], check=True, capture_output=True)  # noqa: ASYNC221 - a moment
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(response("200 OK", "sealed"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    port = server.sockets[0].getsockname()[1]
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    lookups(monkeypatch, ["127.0.0.1"])
    async with CheckedTransport(private=True) as transport:
        sealed = await transport.handle_async_request(request(f"https://service.test:{port}/"))
        assert await sealed.aread() == b"sealed"
        with pytest.raises(httpx2.ConnectError, match="certificate"):
            await transport.handle_async_request(request(f"https://other.test:{port}/"))
    server.close()

"""The address that the HTTP server listens at."""

import asyncio
import socket

import pytest

from mcp_server import address
from toolkit.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("127.0.0.1:0", False),
        ("localhost:0", False),
        ("[::1]:0", False),
        ("127.1.2.3:0", False),
        ("0.0.0.0:0", True),
        ("[::]:0", True),
        ("192.0.2.1:80", True),
    ],
)
def test_only_a_loopback_address_is_for_this_machine_alone(text: str, public: bool) -> None:
    assert address.is_public(text) == public


@pytest.mark.parametrize(
    "text", ["example.org:80", "127.0.0.1", "127.0.0.1:", ":80", "127.0.0.1:70000", "1:2:3", "x:²"]
)
def test_what_is_no_address_is_told_with_one_that_is(text: str) -> None:
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:8080"):
        address.parsed(text)


async def test_an_answer_does_not_wait_for_the_client_to_acknowledge_its_head() -> None:
    at_once: list[int] = []

    def connected(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        at_once.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        writer.close()

    listening = address.listen("127.0.0.1:0")
    async with await asyncio.start_server(connected, sock=listening):
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        await reader.read()
        writer.close()
    assert all(at_once)
    assert at_once


def test_where_it_is_found_is_an_address_that_can_be_opened() -> None:
    with address.listen("127.0.0.1:0") as four:
        assert address.url(four) == f"http://127.0.0.1:{four.getsockname()[1]}"

"""A response is read the same way however its bytes arrive, and what is no response is noticed."""

import h11
import pytest
from httpx2 import RemoteProtocolError
from hypothesis import given
from hypothesis import strategies as st

from toolkit.providers.wire.http1 import Incoming

bodies = st.lists(st.binary(min_size=1, max_size=40), max_size=5)


def read(*pieces: bytes, closed: bool = False) -> tuple[Incoming, bytes]:
    incoming, body = Incoming(), b""
    for piece in pieces:
        incoming.feed(piece)
        body += incoming.take()
    if closed:
        incoming.end()
    return incoming, body + incoming.take()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    ends = sorted(place % (len(data) + 1) for place in places)
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


def by_h11(*events: h11.Event) -> bytes:
    """The bytes that a careful server sends."""
    server = h11.Connection(h11.SERVER)
    server.receive_data(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    server.next_event()
    return b"".join(server.send(event) or b"" for event in events)


@given(pieces=bodies, places=st.lists(st.integers(0, 1000), max_size=8), chunked=st.booleans())
def test_a_response_is_read_the_same_way_however_its_bytes_are_cut(
    pieces: list[bytes], places: list[int], *, chunked: bool
) -> None:
    length = str(sum(map(len, pieces)))
    framing = ("transfer-encoding", "chunked") if chunked else ("content-length", length)
    head = h11.Response(status_code=200, headers=[("x-request-id", "req_1"), framing])
    sent = by_h11(head, *(h11.Data(data=piece) for piece in pieces), h11.EndOfMessage())
    incoming, body = read(*cut(sent, places))
    assert (incoming.status, body, incoming.whole, incoming.keeps) == (200, b"".join(pieces), True, True)
    assert (b"x-request-id", b"req_1") in incoming.headers


@given(data=st.binary(max_size=300))
def test_whatever_comes_is_read_or_refused(data: bytes) -> None:
    for start in (b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"):
        try:
            read(start + data)
        except RemoteProtocolError:
            continue


def test_what_a_chunk_brings_is_there_before_its_end() -> None:
    incoming, body = read(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nthe beginning")
    assert (body, incoming.whole) == (b"the beginning", False)


def test_trailers_and_the_extensions_of_chunks_are_left_aside() -> None:
    incoming, body = read(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n", b"3;name=value\r\nYes\r\n0\r\nX-Sum: 1\r\n", b"\r\n"
    )
    assert (body, incoming.whole, incoming.keeps) == (b"Yes", True, True)


def test_a_body_of_unknown_length_ends_with_the_connection() -> None:
    incoming, body = read(b"HTTP/1.0 200 OK\r\n\r\nYe", b"s", closed=True)
    assert (body, incoming.whole, incoming.keeps) == (b"Yes", True, False)


def test_an_interim_response_is_passed_over() -> None:
    incoming, body = read(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200\r\nContent-Length: 3\r\n\r\nYes")
    assert (incoming.status, body) == (200, b"Yes")


@pytest.mark.parametrize("head", [b"HTTP/1.1 204 No Content\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"])
def test_a_response_without_a_body_is_whole_with_its_head(head: bytes) -> None:
    incoming, body = read(head)
    assert (incoming.whole, incoming.keeps, body) == (True, True, b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nYes",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nYes",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nYesHTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nYes\r\n0\r\n\r\n",
    ],
)
def test_a_connection_is_not_used_again_where_the_server_says_so_or_is_out_of_step(sent: bytes) -> None:
    incoming, body = read(sent)
    assert (incoming.whole, incoming.keeps, body) == (True, False, b"Yes")


@pytest.mark.parametrize(
    "sent",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"HTTP/1.1 99 Low\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: 1\r\n folded: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nYes!",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\nYes\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nYes!!0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"0" * 5000,
        b"x" * 200_000,
    ],
)
def test_what_is_no_response_is_refused(sent: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        read(sent)


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        (b"", "had answered"),
        (b"HTTP/1.1 200 OK\r\n", "had answered"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nYe", "was whole"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nYes\r\n", "was whole"),
    ],
)
def test_a_response_that_is_cut_off_is_not_whole(sent: bytes, what: str) -> None:
    with pytest.raises(RemoteProtocolError, match=what):
        read(sent, closed=True)

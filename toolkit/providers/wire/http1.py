"""One HTTP/1.1 response, read from its bytes however they arrive (RFC 9112); no input or output is done here."""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeAlias

from httpx2 import RemoteProtocolError

_LONGEST_HEAD = 100_000
"""Bytes of a head, or of the trailers, beyond which a server is not speaking HTTP."""

_LONGEST_SIZE = 4_000
"""Bytes of the line that tells the size of a chunk; clients ignore what stands behind the number."""

_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9]\d\d)(?: [^\r\n]*)?")
_NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?", re.DOTALL)
_LENGTH = re.compile(rb"[0-9]{1,15}")
_WITHOUT_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_BREAK = b"\r\n"

_Step: TypeAlias = Callable[[bytes], bytes]
"""Reads what it can of the bytes that have come, and gives back what it needs more for."""


class Incoming:
    """What has come of a response.

    Attributes:
        status: of the response; 0 until its head has come.
        headers: as they were sent.
        whole: the body has come to its end.
        keeps: the connection may be used again once the response is whole.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.whole = False
        self.keeps = True
        self.unread = 0
        self._body: list[bytes] = []
        self._rest = b""
        self._left = 0  # bytes of the body, or of its present chunk and the line break behind it
        self._read: _Step = self._head

    def feed(self, data: bytes) -> None:
        """The next bytes.

        Raises:
            RemoteProtocolError: they are no HTTP.
        """
        rest = self._rest + data if self._rest else data
        unread = -1
        while rest and not self.whole and len(rest) != unread:
            unread = len(rest)
            rest = self._read(rest)
        self._rest = rest
        if self.whole and rest:
            self.keeps = False  # what follows is nothing that anybody has asked for

    def end(self) -> None:
        """The server has closed the connection.

        Raises:
            RemoteProtocolError: in the middle of the response.
        """
        self.keeps = False
        if self._read == self._until_end:
            self.whole = True
        elif not self.whole:
            what = "its answer was whole" if self.status else "it had answered"
            raise RemoteProtocolError(f"The server closed the connection before {what}")

    def take(self) -> bytes:
        """The bytes of the body that have come since this was last called."""
        body, self._body, self.unread = self._body, [], 0
        return body[0] if len(body) == 1 else b"".join(body)

    def _head(self, data: bytes) -> bytes:
        head, end, rest = data.partition(_BREAK * 2)
        if not end:
            return _shorter(data, _LONGEST_HEAD)
        first, *lines = _shorter(head, _LONGEST_HEAD).split(_BREAK)
        found = _STATUS.fullmatch(first)
        if not found:
            raise RemoteProtocolError("What the server sent is no HTTP response")
        status = int(found[2])
        headers = [_header(line) for line in lines]
        if status >= HTTPStatus.OK:
            self.keeps = found[1] == b"1"
            self.status, self.headers = status, headers
            self._read = self._framing()
        elif status == HTTPStatus.SWITCHING_PROTOCOLS:
            raise RemoteProtocolError("The server changes the protocol, and nobody has asked it to")
        return rest

    def _framing(self) -> _Step:
        """How the body is told from what follows it."""
        told: dict[bytes, set[bytes]] = {}
        for name, value in self.headers:
            told.setdefault(name.lower(), set()).add(value.lower())
        codings, lengths = told.get(b"transfer-encoding"), told.get(b"content-length")
        # A server that says both is confused, or somebody between us and it is.
        if b"close" in told.get(b"connection", ()) or (codings and lengths):
            self.keeps = False
        if self.status in _WITHOUT_BODY:
            self.whole = True
        elif codings:
            if codings != {b"chunked"}:
                raise RemoteProtocolError("The server sends its answer in a coding that nobody has asked for")
            return self._chunks
        elif lengths:
            length = lengths.pop()
            if lengths or not _LENGTH.fullmatch(length):
                raise RemoteProtocolError("The server does not know the length of its answer")
            self._left = int(length)
            self.whole = self._left == 0
        else:
            return self._until_end
        return self._sized

    def _sized(self, data: bytes) -> bytes:
        self._keep(data[: self._left])
        rest = data[self._left :]
        self._left = max(0, self._left - len(data))
        self.whole = self._left == 0
        return rest

    def _until_end(self, data: bytes) -> bytes:
        self._keep(data)
        return b""

    def _chunks(self, data: bytes) -> bytes:
        """Chunks, each behind a line with its size: as many as have come, and a part of the last one."""
        at = 0
        while at < len(data):
            if self._left > len(_BREAK):
                piece = data[at : at + self._left - len(_BREAK)]
                self._keep(piece)
                at += len(piece)
                self._left -= len(piece)
            elif self._left:
                if len(data) - at < len(_BREAK):
                    break
                if not data.startswith(_BREAK, at):
                    raise RemoteProtocolError("A chunk of the server's answer is longer than was said")
                at += len(_BREAK)
                self._left = 0
            else:
                end = data.find(_BREAK, at)
                if end < 0:
                    return _shorter(data[at:], _LONGEST_SIZE)
                size = _size(data[at:end])
                at = end + len(_BREAK)
                if size == 0:
                    self._read = self._trailers
                    break
                self._left = size + len(_BREAK)
        return data[at:]

    def _trailers(self, data: bytes) -> bytes:
        """Headers behind the last chunk, which nobody needs, up to an empty line."""
        if data.startswith(_BREAK):
            self.whole = True
            return data[len(_BREAK) :]
        _, end, rest = data.partition(_BREAK * 2)
        if not end:
            return _shorter(data, _LONGEST_HEAD)
        self.whole = True
        return rest

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._body.append(piece)
            self.unread += len(piece)


def _header(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not _NAME.fullmatch(name):
        raise RemoteProtocolError("A header of the server's answer cannot be read")
    return name, value.strip(b" \t")


def _size(line: bytes) -> int:
    found = _SIZE.fullmatch(line)
    if not found:
        raise RemoteProtocolError("The server does not say how long a chunk of its answer is")
    return int(found[1], 16)


def _shorter(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise RemoteProtocolError(f"What the server sent is longer than {limit:,} bytes, and still no HTTP")
    return data

"""Anthropic's messages, as AWS Bedrock sends them: the model's name is in the path, and a stream is binary."""

import base64
import json
import struct
import zlib
from typing import Final

from toolkit.messages import Completion, Json
from toolkit.testing import anthropic_wire
from toolkit.testing.anthropic_wire import question, said, whole
from toolkit.testing.faults import Fault
from toolkit.testing.wire import Script

__all__ = ["complaint", "error", "error_event", "frame", "headers", "question", "said", "script", "whole"]

_STREAM: Final = "application/vnd.amazon.eventstream"
_TEXT: Final = 7  # the number of the only type of header that is sent here
_VERSION: Final = "anthropic_version"


def complaint(body: Json) -> str | None:
    """Why Bedrock would refuse the request `body`; None if it would not."""
    if not body.get(_VERSION):
        return f"{_VERSION}: Field required"
    return anthropic_wire.complaint(body)


def script(answer: Completion, body: Json, request_id: str) -> Script:
    """The events of Anthropic's stream, each in a frame of its own."""
    plain = anthropic_wire.script(answer, body, request_id)
    return Script(
        tuple(map(_framed, plain.opening)),
        tuple(map(_framed, plain.pieces)),
        tuple(map(_framed, plain.ending)),
        _STREAM,
    )


def error(fault: Fault, request_id: str) -> Json:  # noqa: ARG001 - AWS says it in a header
    """An error object. Its type stands in a header of AWS's; here it is kept for `error_event`."""
    return {"message": fault.message, **({"__type": fault.error_type} if fault.error_type else {})}


def error_event(error: Json) -> bytes:
    """An exception within a stream."""
    kind = error.get("__type", "internalServerException")
    return frame(
        {":exception-type": kind, ":content-type": "application/json", ":message-type": "exception"},
        {"message": error["message"]},
    )


def headers(request_id: str) -> dict[str, str]:
    """The id of the request."""
    return {"x-amzn-requestid": request_id}


def frame(headers: dict[str, str], payload: Json) -> bytes:
    """One message of an event stream: lengths, headers and payload, each part with its checksum."""
    named = b"".join(_header(name, value) for name, value in headers.items())
    body = json.dumps(payload).encode()
    lengths = struct.pack(">II", 16 + len(named) + len(body), len(named))
    whole = lengths + struct.pack(">I", zlib.crc32(lengths)) + named + body
    return whole + struct.pack(">I", zlib.crc32(whole))


def _header(name: str, value: str) -> bytes:
    return struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", _TEXT, len(value)) + value.encode()


def _framed(events: bytes) -> bytes:
    lines = (line.removeprefix(b"data: ") for line in events.split(b"\n") if line.startswith(b"data: "))
    head = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return b"".join(frame(head, {"bytes": base64.b64encode(line).decode(), "p": "abcd"}) for line in lines)

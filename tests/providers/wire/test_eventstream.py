"""AWS's binary event streams."""

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from toolkit.testing.bedrock_wire import frame

pytest.importorskip("botocore", reason="comes with the extra bedrock")

from toolkit.providers.wire.eventstream import event_stream


def event(data: dict[str, Any]) -> bytes:
    head = {":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"}
    return frame(head, {"bytes": base64.b64encode(json.dumps(data).encode()).decode()})


def exception(name: str, message: str) -> bytes:
    return frame({":exception-type": name, ":message-type": "exception"}, {"message": message})


async def read(*chunks: bytes) -> list[Any]:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [data async for data in event_stream(arriving())]


async def test_events_are_read_however_the_bytes_arrive() -> None:
    stream = event({"a": "Zürich"}) + event({"b": 2})
    for size in (1, 7, 100, len(stream)):
        chunks = [stream[start : start + size] for start in range(0, len(stream), size)]
        assert [json.loads(data) for data in await read(*chunks)] == [{"a": "Zürich"}, {"b": 2}]


async def test_an_event_that_is_not_whole_is_no_event() -> None:
    assert await read(event({"a": 1}) + event({"b": 2})[:-1]) == [b'{"a": 1}']


async def test_events_of_awss_own_are_passed_over() -> None:
    own = frame({":event-type": "metadata", ":message-type": "event"}, {"metrics": {"latencyMs": 5}})
    assert await read(own, event({"a": 1})) == [b'{"a": 1}']


@pytest.mark.parametrize(
    ("name", "status"),
    [("throttlingException", 429), ("ValidationException", 400), ("modelStreamErrorException", 500), ("news", 500)],
)
async def test_an_exception_is_an_error_with_the_status_that_it_would_have_had(name: str, status: int) -> None:
    [data] = await read(exception(name, "Too many tokens."))
    assert json.loads(data) == {"type": "error", "error": {"type": name, "code": status, "message": "Too many tokens."}}


async def test_an_error_without_a_body_says_what_its_headers_say() -> None:
    head = {":message-type": "error", ":error-code": "internalFailure", ":error-message": "Oh."}
    [data] = await read(frame(head, {}))
    assert json.loads(data)["error"] == {"type": "internalFailure", "code": 500, "message": "Oh."}


@pytest.mark.parametrize("place", [0, 9, 40, -1])
async def test_what_a_checksum_does_not_fit_ends_the_stream_as_no_json(place: int) -> None:
    broken = bytearray(event({"b": 2}))
    broken[place] ^= 1
    for chunks in ([event({"a": 1}), bytes(broken), event({"c": 3})], [event({"a": 1}) + bytes(broken)]):
        assert await read(*chunks) == [b'{"a": 1}', b"an event that cannot be read"]


async def test_text_in_place_of_a_stream_is_no_json() -> None:
    assert await read(b"<html>Welcome to our proxy</html>") == [b"an event that cannot be read"]

"""AWS's binary event streams, in which Bedrock sends streamed answers."""

import base64
import json
import struct
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from typing import Any, Final

_STATUSES: Final = {
    "accessDeniedException": 403,
    "modelNotReadyException": 429,
    "modelTimeoutException": 408,
    "resourceNotFoundException": 404,
    "serviceQuotaExceededException": 429,
    "serviceUnavailableException": 503,
    "throttlingException": 429,
    "validationException": 400,
}
"""What an exception within a stream would have had as HTTP status before it. Any other is Bedrock's fault."""


async def event_stream(chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The data of each event: the JSON that the model's vendor sent, or an error object where AWS sent an exception.

    What cannot be read ends the stream, as an event that is no JSON: nothing that follows it can be found again.
    """
    from botocore.eventstream import EventStreamBuffer, ParserError  # noqa: PLC0415 - comes with an extra

    buffer = EventStreamBuffer()
    async for chunk in chunks:
        buffer.add_data(chunk)
        events = _read(buffer)
        while True:
            try:
                event = next(events, None)
            except (ParserError, struct.error, AttributeError, LookupError, TypeError, ValueError):
                yield b"an event that cannot be read"
                return
            if event is None:
                break
            yield event


def _read(buffer: Any) -> Iterator[bytes]:
    for message in buffer:
        kind = message.headers.get(":message-type")
        if kind == "event":
            # Events without bytes are AWS's own, and nobody needs them.
            if encoded := json.loads(message.payload).get("bytes"):
                yield base64.b64decode(encoded)
        else:
            yield json.dumps({"type": "error", "error": _error(message.headers, message.payload)}).encode()


def _error(headers: Mapping[str, str], payload: bytes) -> dict[str, Any]:
    """AWS's exception in the words of Anthropic's and OpenAI's errors."""
    name = headers.get(":exception-type") or headers.get(":error-code") or "unknown"
    said = json.loads(payload) if payload else {}
    message = said.get("message") or said.get("Message") or headers.get(":error-message") or name
    return {"type": name, "code": _STATUSES.get(name[:1].lower() + name[1:], 500), "message": message}

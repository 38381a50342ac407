"""The beginnings of what was asked and answered over HTTP, for a log whose owner has asked for them."""

from typing import Any, Final, Self

from starlette.types import Message, Receive, Scope, Send

from toolkit.redaction import redact

MOST: Final = 2_000
"""Bytes of a request, and of an answer, that the log has at most."""

_TEXTUAL = (b"application/json", b"text/event-stream", b"text/plain")
_SECRET = ("/admin", "/v1/keys", "/api/v1/keys")  # passwords, and keys that are shown once


class Content:
    """What one request says and hears."""

    def __init__(self) -> None:
        self._asked, self._answered = bytearray(), bytearray()
        self._is_text = False

    @classmethod
    def of(cls, scope: Scope) -> Self | None:
        """What notes the content of a request; None for what is never logged."""
        textual = any(name == b"content-type" and value.startswith(_TEXTUAL) for name, value in scope["headers"])
        return cls() if textual and not scope["path"].startswith(_SECRET) else None

    def between(self, receive: Receive, send: Send) -> tuple[Receive, Send]:
        """The same two, read along."""

        async def received() -> Message:
            message = await receive()
            _add(self._asked, message.get("body", b""))
            return message

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._is_text = any(n == b"content-type" and v.startswith(_TEXTUAL) for n, v in message["headers"])
            elif self._is_text:
                _add(self._answered, message.get("body", b""))
            await send(message)

        return received, sent

    def told(self) -> dict[str, Any]:
        """For the line of the log, without secrets."""
        return {"request": _text(self._asked), "response": _text(self._answered)}


def _add(kept: bytearray, more: bytes) -> None:
    if (room := MOST - len(kept)) > 0:
        kept += more[:room]


def _text(kept: bytearray) -> str:
    return redact(kept.decode("utf-8", "replace"))

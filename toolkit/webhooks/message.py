"""An event as a webhook gets it: a JSON body, and a signature that proves who sent it.

Format: Standard Webhooks 1.0.0 (headers `webhook-id`, `webhook-timestamp`, `webhook-signature`), so that every library
for it verifies ours.
"""

import base64
import hashlib
import hmac
import json
from binascii import Error as NotBase64
from datetime import datetime

from toolkit.db.feed import Event
from toolkit.errors import ConfigError

_PREFIX = "whsec_"
_SHORTEST = 16  # bytes of a secret that cannot be guessed


def key_of(secret: str) -> bytes:
    """The key that signs: of `whsec_` and base64 the bytes, of any other text its UTF-8.

    Raises:
        ConfigError: it is too short to be a secret, or not base64 behind `whsec_`.
    """
    if not secret.startswith(_PREFIX):
        key = secret.encode()
    else:
        try:
            key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except NotBase64 as error:
            raise ConfigError("TOOLKIT_WEBHOOK_SECRET begins with whsec_ and is not base64 behind it.") from error
    if len(key) < _SHORTEST:
        raise ConfigError(
            f"TOOLKIT_WEBHOOK_SECRET must have at least {_SHORTEST} bytes; `openssl rand -hex 32` makes one."
        )
    return key


def body_of(event: Event) -> bytes:
    """The body that tells of `event`."""
    data = {"subject": event.subject, **event.body}
    told = {"type": event.kind, "timestamp": event.created_at.isoformat(), "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


def headers_of(event: Event, body: bytes, *, at: datetime, key: bytes) -> dict[str, str]:
    """The headers beside `body`; the id is the same however often an event is sent."""
    number, seconds = f"evt_{event.seq}", str(int(at.timestamp()))
    signed = hmac.digest(key, f"{number}.{seconds}.".encode() + body, hashlib.sha256)
    return {
        "content-type": "application/json",
        "webhook-id": number,
        "webhook-timestamp": seconds,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }

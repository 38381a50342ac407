"""What a server gives a client to bring back, sealed: the client can neither read nor change nor reuse it elsewhere.

A client that goes on with a call sends the server's own `requestState` again, perhaps to another replica. Replicas that
share `TOOLKIT_SECRET_KEY` open each other's seals; without it each process has a key of its own.
"""

import hashlib
import hmac
import json
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from mcp.server.request_state import AESGCMRequestStateCodec, InvalidRequestState

from toolkit.errors import ToolError

SECONDS: Final = 600
"""How long a seal holds."""

LEAST_SECRET: Final = 32
"""Bytes of `TOOLKIT_SECRET_KEY` at least: what is shorter can be guessed from one sealed text."""

_PURPOSE: Final = b"toolkit/request-state/v1"
_GONE: Final = "What was brought back is not of this call, or is too old; make the call again without it."


class Sealer:
    """Seals small JSON objects with AES-256-GCM.

    Args:
        keys: the first one seals, each opens; 32 bytes at least. Without any, the key is made here and now.
        seconds: how long a seal holds.
        audience: who may open it; servers that share keys for other ends have another one.
    """

    def __init__(self, keys: Sequence[bytes] = (), *, seconds: float = SECONDS, audience: str = "toolkit") -> None:
        self._codec = AESGCMRequestStateCodec(keys or [os.urandom(32)])
        self._seconds = seconds
        self._audience = audience

    @classmethod
    def of(cls, environ: Mapping[str, str], *, seconds: float = SECONDS, audience: str = "toolkit") -> "Sealer":
        """The sealer of all replicas that share `TOOLKIT_SECRET_KEY`, or of this process alone."""
        secret = environ.get("TOOLKIT_SECRET_KEY")
        keys = [hmac.digest(secret.encode(), _PURPOSE, "sha256")] if secret else []
        return cls(keys, seconds=seconds, audience=audience)

    def seal(self, state: Mapping[str, Any], *, about: Any = None) -> str:
        """A text that only `unseal` opens.

        Args:
            state: a JSON object.
            about: JSON that must be the same when it comes back, such as `[user, tool, arguments]`; only a digest
                of it is kept.
        """
        claims = {
            "state": state,
            "about": _digest(about),
            "until": time.time() + self._seconds,
            "audience": self._audience,
        }
        return self._codec.seal(json.dumps(claims, separators=(",", ":")).encode())

    def unseal(self, text: str, *, about: Any = None) -> dict[str, Any]:
        """What was sealed.

        Raises:
            ToolError: nobody here has sealed this text, it is too old, or it is about something else; the message does
                not say which.
        """
        try:
            claims = json.loads(self._codec.unseal(text))
            holds = claims["audience"] == self._audience and time.time() < claims["until"]
            same = hmac.compare_digest(claims["about"], _digest(about))
            state: dict[str, Any] = claims["state"]
        except (InvalidRequestState, ValueError, KeyError, TypeError) as error:
            raise ToolError(_GONE) from error
        if not (holds and same):
            raise ToolError(_GONE)
        return state


def _digest(about: Any) -> str:
    return hashlib.sha256(json.dumps(about, sort_keys=True, separators=(",", ":")).encode()).hexdigest()

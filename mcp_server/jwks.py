"""The public keys of whoever issues tokens, read from their address and kept for a while."""

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Final

import httpx2
from jwt import PyJWK, PyJWKSet
from jwt.exceptions import PyJWTError

FRESH_SECONDS: Final = 600
"""After so long the keys are read again, so that one that was taken back is not believed for ever."""
AGAIN_SECONDS: Final = 30
"""They are read at most so often, whatever unknown keys tokens name: anybody can make one up."""
TIMEOUT_SECONDS: Final = 5

_PUBLIC = frozenset(["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"])

_log = logging.getLogger(__name__)


class Unverifiable(Exception):
    """Whether a token is good cannot be said at present; it has nothing to do with the token."""


class Jwks:
    """A set of public keys at an address (RFC 7517).

    A key says by itself for which algorithm it is, or its kind does; the token never does, for whoever makes one must
    not choose how it is checked (RFC 8725, 3.1).

    Args:
        url: where it is.
        clock: seconds from any fixed point.
    """

    def __init__(self, url: str, *, clock: Callable[[], float] = monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: dict[str | None, PyJWK] = {}
        self._read_at: float | None = None
        self._tried_at: float | None = None
        self._reading = asyncio.Lock()

    async def key(self, kid: str | None) -> PyJWK | None:
        """The key that a token names; one that names none is meant for the only key there is.

        Raises:
            Unverifiable: no key could be read so far.
        """
        if self._known(kid) is None or (self._is_old() and not self._reading.locked()):
            async with self._reading:
                if self._known(kid) is None or self._is_old():
                    await self._read()
        if self._read_at is None:
            raise Unverifiable("The public keys of the tokens' issuer cannot be read at present.")
        return self._known(kid)

    def _known(self, kid: str | None) -> PyJWK | None:
        if kid is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(kid)

    def _is_old(self) -> bool:
        return self._read_at is None or self._clock() - self._read_at > FRESH_SECONDS

    async def _read(self) -> None:
        if self._tried_at is not None and self._clock() - self._tried_at < AGAIN_SECONDS:
            return
        self._tried_at = self._clock()
        try:
            async with httpx2.AsyncClient(timeout=TIMEOUT_SECONDS) as http:
                answer = (await http.get(self._url)).raise_for_status()
            found = PyJWKSet.from_dict(answer.json()).keys
        except (httpx2.HTTPError, PyJWTError, ValueError, TypeError, AttributeError, KeyError) as error:
            _log.warning("TOOLKIT_JWKS_URL gave no keys, the last known ones hold: %s", error or type(error).__name__)
            return
        self._keys = {key.key_id: key for key in found if _verifies(key)}
        self._read_at = self._clock()


def _verifies(key: PyJWK) -> bool:
    """Whether a key is a public one for signatures; a secret one has no business at an address."""
    return key.public_key_use in (None, "sig") and key.algorithm_name in _PUBLIC

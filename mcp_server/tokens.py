"""From a bearer token to who brings it: an API key of the environment or of the database, or a JWT."""

import hmac
from collections.abc import Mapping
from typing import Any, Final

import jwt
from jwt.exceptions import PyJWTError
from mcp.server.auth.provider import AccessToken

from mcp_server.house import House
from mcp_server.jwks import Jwks, Unverifiable
from toolkit.access.scopes import CHAT, EVERY_SCOPE, SEARCH
from toolkit.errors import DatabaseError
from toolkit.settings import HttpSettings

ENVIRONMENT_USER: Final = "api"
"""Whose calls are made with a key of `TOOLKIT_API_KEYS`."""

LEEWAY_SECONDS: Final = 10
"""How much the clocks of two machines may differ."""

_LONGEST = 8_192  # characters of a token
_LONGEST_USER = 256  # characters
_USUAL = frozenset({CHAT, SEARCH})


class Tokens:
    """Verifies tokens.

    Args:
        house: its database has the keys; it is opened for what has the form of one.
        settings: whose tokens are taken besides.
    """

    def __init__(self, house: House, settings: HttpSettings) -> None:
        self._house = house
        self._settings = settings
        self._jwks = Jwks(settings.jwks_url) if settings.jwks_url else None

    async def verify(self, token: str, resource: str) -> AccessToken | None:
        """Who brings `token` and what they may do; None where it is not good.

        Args:
            token: as it stands behind `Bearer`.
            resource: the address at which this server was called, of which a token may say that it is for it.

        Raises:
            Unverifiable: it cannot be said at present.
        """
        if not token or len(token) > _LONGEST or not token.isascii():
            return None
        if self._is_of_the_environment(token):
            return AccessToken(token="", client_id="environment", scopes=sorted(EVERY_SCOPE), subject=ENVIRONMENT_USER)
        if token.count(".") == 2:  # noqa: PLR2004 - header, claims and signature
            return await self._of_jwt(token, resource)
        return await self._of_key(token)

    def _is_of_the_environment(self, token: str) -> bool:
        """Every key is compared, in a time that does not depend on where they differ."""
        found = False
        for key in self._settings.api_keys:
            found |= hmac.compare_digest(key.encode(), token.encode())
        return found

    async def _of_key(self, token: str) -> AccessToken | None:
        try:
            key = await (await self._house.opened()).keys.find(token)
        except DatabaseError as error:
            raise Unverifiable(str(error)) from error
        if key is None:
            return None
        return AccessToken(token="", client_id=key.id, scopes=sorted(key.scopes), subject=key.user)

    async def _of_jwt(self, token: str, resource: str) -> AccessToken | None:
        try:
            header = jwt.get_unverified_header(token)
            if header.get("alg") == "HS256":
                claims = self._decoded(token, self._settings.secret_key, "HS256")
                usual = _USUAL  # whoever has the secret speaks for this server
            else:
                key = await self._jwks.key(header.get("kid")) if self._jwks else None
                claims = self._decoded(token, key, key.algorithm_name if key else None)
                usual = frozenset()
        except (PyJWTError, ValueError, TypeError):
            return None
        user = claims.get("sub", "") if claims else ""
        if not claims or not 0 < len(user.strip()) <= _LONGEST_USER or not self._is_for_us(claims, resource):
            return None
        return AccessToken(
            token="",
            client_id=str(claims.get("client_id") or claims.get("azp") or "jwt"),
            scopes=sorted(_scopes(claims, usual)),
            subject=user,
            expires_at=int(claims["exp"]),
            claims={"iss": claims["iss"]} if "iss" in claims else None,
        )

    def _decoded(self, token: str, key: Any, algorithm: str | None) -> dict[str, Any] | None:
        if not key or not algorithm:
            return None
        required = ["exp", "sub", *(["iss"] if self._settings.jwt_issuer else [])]
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            issuer=self._settings.jwt_issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": required, "verify_aud": False},  # see `_is_for_us`
        )
        return claims

    def _is_for_us(self, claims: Mapping[str, Any], resource: str) -> bool:
        """Whether a token is meant for this server: one that names somebody else is not (RFC 7519, 4.1.3)."""
        named = claims.get("aud")
        if named is None:
            return self._settings.jwt_audience is None
        ours = {resource, f"{resource}/", resource.removesuffix("/mcp"), self._settings.jwt_audience}
        return bool(ours & {one for one in (named if isinstance(named, list) else [named]) if isinstance(one, str)})


def _scopes(claims: Mapping[str, Any], usual: frozenset[str]) -> frozenset[str]:
    """What a token allows, in the words of either claim; `usual` where it has neither."""
    said = claims.get("scope", claims.get("scp"))
    if said is None:
        return usual
    words = said.split() if isinstance(said, str) else said if isinstance(said, list) else []
    return EVERY_SCOPE & {word for word in words if isinstance(word, str)}

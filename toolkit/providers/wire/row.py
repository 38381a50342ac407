"""What a model's row tells its vendor: the address and the key."""

from collections.abc import Mapping
from typing import Any

from toolkit.errors import AuthenticationFailed, ConfigError


def address(provider: str, auth: Mapping[str, str], config: Mapping[str, Any]) -> str | None:
    """The row's own `base_url`, else the one that belongs to the key; None for the vendor's own.

    Raises:
        ConfigError: it is not an address.
    """
    text = config.get("base_url") or auth.get("base_url")
    if not text:
        return None
    if not isinstance(text, str) or not text.startswith(("http://", "https://")):
        raise ConfigError(f"The base_url of a model at {provider} is {text!r}; it must begin with http:// or https://.")
    return text


def key(provider: str, variable: str, auth: Mapping[str, str], *, needed: bool) -> str:
    """The key, or a placeholder where none is needed: the SDKs insist on one.

    Raises:
        AuthenticationFailed: it is missing, or no key at all.
    """
    text = auth.get("api_key", "").strip()
    if not text and needed:
        raise AuthenticationFailed(f"{provider} needs a key; set {variable}.", provider=provider)
    if not (text.isascii() and text.isprintable()):
        raise AuthenticationFailed(
            f"The key of {provider} has characters that no key has; copy it again into {variable}.", provider=provider
        )
    return text or "none"

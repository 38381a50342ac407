"""Anthropic, and whatever else its variables point to."""

from collections.abc import Mapping
from typing import Any

from toolkit.providers.base import Vendor
from toolkit.providers.wire.claude import beta_headers, has_forms
from toolkit.providers.wire.connection import Connection, http_client
from toolkit.providers.wire.messages import Messages
from toolkit.providers.wire.row import address, key

_PROVIDER = "anthropic"
_HOME = "https://api.anthropic.com"


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> Messages:
    """A connection to Anthropic, or to the server at `base_url`, which may need no key.

    The SDK itself also honours ANTHROPIC_CUSTOM_HEADERS.

    Args:
        auth: `api_key`, and `base_url` where the key belongs to one.
        config: `base_url`, which wins; `betas`, the names of features that are not released yet, which a request's
            `extra` may then use.

    Raises:
        AuthenticationFailed: Anthropic needs a key and there is none.
        ConfigError: `base_url` is no address, or `betas` no list of names.
    """
    from anthropic import AsyncAnthropic, AsyncStream, DefaultAioHttpClient  # noqa: PLC0415 - takes a second, for users of Anthropic only

    base_url = address(_PROVIDER, auth, config)
    api_key = key(_PROVIDER, "ANTHROPIC_API_KEY", auth, needed=base_url is None)
    http = http_client(DefaultAioHttpClient)
    client = AsyncAnthropic(
        api_key=api_key,
        base_url=base_url or _HOME,
        max_retries=0,
        default_headers=beta_headers(_PROVIDER, config),
        http_client=http,
    )
    return Messages(Connection(_PROVIDER, client, AsyncStream[object], api_key, below=http), _PROVIDER)


VENDOR = Vendor(
    connect,
    variables={"api_key": "ANTHROPIC_API_KEY", "base_url": "ANTHROPIC_BASE_URL"},
    required=("api_key",),
    prices="anthropic",
    structured=lambda model: "native" if has_forms(model) else "tool",
)

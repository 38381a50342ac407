"""OpenAI, and whatever else its variables point to."""

from collections.abc import Mapping
from typing import Any

from toolkit.providers.base import Vendor
from toolkit.providers.wire.chat import OPENAI, SOMEWHERE, ChatCompletions
from toolkit.providers.wire.connection import Connection, http_client
from toolkit.providers.wire.either import Either, api, structured
from toolkit.providers.wire.responses import Responses
from toolkit.providers.wire.row import address, key

_PROVIDER = "openai"
_HOME = "https://api.openai.com/v1"


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> Either:
    """A connection to OpenAI, or to the server at `base_url`, which may need no key.

    The SDK itself also honours OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS.

    Args:
        auth: `api_key`, and `base_url` where the key belongs to one.
        config: `base_url`, which wins; `api`, `"chat"` or `"responses"`, where the model's name does not tell which of
            OpenAI's wires it speaks.

    Raises:
        AuthenticationFailed: OpenAI needs a key and there is none.
        ConfigError: `base_url` is no address, or there is no such `api`.
    """
    from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient  # noqa: PLC0415 - takes most of a second, for users of OpenAI only

    base_url = address(_PROVIDER, auth, config)
    api_key = key(_PROVIDER, "OPENAI_API_KEY", auth, needed=base_url is None)
    http = http_client(DefaultAioHttpClient)
    client = AsyncOpenAI(api_key=api_key, base_url=base_url or _HOME, max_retries=0, http_client=http)
    connection = Connection(_PROVIDER, client, AsyncStream[object], api_key, below=http)
    chat = ChatCompletions(connection, _PROVIDER, OPENAI if base_url in (None, _HOME) else SOMEWHERE)
    return Either(chat, Responses(connection, _PROVIDER), api(_PROVIDER, config))


VENDOR = Vendor(
    connect,
    variables={"api_key": "OPENAI_API_KEY", "base_url": "OPENAI_BASE_URL"},
    required=("api_key",),
    prices="openai",
    structured=structured,
)

"""The OpenAI SDK's client, for the vendors that are not OpenAI."""

from collections.abc import Mapping
from typing import Any

from toolkit.providers.wire.chat import ChatCompletions, Dialect
from toolkit.providers.wire.connection import Connection, http_client
from toolkit.providers.wire.row import address, key


def connect_chat(
    provider: str,
    auth: Mapping[str, str],
    config: Mapping[str, Any],
    *,
    home: str,
    variable: str,
    dialect: Dialect,
    needs_key: bool = True,
) -> ChatCompletions:
    """A connection to a vendor with one address and one key, or to the server at the row's `base_url`.

    Args:
        provider: the vendor's name in the toolkit.
        auth: `api_key`.
        config: `base_url`, where it is not the vendor's own; a server there may need no key.
        home: the vendor's own address.
        variable: the environment variable that holds the key.
        dialect: what its API refuses.
        needs_key: nobody is answered at `home` without a key.

    Raises:
        AuthenticationFailed: a key is needed and there is none.
        ConfigError: `base_url` is no address.
    """
    base_url = address(provider, auth, config)
    api_key = key(provider, variable, auth, needed=needs_key and base_url is None)
    return ChatCompletions(connection(provider, base_url or home, api_key), provider, dialect)


def connection(provider: str, base_url: str, api_key: str) -> Connection:
    """A connection through the SDK's client to a server that takes its key as a bearer token."""
    from openai import AsyncOpenAI, AsyncStream, DefaultAioHttpClient  # noqa: PLC0415 - takes most of a second, for users of its vendors only

    http = http_client(DefaultAioHttpClient)
    client = AsyncOpenAI(api_key=api_key, base_url=base_url, max_retries=0, http_client=http)
    keep_to_itself(client)
    return Connection(provider, client, AsyncStream[object], api_key, below=http)


def keep_to_itself(client: Any) -> None:
    """Let an SDK's client send nothing that is OpenAI's only.

    It reads OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS by itself, the last of which may hold a key and
    would win over the vendor's.
    """
    client.organization = client.project = client.admin_api_key = None
    client._custom_headers = {}  # noqa: SLF001 - there is no other way to leave the variable aside

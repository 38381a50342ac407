"""OpenAI's models at Azure, each under the name of its deployment."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from toolkit.errors import ConfigError
from toolkit.providers.base import Vendor
from toolkit.providers.wire.chat import OPENAI, ChatCompletions
from toolkit.providers.wire.connection import Connection, http_client
from toolkit.providers.wire.either import Either, api, structured
from toolkit.providers.wire.openai_sdk import connection, keep_to_itself
from toolkit.providers.wire.responses import Responses
from toolkit.providers.wire.row import address, key

_PROVIDER: Final = "azure"
_PATH: Final = re.compile(r"/openai(?P<v1>/v1)?(?:/.*)?$|/$")
_UNDATED: Final = frozenset({"v1", "latest", "preview"})
_NEW: Final = "2024-09"
"""How the first version of the API begins that knows `max_completion_tokens` and `stream_options`: with its date."""
_OLD_DIALECT: Final = replace(OPENAI, limit="max_tokens", lacks=frozenset({"stream_options"}))


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> Either:
    """A connection to a resource at Azure.

    With a version of the API, it is asked at the deployments' own paths; without one, at `/openai/v1`, which has no
    versions. A row's model is the name of the deployment.

    Args:
        auth: `endpoint`, the resource's address, and `api_key` or `ad_token`, of which the key wins, because a
            row may name one of its own; `api_version`.
        config: `base_url` or `endpoint`, and `api_version`, which win; `base_model`, the name at OpenAI of the model
            that is deployed, where the deployment is called otherwise (models that think take other settings); `api`,
            `"chat"` or `"responses"`, where the name does not tell which of OpenAI's wires the model speaks.

    Raises:
        AuthenticationFailed: there is neither a key nor a token.
        ConfigError: there is no address, or it is none, or there is no such `api`.
    """
    at = {"base_url": config.get("base_url") or config.get("endpoint") or auth.get("base_url") or auth.get("endpoint")}
    url = address(_PROVIDER, {}, at)
    if url is None:
        raise ConfigError("azure needs the address of your resource; set AZURE_OPENAI_ENDPOINT.")
    variable = "AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN"
    is_token = not auth.get("api_key", "").strip()
    secret = key(_PROVIDER, variable, {"api_key": auth.get("ad_token", "")} if is_token else auth, needed=True)
    given = config.get("api_version") or auth.get("api_version") or auth.get("openai_api_version") or ""
    tail = _PATH.search(url)
    resource = url[: tail.start()] if tail else url
    if not given or given in _UNDATED or (tail and tail["v1"]):
        line, dialect = connection(_PROVIDER, f"{resource}/openai/v1", secret), OPENAI
    else:
        line = _dated(resource, str(given), secret, is_token=is_token)
        dialect = OPENAI if str(given) >= _NEW else _OLD_DIALECT
    family = config.get("base_model")
    chat = ChatCompletions(line, _PROVIDER, dialect, family=family)
    return Either(chat, Responses(line, _PROVIDER, family=family), api(_PROVIDER, config), family=family)


def _dated(resource: str, version: str, secret: str, *, is_token: bool) -> Connection:
    from openai import AsyncAzureOpenAI, AsyncStream, DefaultAioHttpClient  # noqa: PLC0415 - takes most of a second, for its users only

    client = AsyncAzureOpenAI(
        azure_endpoint=resource,
        api_version=version,
        api_key=None if is_token else secret,
        azure_ad_token=secret if is_token else None,
        max_retries=0,
        http_client=http_client(DefaultAioHttpClient),
    )
    keep_to_itself(client)
    return Connection(_PROVIDER, client, AsyncStream[object], secret)


VENDOR = Vendor(
    connect,
    variables={
        "endpoint": "AZURE_OPENAI_ENDPOINT",
        "api_key": "AZURE_OPENAI_API_KEY",
        "ad_token": "AZURE_OPENAI_AD_TOKEN",
        "api_version": "AZURE_OPENAI_API_VERSION",
        "openai_api_version": "OPENAI_API_VERSION",
    },
    required=("endpoint",),
    prices="azure",
    structured=structured,
)

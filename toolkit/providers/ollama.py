"""Ollama, on this machine or another.

The trap of Ollama is its window: it gives a model a few thousand tokens of context unless it is told otherwise, and
cuts off the beginning of what is longer without a word. Through this API a request cannot say how many it needs: set
OLLAMA_CONTEXT_LENGTH where the server runs, or make a model whose Modelfile has `PARAMETER num_ctx`.
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from toolkit.errors import ConfigError
from toolkit.providers.base import Vendor
from toolkit.providers.wire.chat import ChatCompletions, Dialect
from toolkit.providers.wire.openai_sdk import connect_chat

_HOME: Final = "http://127.0.0.1:11434/v1"
_PORT: Final = 11434
_DIALECT: Final = Dialect(new=None, thinkers=None)


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> ChatCompletions:
    """A connection to the Ollama at an address, by default to the one on this machine; it needs no key.

    Pictures must be `data:` URLs, and a tool cannot be made to be called.

    Args:
        auth: `base_url`; or `host`, as the server itself takes it in OLLAMA_HOST (`0.0.0.0:11434`); `api_key` for one
            that wants a key.
        config: `base_url`, which wins. It may end with the `/v1` of the API or not.

    Raises:
        ConfigError: the address is none.
    """
    url = config.get("base_url") or auth.get("base_url") or _listening(auth.get("host", "").strip())
    if isinstance(url, str) and url:
        url = url.rstrip("/").removesuffix("/v1") + "/v1"
    config = {**config, "base_url": url}
    return connect_chat(
        "ollama", auth, config, home=_HOME, variable="OLLAMA_API_KEY", dialect=_DIALECT, needs_key=False
    )


def _listening(host: str) -> str | None:
    """The address of a server that listens at `host`: `[scheme://]host[:port]`."""
    if not host:
        return None
    scheme, _, rest = host.rpartition("://")
    try:
        parts = urlsplit(f"{scheme or 'http'}://{rest}")
        port = parts.port or {"http": 80, "https": 443}.get(scheme, _PORT)
    except ValueError:
        raise ConfigError(f"OLLAMA_HOST is {host!r}; it must be a host and a port, such as 127.0.0.1:11434.") from None
    # A server that listens on every address of its machine is reached under this machine's own.
    name = re.sub(r"^(?:0\.0\.0\.0|::)?$", "127.0.0.1", parts.hostname or "")
    return f"{parts.scheme}://{f'[{name}]' if ':' in name else name}:{port}{parts.path}"


VENDOR = Vendor(
    connect,
    variables={"base_url": "OLLAMA_BASE_URL", "host": "OLLAMA_HOST", "api_key": "OLLAMA_API_KEY"},
    free=True,
)

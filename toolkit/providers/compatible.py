"""Any server that speaks OpenAI's chat completions: a gateway, a vendor without a file here, a server of your own."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from toolkit.errors import ConfigError
from toolkit.providers.base import Vendor
from toolkit.providers.wire.chat import SOMEWHERE, ChatCompletions
from toolkit.providers.wire.openai_sdk import connect_chat
from toolkit.providers.wire.row import address

_PROVIDER = "compatible"


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> ChatCompletions:
    """A connection to the server at `base_url`.

    Args:
        auth: `api_key` if the server wants one.
        config: `base_url`; and `lacks`, a list of fields that the server refuses and that are never sent, e.g.
            `["seed", "stream_options"]`.

    Raises:
        AuthenticationFailed: the key has characters that no key has.
        ConfigError: there is no address, or it is none, or `lacks` is no list of names.
    """
    if address(_PROVIDER, auth, config) is None:
        raise ConfigError("A model at `compatible` needs the address of its server; set base_url in its config.")
    lacks = config.get("lacks", [])
    if not isinstance(lacks, list) or not all(isinstance(name, str) for name in lacks):
        raise ConfigError("The setting 'lacks' of a model must be a list of names, such as ['seed'].")
    variable = "the variable that the row's auth names"
    dialect = replace(SOMEWHERE, lacks=frozenset(lacks))
    return connect_chat(_PROVIDER, auth, config, home="", variable=variable, dialect=dialect)


# Told in words, every model can answer in a schema; a row may say what its server can do better.
VENDOR = Vendor(connect, structured=lambda _model: "instruction")

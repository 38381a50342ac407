"""Fireworks AI."""

from collections.abc import Mapping
from typing import Any, Final

from toolkit.providers.base import Vendor
from toolkit.providers.wire.chat import ChatCompletions, Dialect
from toolkit.providers.wire.openai_sdk import connect_chat

_HOME: Final = "https://api.fireworks.ai/inference/v1"
_DIALECT: Final = Dialect(
    new=None, thinkers=None, wants_back=("reasoning_content",), prefix="accounts/fireworks/models/"
)


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> ChatCompletions:
    """A connection to Fireworks; see `connect_chat`.

    A model's name may be given without the `accounts/fireworks/models/` before it.
    """
    return connect_chat("fireworks", auth, config, home=_HOME, variable="FIREWORKS_API_KEY", dialect=_DIALECT)


VENDOR = Vendor(connect, variables={"api_key": "FIREWORKS_API_KEY"}, required=("api_key",), prices="fireworks")

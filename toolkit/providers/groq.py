"""Groq."""

import re
from collections.abc import Mapping
from typing import Any, Final

from toolkit.providers.base import Vendor
from toolkit.providers.wire.chat import ChatCompletions, Dialect
from toolkit.providers.wire.openai_sdk import connect_chat

_HOME: Final = "https://api.groq.com/openai/v1"
_DIALECT: Final = Dialect(
    limit="max_completion_tokens", new=None, thinkers=None, strict=re.compile(r"gpt-oss-(?:20b|120b)$")
)


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> ChatCompletions:
    """A connection to Groq; see `connect_chat`.

    Groq has no embeddings.
    """
    return connect_chat("groq", auth, config, home=_HOME, variable="GROQ_API_KEY", dialect=_DIALECT)


VENDOR = Vendor(
    connect,
    variables={"api_key": "GROQ_API_KEY"},
    required=("api_key",),
    prices="groq",
    # Groq's own way to answer in a schema is there for some models only, and refuses to stream and to be given tools.
    # A row may ask for it all the same.
    structured=lambda _model: "tool",
)

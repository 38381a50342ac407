"""Google's Gemini, at its address for OpenAI's clients."""

import re
from collections.abc import Mapping
from typing import Any, Final

from toolkit.providers.base import Structured, Vendor
from toolkit.providers.wire.chat import ChatCompletions, Dialect
from toolkit.providers.wire.openai_sdk import connect_chat

_HOME: Final = "https://generativelanguage.googleapis.com/v1beta/openai"

_DIALECT: Final = Dialect(
    new=None,
    thinkers=None,
    lacks=frozenset({"seed"}),
    wants_back_with_call=("extra_content",),
    # A tool call of Gemini 3 and later is signed, and is refused without its signature; this one stands for the
    # signature of a call that another model made.
    foreign_call={"extra_content": {"google": {"thought_signature": "skip_thought_signature_validator"}}},
    texts_at_once=100,
)


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> ChatCompletions:
    """A connection to Google; see `connect_chat`.

    Args:
        auth: `api_key`, or `gemini_api_key`, which Google's own clients read, too.
        config: see `connect_chat`.

    Raises:
        AuthenticationFailed: there is no key.
        ConfigError: `base_url` is no address.
    """
    auth = {**auth, "api_key": auth.get("api_key") or auth.get("gemini_api_key", "")}
    variable = "GOOGLE_API_KEY or GEMINI_API_KEY"
    return connect_chat("google", auth, config, home=_HOME, variable=variable, dialect=_DIALECT)


def structured(model: str) -> Structured:
    """How a model answers in a schema: a Gemini before 3 takes none beside tools, and an old Gemma neither of them."""
    if re.search(r"gemma-[123]", model):
        return "instruction"
    return "tool" if re.search(r"gemini-[12]\b", model) else "native"


VENDOR = Vendor(
    connect,
    variables={"api_key": "GOOGLE_API_KEY", "gemini_api_key": "GEMINI_API_KEY"},
    required=("api_key",),
    prices="google",
    structured=structured,
)

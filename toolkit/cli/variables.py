"""The environment variables that matter here, by name; a value of one is never shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.models.model import Model

KEYS = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL")
"""What the vendors' own clients read."""

SETTINGS = (
    "TOOLKIT_DATABASE_URL",
    "TOOLKIT_SCHEMA",
    "TOOLKIT_MIN_CONNECTIONS",
    "TOOLKIT_MAX_CONNECTIONS",
    "TOOLKIT_DEFAULT_MODEL",
    "TOOLKIT_SESSION_TTL",
    "TOOLKIT_PROMPTS_DIR",
    "TOOLKIT_LOG_LEVEL",
    "TOOLKIT_SLOW_QUERY_MS",
)
"""What `toolkit.settings` reads beside DATABASE_URL."""

_KEYLESS = frozenset({"offline", "scripted"})


def key_of(model: "Model", environ: Mapping[str, str]) -> str:
    """Whether the key of a model's row is there: `found`, `none needed`, or the name of the variable to set."""
    if model.provider in _KEYLESS:
        return "none needed"
    from toolkit.models.keys import CONVENTIONS  # noqa: PLC0415 - not needed for `toolkit --help`

    usual = CONVENTIONS.get(model.provider, {}).get("api_key_env", "a key")
    variable = model.auth.get("api_key_env", usual)
    return "found" if environ.get(variable) else f"{variable} is not set"


def key_is_missing(model: "Model", environ: Mapping[str, str]) -> bool:
    """Whether the model cannot be asked for lack of its key."""
    return key_of(model, environ).endswith("is not set")

"""The environment variables that matter here, by name; a value of one is never shown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.models.model import Model


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


def vendors_variables() -> list[str]:
    """The vendors' own variables, by vendor."""
    from toolkit import providers  # noqa: PLC0415 - not needed for `toolkit --help`

    names = (name for each in providers.known() for name in providers.vendor(each).variables.values())
    return list(dict.fromkeys(names))


def key_of(model: "Model", environ: Mapping[str, str]) -> str:
    """Whether the key of a model's row is there: `found`, `none needed`, or the name of the variable to set."""
    from toolkit import providers  # noqa: PLC0415 - not needed for `toolkit --help`

    vendor = providers.vendor(model.provider)
    if "api_key" not in vendor.required:
        return "none needed"
    variable = model.auth.get("api_key_env", vendor.variables["api_key"])
    return "found" if environ.get(variable) else f"{variable} is not set"


def key_is_missing(model: "Model", environ: Mapping[str, str]) -> bool:
    """Whether the model cannot be asked for lack of its key."""
    return key_of(model, environ).endswith("is not set")

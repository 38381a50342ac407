"""The vendors, one file each; a model's row names its vendor by the file's name."""

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from toolkit.errors import ConfigError
from toolkit.providers.base import Provider


def known() -> tuple[str, ...]:
    """The names of the vendors that have a file here."""
    return ("anthropic", "offline", "openai", "scripted")


def connect(provider: str, auth: Mapping[str, str], config: Mapping[str, Any]) -> Provider:
    """A connection to `provider`, which is the name of a file in this folder.

    Raises:
        ConfigError: there is no such vendor.
        AuthenticationFailed: its key is missing.
    """
    if provider not in known() or find_spec(f"{__name__}.{provider}") is None:
        raise ConfigError(f"There is no provider {provider!r}; there are {', '.join(known())}.")
    # A vendor's SDK costs a second to import, so its file is imported when its first row is used.
    connected: Provider = import_module(f"{__name__}.{provider}").connect(auth, config)
    return connected

"""The vendors, one file each; a model's row names its vendor by the file's name."""

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from toolkit.errors import ConfigError, choices
from toolkit.providers.base import Provider


def known() -> tuple[str, ...]:
    """The names of the vendors that have a file here."""
    return ("anthropic", "offline", "openai", "scripted")


def last_resort(provider: str) -> bool:
    """Whether `provider` speaks only where nobody else can; False for one that has no file."""
    return provider in known() and getattr(_file(provider), "LAST_RESORT", False)


def connect(provider: str, auth: Mapping[str, str], config: Mapping[str, Any]) -> Provider:
    """A connection to `provider`, which is the name of a file in this folder.

    Raises:
        ConfigError: there is no such vendor.
        AuthenticationFailed: its key is missing.
    """
    if provider not in known():
        raise ConfigError(f"There is no provider {provider!r}; {choices(known())}.")
    connected: Provider = _file(provider).connect(auth, config)
    return connected


def _file(provider: str) -> ModuleType:
    # A vendor's file is imported when its first row is used, and its SDK, which costs a second, when it connects.
    return import_module(f"{__name__}.{provider}")

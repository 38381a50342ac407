"""The vendors, one file (or folder) each; a model's row names its vendor by the file's name.

`base` says what a vendor is, and `wire` how vendors are spoken to; neither is one.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import Any, Final

from toolkit.errors import ConfigError, choices
from toolkit.providers.base import Provider, Vendor

ENTRY_POINTS: Final = "toolkit.providers"
"""The group in which other packages name their vendors: `mistral = "my_package.mistral:VENDOR"`."""

_NO_VENDORS = frozenset({"base", "batches", "cassette", "wire"})


@cache
def known() -> tuple[str, ...]:
    """The names of all vendors: of those that have a file here, and of other packages'."""
    theirs = (entry.name for entry in entry_points(group=ENTRY_POINTS))
    return tuple(sorted({*_own(), *theirs}))


@cache
def vendor(name: str) -> Vendor:
    """What is known of a vendor before anyone connects; its SDK is not imported.

    Raises:
        ConfigError: there is no such vendor, or another package's cannot be loaded.
    """
    if name in _own():
        own: Vendor = import_module(f"{__name__}.{name}").VENDOR
        return own
    found = next(iter(entry_points(group=ENTRY_POINTS, name=name)), None)
    if found is None:
        raise ConfigError(f"There is no provider {name!r}; {choices(known())}.")
    try:
        loaded = found.load()
    except Exception as error:
        raise ConfigError(f"The provider {name!r} cannot be loaded ({type(error).__name__}: {error}).") from error
    if not isinstance(loaded, Vendor):
        raise ConfigError(
            f"The provider {name!r} cannot be used; {found.value} must be a toolkit.providers.base.Vendor."
        )
    return loaded


def find(name: str) -> Vendor | None:
    """The same as `vendor`; None where it raises."""
    try:
        return vendor(name)
    except ConfigError:
        return None


def last_resort(name: str) -> bool:
    """Whether the vendor speaks only where nobody else can; False for one that is not there."""
    found = find(name)
    return found is not None and found.last_resort


def connect(name: str, auth: Mapping[str, str], config: Mapping[str, Any]) -> Provider:
    """A connection to the vendor `name`.

    Raises:
        ConfigError: there is no such vendor, or an extra that it needs is not installed.
        AuthenticationFailed: its key is missing.
    """
    return vendor(name).connect(auth, config)


@cache
def _own() -> frozenset[str]:
    return frozenset(module.name for module in iter_modules(__path__)) - _NO_VENDORS

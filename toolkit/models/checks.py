"""What a row of the table `models` may not hold: what nobody could use, and secrets."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from toolkit.errors import ConfigError
from toolkit.redaction import looks_like_key, redact

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_LONG = 20  # a run of letters and digits of this length is no name that a person would give
_SECRET_NAME = re.compile(r"(?:^|_)(?:api_?key|secret(?:_?key)?|password|authorization|(?:access|auth|bearer)_?token)$")
_SECRET_NAME_IN_AUTH = re.compile(_SECRET_NAME.pattern + r"|(?:^|_)(?:key|token)$")
_RESERVED = ("default", "chain")  # what `model=` and `fallbacks=` mean by themselves
_LARGEST = 2**31


def check_text(field: str, text: str) -> None:
    """Refuse a name, a vendor's name of a model or a scope that nobody could type, and a key in its place.

    Raises:
        ConfigError: the sentence names the field.
    """
    if not text or text != text.strip() or not text.isprintable():
        raise ConfigError(f"The {field} of a model must be a text without spaces around it or control characters.")
    if looks_like_key(text):
        raise ConfigError(f"The {field} of a model looks like a key; put the key into an environment variable.")
    if field == "name" and text in _RESERVED:
        raise ConfigError(f"A model cannot be called {text!r}, which `model=` and `fallbacks=` use otherwise.")


def check_priority(priority: int) -> None:
    """Refuse a priority that the table has no room for.

    Raises:
        ConfigError: it is too large or too small.
    """
    if abs(priority) > _LARGEST:
        raise ConfigError(f"The priority of a model must be between -{_LARGEST} and {_LARGEST}.")


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse a setting that could not be used when the model is asked.

    Raises:
        ConfigError: the sentence names the setting and what it must be.
    """
    for name, (fits, words) in _CHECKS.items():
        if name in config and not fits(config[name]):
            raise ConfigError(f"The setting {name!r} of a model must be {words}.")


def refuse_secrets(auth: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Refuse a row that holds a secret rather than the name of the variable that holds it.

    Raises:
        ConfigError: the sentence names the place and says what to write there; it never repeats the value.
    """
    for key, value in auth.items():
        if not isinstance(value, str):
            raise ConfigError(f"auth[{redact(key)!r}] must be a text.")
        if key.endswith("_env"):
            if not _is_variable(value):
                raise ConfigError(
                    f"auth[{redact(key)!r}] must be the name of an environment variable in capitals, such as "
                    "OPENAI_API_KEY; the key itself is never stored."
                )
        elif is_secret_name(key) or _is_secret(value):
            raise ConfigError(
                f"auth[{redact(key)!r}] looks like a secret; put it into an environment variable and write "
                f"auth[{redact(key) + '_env'!r}] with that variable's name."
            )
    for place, key, value in _texts(config, "config"):
        if _SECRET_NAME.search(key.lower().replace("-", "_")) or _is_secret(value):
            raise ConfigError(
                f"{place} looks like a secret; put it into an environment variable and name that in `auth`, "
                "for example auth['api_key_env']."
            )
    try:
        json.dumps([auth, config], allow_nan=False, default=dict)
    except (TypeError, ValueError):
        raise ConfigError("A model's `auth` and `config` must be what JSON can hold.") from None


def is_secret_name(name: str) -> bool:
    """Whether what `name` stands for, in an `auth`, must not be written down."""
    return bool(_SECRET_NAME_IN_AUTH.search(name.lower().replace("-", "_")))


def _is_variable(value: str) -> bool:
    if not _VARIABLE.fullmatch(value) or looks_like_key(value):
        return False
    return "_" in value or len(value) < _LONG


def _is_secret(value: str) -> bool:
    return looks_like_key(value) or redact(value) != value  # the second knows a password in an address


def _texts(value: Any, place: str, key: str = "") -> Iterator[tuple[str, str, str]]:
    """Every text in `value`: where it stands, under which key, and the text."""
    if isinstance(value, str):
        yield place, key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{place}[{redact(str(name))!r}]", str(name))
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            yield from _texts(inner, f"{place}[{position}]", key)


def _number(value: object, least: float, most: float = float("inf")) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


_Check = tuple[Callable[[object], bool], str]
_CHECKS: dict[str, _Check] = {
    "base_url": (lambda v: isinstance(v, str) and v.startswith(("http://", "https://")), "an http or https address"),
    "temperature": (lambda v: _number(v, 0, 2), "a number from 0 to 2"),
    "max_tokens": (lambda v: isinstance(v, int) and _number(v, 1), "a whole number of at least 1"),
    "timeout": (lambda v: _number(v, 0.001), "a number of seconds above 0"),
    "extra": (lambda v: isinstance(v, Mapping), "an object of what only this vendor's requests have"),
    "input_usd_per_million": (lambda v: _number(v, 0), "a price in US dollars, 0 or more"),
    "output_usd_per_million": (lambda v: _number(v, 0), "a price in US dollars, 0 or more"),
}

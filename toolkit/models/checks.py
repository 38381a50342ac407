"""What a row of the table `models` may not hold: what nobody could use, and secrets."""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final, TypeAlias, get_args

from toolkit.errors import ConfigError
from toolkit.models.model import Model
from toolkit.providers.base import Structured
from toolkit.redaction import looks_like_key, redact

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,127}")
_LONG = 20  # a run of letters and digits of this length is no name that a person would give
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:api_?keys?|secret(?:_?key)?|password|authorization|(?:access|auth|bearer)_?token)$"
)
_SECRET_NAME_IN_AUTH = re.compile(_SECRET_NAME.pattern + r"|(?:^|_)(?:key|token)s?$")
_RESERVED = ("default", "chain")  # what `model=` and `fallbacks=` mean by themselves
_LARGEST = 2**31
_NEAR = 0.85  # of two names that alike, one is the other mistyped
_SLIP = 2  # letters that may be missing or too many in it

DEEPEST: Final = 40
"""Objects and lists that may lie inside one another in a config."""

FIELDS: Final = ("name", "model", "scope", "priority", "auth", "config")
"""What of a row is checked, by the names of its fields; the vendor is for those to check who know the vendors."""


def check_row(model: Model, touched: Iterable[str] = FIELDS) -> None:
    """Refuse a row that cannot be used as written.

    Args:
        model: the row.
        touched: the fields that somebody has just written; the others stay as they are, whatever they are.

    Raises:
        ConfigError: the sentence names the field.
    """
    fields = set(touched)
    for field in ("name", "model", "scope"):
        if field in fields:
            check_text(field, getattr(model, field))
    check_priority(model.priority)
    if fields & {"auth", "config"}:
        refuse_secrets(model.auth, model.config)
        check_auth(model.auth)
        check_config(model.config)
        _refuse_slips(model.config)


def check_text(field: str, text: str) -> None:
    """Refuse a name, a vendor's name of a model or a scope that nobody could type, and a key in its place.

    Raises:
        ConfigError: the sentence names the field.
    """
    if not isinstance(text, str) or not text or text != text.strip() or not text.isprintable():
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
    if not isinstance(priority, int) or isinstance(priority, bool) or abs(priority) > _LARGEST:
        raise ConfigError(f"The priority of a model must be a whole number between -{_LARGEST} and {_LARGEST}.")


def check_auth(auth: Mapping[str, Any]) -> None:
    """Refuse names of variables that say two things at once.

    Raises:
        ConfigError: the sentence names both.
    """
    if {"api_key_env", "api_keys_env"} <= auth.keys():
        raise ConfigError(
            "auth['api_key_env'] names a variable with one key and auth['api_keys_env'] one with several, between "
            "commas; write one of them."
        )


def check_config(config: Mapping[str, Any]) -> None:
    """Refuse a setting that could not be used when the model is asked.

    Raises:
        ConfigError: the sentence names the setting and what it must be.
    """
    for name, (fits, words) in SETTINGS.items():
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


def _texts(value: Any, place: str, key: str = "", depth: int = 0) -> Iterator[tuple[str, str, str]]:
    """Every text in `value`: where it stands, under which key, and the text."""
    if depth > DEEPEST:
        raise ConfigError(f"A model's config may be {DEEPEST} levels deep at most.")
    if isinstance(value, str):
        yield place, key, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{place}[{redact(str(name))!r}]", str(name), depth + 1)
    elif isinstance(value, list | tuple):
        for position, inner in enumerate(value):
            yield from _texts(inner, f"{place}[{position}]", key, depth + 1)


def _refuse_slips(config: Mapping[str, Any]) -> None:
    """Refuse a setting that is one of ours mistyped; others are the vendor's and not for us to know."""
    for name in config.keys() - SETTINGS.keys():
        near = get_close_matches(name, SETTINGS, n=1, cutoff=_NEAR)
        if near and abs(len(near[0]) - len(name)) <= _SLIP:
            raise ConfigError(f"There is no setting {name!r} of a model; did you mean {near[0]!r}?")


def _number(value: object, least: float, most: float = float("inf")) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def _whole(value: object) -> bool:
    return isinstance(value, int) and _number(value, 1)


def _one_of(*words: str) -> "_Check":
    return (lambda value: isinstance(value, str) and value in words), f"one of {', '.join(map(repr, words))}"


_Check: TypeAlias = tuple[Callable[[object], bool], str]
_TOKENS: Final[_Check] = (_whole, "a whole number of tokens of at least 1")
_SECONDS: Final[_Check] = (lambda v: _number(v, 0.001, 86_400 * 365), "a number of seconds above 0")
_FLAG: Final[_Check] = (lambda v: isinstance(v, bool), "true or false")
_PRICE: Final[_Check] = (lambda v: _number(v, 0, 1e9), "a price in US dollars, 0 or more")

SETTINGS: Final[Mapping[str, _Check]] = {
    "base_url": (lambda v: isinstance(v, str) and v.startswith(("http://", "https://")), "an http or https address"),
    "temperature": (lambda v: _number(v, 0, 2), "a number from 0 to 2"),
    "max_tokens": (_whole, "a whole number of at least 1"),
    "timeout": _SECONDS,
    "first_token_timeout": _SECONDS,
    "silence_timeout": _SECONDS,
    "max_concurrency": (_whole, "a whole number of at least 1: how many may ask it at once with one key"),
    "rpm": (_whole, "a whole number of at least 1: how many requests it is sent in a minute"),
    "tpm": (_whole, "a whole number of at least 1: how many tokens it is sent in a minute"),
    "on_refusal": _one_of("fail", "next"),
    "structured": _one_of(*get_args(Structured)),
    "api": _one_of("chat", "responses"),
    "extra": (lambda v: isinstance(v, Mapping), "an object of what only this vendor's requests have"),
    "context_window": _TOKENS,
    "max_output": _TOKENS,
    "vision": _FLAG,
    "tools": _FLAG,
    "input_usd_per_million": _PRICE,
    "output_usd_per_million": _PRICE,
    "cached_input_usd_per_million": _PRICE,
    "cache_write_usd_per_million": _PRICE,
}
"""The settings that mean something here, whatever the vendor: what fits, and how it is said in words."""

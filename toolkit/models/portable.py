"""Models as the text of a TOML file, to be written by hand, kept beside a program's code, and moved elsewhere.

    [[models]]
    name = "small"
    provider = "openai"
    model = "gpt-4o-mini"
    priority = 10
    auth = { api_key_env = "TEAM_KEY" }

    [models.config]
    temperature = 0.2

What is left out has its usual value, see `Catalog.add`. TOML has no word for nothing: a `config` with a null in it is
written as a text that holds JSON.
"""

import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

from toolkit.errors import ConfigError, Conflict, choices
from toolkit.models.checks import DEEPEST
from toolkit.models.model import Model
from toolkit.redaction import redact

_USUAL: Final = Model("", "", "", "")
_WORDS: Final[Mapping[type, str]] = {str: "a text", int: "a whole number", bool: "true or false", dict: "a table"}
_KINDS: Final[Mapping[str, type]] = {
    "name": str,
    "provider": str,
    "model": str,
    "scope": str,
    "priority": int,
    "enabled": bool,
    "default": bool,
    "auth": dict,
    "config": dict,
}
"""What an entry may say, in the order in which it is written, and what each must be."""

_HEAD: Final = "# Models of the toolkit: `toolkit models import FILE` makes the table what this says.\n"


def write(models: Iterable[Model]) -> str:
    """`models` as the text of a file; what has its usual value is left out, except who, where and when it is asked."""
    text = "\n".join([_HEAD, *map(_entry, models)])
    # A terminal obeys these; they can only stand in a quoted text, where they may be written as escapes.
    return re.sub("[\x80-\x9f]", lambda match: f"\\u{ord(match[0]):04x}", text)


def read(text: str) -> list[Model]:
    """The models that the text of a file describes, without ids.

    Raises:
        ConfigError: it cannot be used; the sentence names the entry and the field, and never repeats a secret.
    """
    try:
        said = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"The file is not TOML: {redact(str(error))}.") from None
    for key in said:
        if key != "models":
            raise ConfigError(f"There is no {redact(key)!r} in a file of models{_meant(key, ['models'])}.")
    entries = said.get("models", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError("The models of the file must be tables, each under a line [[models]].")
    return checked([row(number, entry) for number, entry in enumerate(entries, 1)])


def row(number: int, said: Mapping[str, Any]) -> Model:
    """What one entry says, as a model without an id; whether it can be used is for others to check.

    Args:
        number: its place, from 1, for the sentence of an error.
        said: the words of `Catalog.add`.

    Raises:
        ConfigError: a key that there is not, that is missing, or that has a value of the wrong kind.
    """
    name = said.get("name", said.get("model"))
    entry = f"Model {number}" + (f" ({redact(name)!r})" if isinstance(name, str) else "")
    values = dict(said)
    if isinstance(values.get("config"), str):
        values["config"] = _from_json(entry, values["config"])
    for key, value in values.items():
        if key not in _KINDS:
            raise ConfigError(f"{entry}: there is no key {redact(key)!r}{_meant(key, _KINDS)}; {choices(_KINDS)}.")
        if not _is(value, _KINDS[key]):
            raise ConfigError(f"{entry}: {key} must be {_WORDS[_KINDS[key]]}.")
    _refuse_odd(entry, values.get("config"))
    for key in ("provider", "model"):
        if key not in values:
            raise ConfigError(f"{entry}: {key} is missing.")
    values.setdefault("name", values["model"])
    values["is_default"] = values.pop("default", False)
    return Model(id="", **values)


def checked(models: Sequence[Model]) -> list[Model]:
    """`models`, if they can be in one table.

    Raises:
        Conflict: two have one name.
        ConfigError: two are the default of one scope.
    """
    names: dict[str, int] = {}
    defaults: dict[str, str] = {}
    for number, model in enumerate(models, 1):
        if (first := names.setdefault(model.name, number)) != number:
            raise Conflict(f"Models {first} and {number} have the same name {redact(model.name)!r}; rename one.")
        if model.is_default and (other := defaults.setdefault(model.scope, model.name)) != model.name:
            raise ConfigError(
                f"{redact(other)!r} and {redact(model.name)!r} are both the default of scope {redact(model.scope)!r}; "
                "a scope has one."
            )
    return list(models)


def _entry(model: Model) -> str:
    # Only who exports pays for the writer.
    import tomli_w  # noqa: PLC0415

    plain = {
        "name": model.name,
        "provider": model.provider,
        "model": model.model,
        "priority": model.priority,
        **({"scope": model.scope} if model.scope != _USUAL.scope else {}),
        **({} if model.enabled else {"enabled": False}),
        **({"default": True} if model.is_default else {}),
    }
    text = "[[models]]\n" + tomli_w.dumps(plain)
    if model.auth:
        # On one line: it is a name or two. A line feed in a text is written as an escape.
        text += f"auth = {{ {', '.join(tomli_w.dumps(model.auth).rstrip().split(chr(10)))} }}\n"
    if not model.config:
        return text
    if _has_null(model.config):
        config = json.dumps(model.config, ensure_ascii=False, allow_nan=False)
        readable = f"config = '{config}'\n"  # as long as nothing in it must be escaped
        return text + (tomli_w.dumps({"config": config}) if re.search("['\x7f-\x9f]", config) else readable)
    return text + "\n" + tomli_w.dumps({"models": {"config": model.config}})


def _has_null(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_null, value.values()))
    return any(map(_has_null, value)) if isinstance(value, list | tuple) else value is None


def _refuse_odd(entry: str, value: Any, depth: int = 0) -> None:
    """Refuse a config that no database keeps, or that is too deep to be looked through."""
    if depth > DEEPEST:
        raise ConfigError(f"{entry}: config may be {DEEPEST} levels deep at most.")
    if isinstance(value, Mapping | list | tuple):
        for inner in (*value, *value.values()) if isinstance(value, Mapping) else value:
            _refuse_odd(entry, inner, depth + 1)
    elif "\0" in str(value):
        raise ConfigError(f"{entry}: config has the character NUL, which no database keeps.")


def _from_json(entry: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise ConfigError(f"{entry}: config must be a table, or a text that holds one as JSON.") from None


def _is(value: Any, kind: type) -> bool:
    if kind is dict:
        return isinstance(value, Mapping)
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _meant(key: str, known: Iterable[str]) -> str:
    near = get_close_matches(key, list(known), n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""

"""Keys: a row names environment variables, and here the names become the secrets behind them, one or a pool of them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from toolkit import providers
from toolkit.models.checks import is_secret_name
from toolkit.models.model import Model

_POOL = "api_keys"
_KEY = "api_key"


@dataclass(frozen=True, slots=True)
class Key:
    """What one connection to a model's vendor is made with.

    Attributes:
        auth: the secrets themselves, and what belongs to them: `{"api_key": …, "base_url": …}`.
        label: which one of a pool it is, by its variable and place, e.g. `"OPENAI_API_KEYS[2]"`; None where there is
            only one. It is never a secret.
    """

    auth: Mapping[str, str] = field(repr=False)
    label: str | None = None


def keys_of(model: Model, environ: Mapping[str, str]) -> tuple[Key, ...]:
    """The keys with which `model` may be asked, at least one: `{"api_key_env": "X"}` becomes what `X` holds.

    A row may name a pool instead, `{"api_keys_env": "XS"}`: a variable with several keys between commas. Where it names
    no key, or no address, the vendor's own variables are read: OPENAI_API_KEYS before OPENAI_API_KEY. A variable that
    is missing or empty leaves its name out, and the provider says which key it lacks.
    """
    named = _named(model)
    pool = named.pop(f"{_POOL}_env", None)
    auth = {name: value for name, value in named.items() if not name.endswith("_env")}
    for name, variable in named.items():
        if name.endswith("_env") and environ.get(variable):
            auth[name.removesuffix("_env")] = environ[variable]
    keys = list(dict.fromkeys(_split(environ.get(pool, "")))) if pool else []
    if not keys:
        return (Key(auth),)
    if len(keys) == 1:
        return (Key({**auth, _KEY: keys[0]}),)
    return tuple(Key({**auth, _KEY: key}, f"{pool}[{place}]") for place, key in enumerate(keys, 1))


def secrets_of(model: Model, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values, of all of the model's keys, that must not appear in a message."""
    return tuple(value for key in keys_of(model, environ) for name, value in key.auth.items() if is_secret_name(name))


def _named(model: Model) -> dict[str, str]:
    """What the row names, and the vendor's own variables for what it does not."""
    named = dict(model.auth)
    vendor = providers.find(model.provider)
    for plain, variable in vendor.variables.items() if vendor else ():
        given = {plain, f"{plain}_env"} & named.keys() or plain in model.config
        if plain == _KEY:
            given = given or f"{_POOL}_env" in named
            if not given:
                named[f"{_POOL}_env"] = f"{variable}S"
        if not given:
            named[f"{plain}_env"] = variable
    return named


def _split(text: str) -> Iterator[str]:
    return (key for part in text.split(",") if (key := part.strip()))

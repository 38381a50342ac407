"""Keys: a row names environment variables, and here the names become the secrets behind them."""

from collections.abc import Mapping

from toolkit import providers
from toolkit.models.checks import is_secret_name
from toolkit.models.model import Model


def resolve_auth(model: Model, environ: Mapping[str, str]) -> dict[str, str]:
    """What `model`'s provider needs to connect: `{"api_key_env": "X"}` becomes `{"api_key": environ["X"]}`.

    A variable that is missing or empty leaves its name out, and the provider says which key it lacks. Where the row
    names no key, or no address, the vendor's own variables are read.
    """
    named = dict(model.auth)
    vendor = providers.find(model.provider)
    for plain, variable in vendor.variables.items() if vendor else ():
        key = f"{plain}_env"
        if not {key, plain} & named.keys() and plain not in model.config:
            named[key] = variable
    auth = {key: value for key, value in named.items() if not key.endswith("_env")}
    for key, variable in named.items():
        if key.endswith("_env") and environ.get(variable):
            auth[key.removesuffix("_env")] = environ[variable]
    return auth


def secrets_of(auth: Mapping[str, str]) -> tuple[str, ...]:
    """The values of a resolved `auth` that must not appear in a message."""
    return tuple(value for name, value in auth.items() if is_secret_name(name))

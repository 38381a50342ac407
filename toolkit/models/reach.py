"""What must be set before a model can be asked, as far as that is known without asking."""

from collections.abc import Mapping

from toolkit import providers
from toolkit.models.keys import keys_of
from toolkit.models.model import Model

_KEY = "api_key"
_BY_ADDRESS = {_KEY, "endpoint"}  # what a server at an address of its own may do without


def missing(model: Model, environ: Mapping[str, str], *, keyless: bool = True) -> tuple[str, ...]:
    """The environment variables that `model` needs and that are not set, by name; none where it can be asked.

    A vendor's `gemini_api_key` is another name of its `api_key`: one of the two is enough.

    Args:
        model: the row.
        environ: names to values.
        keyless: a server at an address of its own (`base_url`) may need no key.
    """
    vendor = providers.find(model.provider)
    if vendor is None:
        return ()
    given = {**model.config, **keys_of(model, environ)[0].auth}
    lacking = [
        plain for plain in vendor.required if not any(_is(name, plain) for name, value in given.items() if value)
    ]
    if keyless and given.get("base_url"):
        lacking = [plain for plain in lacking if plain not in _BY_ADDRESS]
    return tuple(_variable(plain, model, vendor.variables) for plain in lacking)


def _is(name: str, plain: str) -> bool:
    return name == plain or name.endswith(f"_{plain}")


def _variable(plain: str, model: Model, variables: Mapping[str, str]) -> str:
    """Where the row, else the vendor, looks for it."""
    own = model.auth.get(f"{plain}_env") or (model.auth.get("api_keys_env") if plain == _KEY else None)
    return own or variables.get(plain, plain)

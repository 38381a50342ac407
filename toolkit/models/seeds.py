"""The rows that a new database begins with."""

from collections.abc import Iterator, Mapping
from uuid import NAMESPACE_URL, uuid5

from toolkit.models.model import Model

# Capable for little money, known to the vendors' SDKs and to the price list of November 2026. A person's own rows,
# which have priority 100 if they say nothing, are tried before these.
_VENDORS: Mapping[str, tuple[tuple[str, ...], str, int]] = {
    "openai": (("OPENAI_API_KEY", "OPENAI_BASE_URL"), "gpt-6-luna", 500),
    "anthropic": (("ANTHROPIC_API_KEY",), "claude-haiku-5-5", 510),
}


def seeds(environ: Mapping[str, str]) -> Iterator[tuple[str, Model]]:
    """One model per vendor with a variable in `environ`, and `offline`, which needs no vendor.

    Returns:
        The id under which the history keeps the seed, and the model, still without an id of its own. The first is
        made from the vendor's name, so that it is the same in every process.
    """
    for provider, (variables, model, priority) in _VENDORS.items():
        if any(environ.get(variable) for variable in variables):
            yield _change_id(provider), Model("", model, provider, model, priority=priority)
    yield _change_id("offline"), Model("", "offline", "offline", "extractive", priority=1000)


def _change_id(provider: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"toolkit:seed:{provider}"))

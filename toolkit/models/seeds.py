"""The rows that a new database begins with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import NAMESPACE_URL, uuid5

from toolkit import providers
from toolkit.models.model import Model
from toolkit.models.reach import missing


@dataclass(frozen=True, slots=True)
class _Seed:
    """A vendor's first model.

    Attributes:
        model: the vendor's name of it; the row is called by the last part of that, since `openai/…` as a name would
            hide what it means as `provider/model`.
        priority: of the row.
        keyless: its `base_url` alone is enough, since it leads to a server that may need no key.
    """

    model: str
    priority: int
    keyless: bool = False


# Capable for little money, known to the vendors' SDKs or to the price list of November 2026. A person's own rows,
# which have priority 100 if they say nothing, are tried before these. There is none for vendors whose models everybody
# names or loads for themselves: azure, bedrock, vertex, ollama.
_SEEDS: Final[Mapping[str, _Seed]] = {
    "openai": _Seed("gpt-6-luna", 500, keyless=True),
    "anthropic": _Seed("claude-haiku-5-5", 510),
    "google": _Seed("gemini-3.8-flash", 520),
    "groq": _Seed("openai/gpt-oss-120b", 530),
    "fireworks": _Seed("accounts/fireworks/models/deepseek-v4-flash", 540),
}


def seeds(environ: Mapping[str, str]) -> Iterator[tuple[str, Model]]:
    """One model per vendor whose variables are in `environ`, and `offline`, which needs no vendor.

    Returns:
        The id under which the history keeps the seed, and the model, still without an id of its own. The first is
        made from the vendor's name, so that it is the same in every process.
    """
    for provider, seed in _SEEDS.items():
        name = seed.model.rpartition("/")[2]
        row = Model("", name, provider, seed.model, priority=seed.priority)
        if providers.find(provider) and not missing(row, environ, keyless=seed.keyless):
            yield _change_id(provider), row
    yield _change_id("offline"), Model("", "offline", "offline", "extractive", priority=1000)


def _change_id(provider: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"toolkit:seed:{provider}"))

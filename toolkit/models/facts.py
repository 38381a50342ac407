"""What is known of a model before it is asked: its limits, its abilities, its price."""

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from toolkit import providers
from toolkit.messages import ChatRequest
from toolkit.models.families import family_of
from toolkit.models.model import Model
from toolkit.models.pricelist import listed, price_of


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a model; None where it is unknown.

    Attributes:
        context_window: how many tokens it can read at once.
        max_output: the most tokens of one answer.
        vision: it takes pictures.
        tools: it may ask to have tools called.
        structured: its vendor itself sees to it that an answer has a form.
        input_usd_per_million: US dollars per million tokens that go in, of a short prompt at the standard tier.
        output_usd_per_million: the same of those that come out.
    """

    context_window: int | None
    max_output: int | None
    vision: bool | None
    tools: bool | None
    structured: bool | None
    input_usd_per_million: float | None
    output_usd_per_million: float | None


def facts_of(model: Model) -> Facts:
    """What the model's row says in its config, under the same names, and for the rest what is known of its vendor's.

    A row of a deployment whose name is not its model's says the model in `base_model`. The row's `structured` is one
    of the three words of `toolkit.providers.base.Structured`. The first call loads the price list, which takes half a
    second.
    """
    known = _known(model.provider, model.config.get("base_model", model.model))
    if not model.config:
        return known
    own = {name: value for name in Facts.__slots__ if (value := _own(model.config.get(name))) is not None}
    return replace(known, **own)


def can(model: Model, *, images: bool, tools: bool) -> bool:
    """Whether the model may be asked with pictures, or with tools; False only where it is known that it may not be.

    It takes a microsecond: the price list is not needed for it.
    """
    if not (images or tools):
        return True
    config = model.config
    family = family_of(config.get("base_model", model.model))
    sees, calls = config.get("vision", family.vision), config.get("tools", family.tools)
    return not (images and sees is False) and not (tools and calls is False)


def filled(model: Model, request: ChatRequest) -> ChatRequest:
    """`request` with what the row says where it says nothing itself, and no longer an answer than the model can give.

    Clients that know one vendor's models ask for as much as these can write; another vendor's refuse the request.
    """
    request = model.fill(request)
    if request.max_tokens is None:
        return request
    most = model.config.get("max_output") or family_of(model.config.get("base_model", model.model)).max_output
    return replace(request, max_tokens=most) if most and request.max_tokens > most else request


@lru_cache(maxsize=4096)
def _known(provider: str, model: str) -> Facts:
    """What is known of a vendor's model, whatever a row says."""
    vendor, family = providers.find(provider), family_of(model)
    entry, price = listed(provider, model), price_of(provider, model)
    rates = price.steps[-1] if price else None
    nothing = 0.0 if vendor and vendor.free else None
    return Facts(
        context_window=entry.context_window if entry else None,
        max_output=family.max_output,
        vision=family.vision,
        tools=family.tools,
        structured=vendor.structured(model) == "native" if vendor else None,
        input_usd_per_million=nothing if rates is None or rates.input is None else float(rates.input),
        output_usd_per_million=nothing if rates is None or rates.output is None else float(rates.output),
    )


def _own(value: Any) -> Any:
    """A value of a row's config as a fact: the word for how forms are asked says whether the vendor sees to them."""
    return value == "native" if isinstance(value, str) else value

"""What an answer costs: by the model's row where it says so, else by the public price list.

An unknown price is None, never 0. So is that of a count that contradicts itself, and that of a tier of service which
the list does not have. A row whose `base_url` is another than the vendor's keeps the vendor's prices: it is mostly a
gateway of one's own before the vendor. Where it is not, the row says its prices.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any

from toolkit import providers
from toolkit.messages import Usage
from toolkit.models.pricelist import Price, Rates, in_place, price_of

_MILLION = 1_000_000
_NANO = Decimal(10) ** 9
_MOST = 2**63 - 1  # nano-dollars that the ledger can hold
_NOTHING = Price((Rates(0, *[Decimal(0)] * 5),))
_UNKNOWN = Price((Rates(0, None, None, None, None, None),))
_OWN = (
    "input_usd_per_million",
    "output_usd_per_million",
    "cached_input_usd_per_million",
    "cache_write_usd_per_million",
)


def cost_nano_usd(
    provider: str,
    model: str,
    usage: Usage | None,
    config: Mapping[str, Any],
    *,
    tier: str | None = None,
    at: datetime | None = None,
) -> int | None:
    """What `usage` cost in billionths of a US dollar; None where the price or the usage is unknown.

    The first call for a listed model loads the list, which takes half a second; later ones take microseconds.

    Args:
        provider: the vendor's name in the toolkit.
        model: the vendor's name of the model; a deployment with a name of its own has it in the config's `base_model`.
        usage: what the vendor counted, None if it did not say.
        config: the row's. Its `input_usd_per_million`, `output_usd_per_million`, `cached_input_usd_per_million` and
            `cache_write_usd_per_million` win over the list, each for itself; where it says what input costs and not
            what the cache costs, that costs what input costs. They hold for every tier.
        tier: the vendor's tier of service, as `Completion.tier` has it; None is the standard one.
        at: when the model was asked, None is now: prices change.
    """
    own = tuple(config.get(name) for name in _OWN) if config else ()
    if not any(rate is not None for rate in own):
        own = ()
    vendor = providers.find(provider)
    free = vendor is not None and vendor.free
    if free and not own:
        return 0
    if usage is None or not _consistent(usage):
        return None
    try:
        price = _NOTHING if free else _listed(provider, model, config, own, tier=tier, at=at)
        if own:
            price = _with_own(price or _UNKNOWN, own)
        dollars = None if price is None else _dollars(price, usage)
        nano = None if dollars is None else round(dollars * _NANO)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # counts contradict the list, or a rate is no number
        return None
    return nano if nano is not None and 0 <= nano <= _MOST else None


def _listed(
    provider: str, model: str, config: Mapping[str, Any], own: Sequence[Any], *, tier: str | None, at: datetime | None
) -> Price | None:
    """The list's price, if there is one and the row leaves anything to it."""
    if own and None not in own[:2]:
        return None
    if not config:
        return price_of(provider, model, tier, at)
    model = config.get("base_model", model)
    price = price_of(provider, model, tier, at)
    return in_place(price, provider, model, config) if price else None


def _consistent(usage: Usage) -> bool:
    """Whether no part is larger than its whole, and nothing is less than nothing."""
    cached, write, hour = usage.cached_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens
    image, sound, said = usage.input_image_tokens, usage.input_audio_tokens, usage.output_audio_tokens
    return (
        min(cached, write, hour, image, sound, said, usage.reasoning_tokens) >= 0
        and cached + write <= usage.input_tokens
        and image + sound <= usage.input_tokens
        and hour <= write
        and max(usage.reasoning_tokens, said) <= usage.output_tokens
    )


def _dollars(price: Price, usage: Usage) -> Decimal | None:
    image, sound, said = usage.input_image_tokens, usage.input_audio_tokens, usage.output_audio_tokens
    if price.silent and (sound or said):
        return None
    rates = next((rates for rates in price.steps if usage.input_tokens > rates.above), price.steps[-1])
    hour = usage.cache_write_1h_tokens
    parts = (
        (usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens, rates.input),
        (usage.output_tokens, rates.output),
        (usage.cached_tokens, rates.cached),
        (usage.cache_write_tokens - hour, rates.write),
        (hour, rates.write_1h),
    )
    total = Decimal(0)
    for tokens, rate in parts:
        if tokens:
            if rate is None:
                return None
            total += tokens * rate
    if price.media and (image or sound or said or price.always):
        return price.media(usage)
    return total / _MILLION


@lru_cache(maxsize=1024)
def _with_own(price: Price, own: tuple[Any, ...]) -> Price:
    """`price`, in which the row's own rates stand in the place of the list's."""
    into, out, cached, write = (None if rate is None else Decimal(str(rate)) for rate in own)
    if into is not None:
        cached, write = into if cached is None else cached, into if write is None else write

    def pick(own_rate: Decimal | None, listed: Decimal | None) -> Decimal | None:
        return listed if own_rate is None else own_rate

    steps = tuple(
        Rates(
            rates.above,
            pick(into, rates.input),
            pick(out, rates.output),
            pick(cached, rates.cached),
            pick(write, rates.write),
            pick(write, rates.write_1h),
        )
        for rates in price.steps
    )
    return Price(steps)

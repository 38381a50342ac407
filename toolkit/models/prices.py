"""What an answer costs, by the public price lists that come with genai-prices.

An unknown price is None, never 0. Source: https://github.com/pydantic/genai-prices, the copy inside the package.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias

from toolkit import providers
from toolkit.messages import Usage

Price: TypeAlias = Callable[[Usage], Decimal]

_NANO = Decimal(10) ** 9
_MILLION = 1_000_000


def cost_nano_usd(provider: str, model: str, usage: Usage | None, config: Mapping[str, Any]) -> int | None:
    """What `usage` cost in billionths of a US dollar; None where the price or the usage is unknown.

    Args:
        provider: the vendor's name in the toolkit.
        model: the vendor's name of the model.
        usage: what the vendor counted, None if it did not say.
        config: the row's; `input_usd_per_million` and `output_usd_per_million`, given together, win over the list.
    """
    vendor = providers.find(provider)
    if vendor and vendor.free:
        return 0
    if usage is None:
        return None
    into, out = config.get("input_usd_per_million"), config.get("output_usd_per_million")
    if into is not None and out is not None:
        dollars = (usage.input_tokens * Decimal(str(into)) + usage.output_tokens * Decimal(str(out))) / _MILLION
        return round(dollars * _NANO)
    price = listed(provider, model)
    if price is None:
        return None
    try:
        return round(price(usage) * _NANO)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # the vendor's counts contradict one another
        return None


@cache
def listed(provider: str, model: str) -> Price | None:
    """The public price of a model, None if the list does not have it; the first call takes half a second."""
    vendor = providers.find(provider)
    if vendor is None or vendor.prices is None:
        return None
    from genai_prices import Usage as Counted  # noqa: PLC0415 - the list costs 0.4 s to load; only paid calls need it
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - the same

    try:
        theirs, info = get_snapshot().find_provider_model(model, None, vendor.prices, None)
    except LookupError:
        return None

    def price(usage: Usage) -> Decimal:
        counted = Counted(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )
        return info.calc_price(counted, theirs).total_price

    return price

"""The toolkit's quick way to a listed price comes to what the list itself comes to."""

import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from genai_prices import Usage as Counted
from genai_prices.data_snapshot import get_snapshot
from hypothesis import given, settings
from hypothesis import strategies as some

from toolkit import providers
from toolkit.messages import Usage
from toolkit.models.pricelist import listed
from toolkit.models.prices import cost_nano_usd

GENAI = {
    "input_tokens": "input_tokens",
    "output_tokens": "output_tokens",
    "cached_tokens": "cache_read_tokens",
    "cache_write_tokens": "cache_write_tokens",
    "cache_write_1h_tokens": "cache_write_1h_tokens",
}


def every_listed_model() -> Iterator[tuple[str, str]]:
    for name in providers.known():
        vendor = providers.find(name)
        ours = next((theirs for theirs in get_snapshot().providers if vendor and theirs.id == vendor.prices), None)
        for info in ours.models if ours else ():
            found = listed(name, info.id)
            if found and found.info is info:
                yield name, info.id


@some.composite
def counts(draw: some.DrawFn) -> Usage:
    """What a vendor may count of text: short questions, and such as are at the borders of the prices for long ones."""
    new, cached, minutes, hour = (
        draw(some.integers(0, 3_000) | some.sampled_from((50_000, 100_000, 128_000, 200_000, 272_000)))
        for _ in range(4)
    )
    out = draw(some.integers(0, 200_000))
    thought = draw(some.integers(0, out))
    return Usage(new + cached + minutes + hour, out, cached, minutes + hour, thought, hour)


@given(
    which=some.deferred(lambda: some.sampled_from(sorted(every_listed_model()))),
    usage=counts(),
    tier=some.sampled_from((None, "batch", "flex", "priority", "fast")),
    at=some.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31), timezones=some.just(UTC)),  # noqa: DTZ001
)
@settings(max_examples=600, deadline=None)
def test_every_price_is_the_one_that_the_list_itself_works_out(
    which: tuple[str, str], usage: Usage, tier: str | None, at: datetime
) -> None:
    provider, model = which
    found = listed(provider, model)
    assert found
    context = {key: tier for key in ("service_tier", "processing", "speed") if tier}
    if tier and (provider, tier) != ("groq", "flex") and not offered(found.info, context, at):
        assert cost_nano_usd(provider, model, usage, {}, tier=tier, at=at) is None
        return
    prices = found.info.get_prices(at, context)
    wanted = {name: count for name, count in dataclasses.asdict(usage).items() if name in GENAI}
    counted = Counted(**{GENAI[name]: count for name, count in wanted.items()})
    cost = cost_nano_usd(provider, model, usage, {}, tier=tier, at=at)
    if not any(value is not None for value in vars(prices).values()):
        assert cost == 0
    elif unpriced(prices, usage):
        assert cost is None
    else:
        assert cost == round(Decimal(10**9) * prices.calc_price(counted)["total_price"])


def offered(info: Any, context: dict[str, str], at: datetime) -> bool:
    """Whether the list has a price for a tier at a time."""
    return any(
        all(context.get(key) == value for key, value in variant.when.items())
        and (variant.constraint is None or variant.constraint.active(at))
        for variant in info.price_variants or ()
    )


def unpriced(prices: Any, usage: Usage) -> bool:
    """Whether tokens were used for which the list has no price."""
    new = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
    plain = new + (0 if prices.cache_read_mtok is not None else usage.cached_tokens)
    plain += 0 if prices.cache_write_mtok is not None else usage.cache_write_tokens
    return bool(
        (plain and prices.input_mtok is None)
        or (usage.output_tokens and prices.output_mtok is None)
        or (usage.output_tokens and (prices.output_image_mtok or prices.output_video_mtok) is not None)
        or (usage.cache_write_1h_tokens and prices.cache_write_mtok is not None and prices.cache_write_1h_mtok is None)
    )

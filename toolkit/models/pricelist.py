"""The public price list that comes with genai-prices, read once and kept by model, tier of service and day.

Source: https://github.com/pydantic/genai-prices, the copy inside the package: nothing is fetched.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache, lru_cache
from typing import Any, Final, TypeAlias

from toolkit import providers
from toolkit.messages import Usage
from toolkit.stamps import now

Exact: TypeAlias = Callable[[Usage], Decimal | None]

STANDARD: Final = frozenset({"", "default", "standard", "standard_only", "auto", "on_demand"})
"""What the vendors call the tier that a model is served in where nobody asks for another."""

_IN_PLACE = Decimal("1.1")
_SAME_PRICE = frozenset({("groq", "flex")})  # https://console.groq.com/docs/flex-processing
_TEXT = frozenset({"input_mtok", "output_mtok", "cache_read_mtok", "cache_write_mtok", "cache_write_1h_mtok"})
_COUNTED_APART = frozenset({"web_searches_kcount", "storage_searches_kcount", "code_executions_kcount"})
_NOT_COUNTED = frozenset({"output_image_mtok", "output_video_mtok"})
_ALWAYS = _NOT_COUNTED | {"requests_kcount"}
_FULL_NAME: Mapping[str, Callable[[str], str]] = {
    "fireworks": lambda model: model if "/" in model else f"accounts/fireworks/models/{model}",
    "google": lambda model: model.rpartition("models/")[2],
    "aws": lambda model: model.rpartition("/")[2],  # what an ARN ends with
}
"""What the list calls a model that the vendor may be asked for under a shorter or a longer name, by vendor."""

_PLACE: Mapping[str, tuple[re.Pattern[str], Callable[[Mapping[str, Any]], Any]]] = {
    # Claude since 4.5 costs a tenth more at Google's regional addresses than at the global one, whose price is listed.
    "google": (
        re.compile(r"claude-(?!3|(?:opus|sonnet)-4(?:-[01])?(?:[-@]20|$))"),
        lambda config: config.get("region"),
    ),
    # Claude since 4.6 costs a tenth more where Anthropic must answer in the USA.
    "anthropic": (
        re.compile(r"claude-(?:(?:opus|sonnet)-4-[6-9]|\w+-[5-9])"),
        lambda config: config.get("extra", {}).get("inference_geo"),
    ),
}
"""Which models cost more in a place of one's choice, and where a row says the place, by vendor.

At Amazon the place is a part of the model's name, and the list knows it.
"""

_ONE_PRICE_FOR_SOUND = frozenset({"google"})  # where a model has no price for sound, its input price says it is for all


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars per million tokens; None where no price is known.

    Attributes:
        above: they hold for questions of more input tokens than this.
        input: what is neither read from the vendor's cache nor written to it.
        output: all that comes out.
        cached: read from the cache.
        write: written to it, for minutes.
        write_1h: written to it, for an hour.
    """

    above: int
    input: Decimal | None
    output: Decimal | None
    cached: Decimal | None
    write: Decimal | None
    write_1h: Decimal | None


@dataclass(frozen=True, slots=True)
class Price:
    """What a model costs in one tier of service, at one time.

    Attributes:
        steps: the rates, those for the longest questions first; the last ones hold for every length.
        media: prices a usage with pictures or sound in it; None where these cost what text costs.
        always: `media` prices every usage.
        silent: tokens of sound have no price here.
    """

    steps: tuple[Rates, ...]
    media: Exact | None = None
    always: bool = False
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that the list has.

    Attributes:
        theirs: its vendor, as the list has it.
        info: the model, as the list has it.
        hourly: its price changes in the course of a day.
        variants: the list has prices of its own for other tiers than the standard one.
    """

    theirs: Any
    info: Any
    hourly: bool
    variants: bool

    @property
    def context_window(self) -> int | None:
        """How many tokens it reads at once, None where the list does not say."""
        window: int | None = self.info.context_window
        return window

    def price(self, tier: str, at: datetime) -> Price | None:
        """Its price in a tier at a time; None where the list has none."""
        if tier in STANDARD or (self.theirs.id, tier) in _SAME_PRICE:
            return _price(self.theirs, self.info.get_prices(at))
        context = {"service_tier": tier, "processing": tier, "speed": tier}
        if not self.variants or not any(_holds(variant, context, at) for variant in self.info.price_variants):
            return None
        return _price(self.theirs, self.info.get_prices(at, context))


def is_loaded() -> bool:
    """Whether the list was read in, so that a question about it takes microseconds."""
    return _snapshot.cache_info().currsize > 0


@cache
def _snapshot() -> Any:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - the list costs 0.4 s; only paid calls need it

    return get_snapshot()


@cache
def listed(provider: str, model: str) -> Listed | None:
    """The list's entry of a vendor's model, None if there is none; the first call takes half a second."""
    vendor = providers.find(provider)
    if vendor is None or vendor.prices is None:
        return None
    from genai_prices.types import TimeOfDateConstraint  # noqa: PLC0415 - see `_snapshot`

    name = _FULL_NAME.get(vendor.prices, str)(model)
    try:
        theirs, info = _snapshot().find_provider_model(name, None, vendor.prices, None)
    except LookupError:
        return None
    choices = [*(info.prices if isinstance(info.prices, list) else ()), *(info.price_variants or ())]
    return Listed(
        theirs,
        info,
        hourly=any(isinstance(choice.constraint, TimeOfDateConstraint) for choice in choices),
        # Prices of another vendor's, where this one has the model from there, are not this one's in every tier.
        variants=bool(info.price_variants) and any(info is own for own in theirs.models),
    )


def price_of(provider: str, model: str, tier: str | None = None, at: datetime | None = None) -> Price | None:
    """The listed price of a model in a tier of service, None where it is not known.

    Args:
        provider: the vendor's name in the toolkit.
        model: the vendor's name of the model.
        tier: as the vendor calls it; None is the standard one.
        at: when the model was asked; None is now.
    """
    found = listed(provider, model)
    if found is None:
        return None
    tier, at = (tier or "").lower(), at or now()
    if found.hourly:
        return found.price(tier, at)
    day = at.astimezone(UTC)
    return _on_day(provider, model, tier, (day.year, day.month, day.day))


@lru_cache(maxsize=1024)
def _on_day(provider: str, model: str, tier: str, day: tuple[int, int, int]) -> Price | None:
    """All other prices begin and end at midnight in UTC."""
    found = listed(provider, model)
    return found.price(tier, datetime(*day, tzinfo=UTC)) if found else None


def in_place(price: Price, provider: str, model: str, config: Mapping[str, Any]) -> Price:
    """`price`, as it is where the row says that the answer must come from; nearly always the same."""
    vendor = providers.find(provider)
    rule = _PLACE.get(vendor.prices) if vendor and vendor.prices else None
    if rule is None or rule[1](config) in (None, "", "global") or not rule[0].search(model.lower()):
        return price
    return _dearer(price)


@lru_cache(maxsize=256)
def _dearer(price: Price) -> Price:
    def more(rate: Decimal | None) -> Decimal | None:
        return None if rate is None else rate * _IN_PLACE

    steps = (
        Rates(r.above, more(r.input), more(r.output), more(r.cached), more(r.write), more(r.write_1h))
        for r in price.steps
    )
    return replace(price, steps=tuple(steps))


def _holds(variant: Any, context: Mapping[str, str], at: datetime) -> bool:
    """Whether the list has a price of its own for this tier at that time."""
    begun = variant.constraint is None or variant.constraint.active(at)
    return begun and all(context.get(key) == value for key, value in variant.when.items())


def _price(theirs: Any, prices: Any) -> Price:
    """The list's prices of a model as a `Price`."""
    known = {key: value for key, value in vars(prices).items() if value is not None}
    if not known:  # listed without any price: the vendor gives it away
        nothing = Decimal(0)
        return Price((Rates(0, nothing, nothing, nothing, nothing, nothing),))
    starts = {0} | {tier.start for value in known.values() for tier in getattr(value, "tiers", ())}
    steps = tuple(_rates(known, start) for start in sorted(starts, reverse=True))
    media = known.keys() - _TEXT - _COUNTED_APART
    return Price(
        steps,
        media=_exact(prices, known) if media else None,
        always=bool(media & _ALWAYS),
        silent=theirs.id not in _ONE_PRICE_FOR_SOUND and "input_audio_mtok" not in media,
    )


def _rates(known: Mapping[str, Any], start: int) -> Rates:
    def at(key: str) -> Decimal | None:
        value = known.get(key)
        tiers = [tier.price for tier in getattr(value, "tiers", ()) if tier.start <= start]
        found: Decimal | None = tiers[-1] if tiers else getattr(value, "base", value)
        return found

    into, write = at("input_mtok"), at("cache_write_mtok")
    cached = at("cache_read_mtok")
    return Rates(
        start,
        into,
        at("output_mtok"),
        into if cached is None else cached,  # a vendor that names no price for them takes the full one
        into if write is None else write,
        into if write is None else at("cache_write_1h_mtok"),
    )


def _exact(prices: Any, known: Mapping[str, Any]) -> Exact:
    """What genai-prices itself makes of a usage with pictures or sound in it."""
    from genai_prices import Usage as Counted  # noqa: PLC0415 - loaded by now

    def price(usage: Usage) -> Decimal | None:
        if usage.output_tokens and known.keys() & _NOT_COUNTED:  # how much of it was pictures, nobody says
            return None
        counted = Counted(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
            cache_write_1h_tokens=usage.cache_write_1h_tokens,
            input_image_tokens=usage.input_image_tokens,
            input_audio_tokens=usage.input_audio_tokens,
            output_audio_tokens=usage.output_audio_tokens,
        )
        total: Decimal = prices.calc_price(counted)["total_price"]
        return total

    return price

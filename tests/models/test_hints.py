"""Hints name the models that suit a wish, with the figure that speaks for each."""

import pytest

from tests.usage.rows import asked
from toolkit.db import Database
from toolkit.errors import ConfigError
from toolkit.messages import Caller
from toolkit.models.catalog import Catalog
from toolkit.models.hints import WISHES, Hint, hints
from toolkit.stamps import new_id, now
from toolkit.usage.ledger import Ledger


class Shop:
    """Three models that were used, one that is disabled, one that is a last resort."""

    def __init__(self, db: Database) -> None:
        self.catalog, self.ledger = Catalog(db, {}), Ledger(db)

    async def furnish(self) -> None:
        for name, price, window in (("small", 0.1, 8_000), ("middle", 1.0, 128_000), ("large", 4.0, 1_000_000)):
            config = {"input_usd_per_million": price, "output_usd_per_million": price, "context_window": window}
            await self.catalog.add("scripted", name, name=name, config={**config, "tools": name != "small"})
        await self.catalog.add("offline", "offline", name="offline")
        await self.catalog.add(
            "scripted",
            "off",
            name="off",
            enabled=False,
            config={"input_usd_per_million": 0, "output_usd_per_million": 0, "context_window": 10**7},
        )

    async def ask(self, name: str, times: int, *, milliseconds: float = 100.0, error: str | None = None) -> None:
        for _ in range(times):
            attempt = asked(name, error=error)
            await self.ledger.record(
                attempt
                if error
                else attempt.__class__(name, "p", "m", milliseconds=milliseconds, cost_nano_usd=2_000_000),
                call_id=new_id(),
                number=1,
                kind="chat",
                caller=Caller(),
                started_at=now(),
            )

    async def hints(self, wish: str, **more: object) -> list[Hint]:
        return await hints(self.catalog, self.ledger, wish, **more)  # type: ignore[arg-type]  # as a face passes them on


@pytest.fixture
async def shop(db: Database) -> Shop:
    shop = Shop(db)
    await shop.furnish()
    return shop


def brief(found: list[Hint]) -> list[tuple[str, float]]:
    return [(hint.model, hint.figure) for hint in found]


async def test_the_cheapest_are_those_of_the_lowest_price_and_a_last_resort_comes_last(shop: Shop) -> None:
    await shop.ask("small", 2)
    found = await shop.hints("cheapest", n=9)

    assert brief(found) == [("small", 0.1), ("middle", 1.0), ("large", 4.0), ("offline", 0.0)]
    assert found[0].unit == "USD per million tokens"
    assert found[0].sentence == (
        "small costs $0.1 per million tokens, three read for one written; "
        "an answer cost $0.002 on average in the last 30 days."
    )
    assert found[1].sentence == "middle costs $1.00 per million tokens, three read for one written."


async def test_the_largest_context_is_that_of_the_model_that_reads_most(shop: Shop) -> None:
    found = await shop.hints("largest_context", n=2)

    assert brief(found) == [("large", 1_000_000.0), ("middle", 128_000.0)]
    assert found[0].sentence == "large can read 1,000,000 tokens at once."


async def test_the_fastest_are_those_that_were_measured_to_be(shop: Shop) -> None:
    await shop.ask("middle", 6, milliseconds=80)
    await shop.ask("large", 6, milliseconds=70)
    await shop.ask("small", 2, milliseconds=1)  # too few to say

    found = await shop.hints("fastest")
    assert brief(found) == [("large", 70.0), ("middle", 80.0)]
    assert found[0].sentence == "large took 70 ms, the median of its last 6 answers."


async def test_the_most_reliable_are_those_that_answered_most_surely(shop: Shop) -> None:
    await shop.ask("middle", 60)
    await shop.ask("middle", 1, error="RateLimited")
    await shop.ask("small", 1)  # one of one says less than 60 of 61
    await shop.ask("large", 5, error="RateLimited")

    found = await shop.hints("most_reliable")
    assert [hint.model for hint in found] == ["middle", "small", "large"]
    assert [hint.figure for hint in found] == [60 / 61, 1.0, 0.0]
    assert found[0].sentence == "middle answered 60 of 61 times in the last 30 days."


async def test_the_most_used_are_those_that_were_asked_most_often(shop: Shop) -> None:
    await shop.ask("large", 2)
    await shop.ask("small", 1)
    await shop.ask("small", 2, error="RateLimited")

    found = await shop.hints("most_used")
    assert brief(found) == [("small", 3.0), ("large", 2.0)]
    assert found[0].sentence == "small was asked 3 times in the last 30 days."


async def test_no_more_are_named_than_asked_for_and_only_those_that_fit(shop: Shop) -> None:
    assert [hint.model for hint in await shop.hints("cheapest", n=1)] == ["small"]
    assert [hint.model for hint in await shop.hints("cheapest", n=1, requirements={"tools": True})] == ["middle"]
    assert await shop.hints("cheapest", requirements={"context_window": 10**9}) == []


async def test_nothing_is_said_of_whom_nothing_is_known(shop: Shop) -> None:
    assert [await shop.hints(wish) for wish in ("fastest", "most_reliable", "most_used")] == [[], [], []]


async def test_an_unknown_wish_is_refused_with_those_that_there_are(shop: Shop) -> None:
    with pytest.raises(ConfigError) as caught:
        await shop.hints("cheepest")
    assert str(caught.value) == (
        "There is no hint for 'cheepest' (did you mean 'cheapest'?); "
        "choose one of cheapest, largest_context, fastest, most_reliable, most_used."
    )
    assert WISHES == ("cheapest", "largest_context", "fastest", "most_reliable", "most_used")
    with pytest.raises(ConfigError, match="`n` must be at least 1"):
        await shop.hints("cheapest", n=0)

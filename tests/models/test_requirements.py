"""Models are chosen by what is known of them, in the order that is asked for."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import pytest

from toolkit.db import Database
from toolkit.errors import ConfigError
from toolkit.models.catalog import Catalog, Model
from toolkit.models.facts import Facts
from toolkit.models.requirements import blended_cost, select


def model(name: str, provider: str = "scripted", **config: Any) -> Model:
    return Model(name, name, provider, f"vendors-{name}", config=config)


def price(into: float, out: float) -> dict[str, Any]:
    return {"input_usd_per_million": into, "output_usd_per_million": out}


MODELS = [
    model("cheap", context_window=8_000, tools=True, vision=False, structured="tool", **price(0.1, 0.5)),
    model("large", context_window=1_000_000, tools=True, vision=True, structured="native", **price(2, 10)),
    model("middle", context_window=128_000, tools=False, vision=True, structured="tool", **price(1, 1)),
    model("unknown", provider="compatible"),
    model("resort", provider="offline", structured="instruction"),
]


def chosen(requirements: Mapping[str, Any], latency: Mapping[str, float] | None = None) -> list[str]:
    return [each.name for each in select(MODELS, requirements, latency=latency)]


@pytest.mark.parametrize(
    ("requirements", "fitting"),
    [
        ({"vision": True}, ["large", "middle"]),
        ({"tools": True}, ["cheap", "large"]),
        ({"structured": True}, ["large"]),
        ({"vision": True, "tools": True}, ["large"]),
        ({"context_window": 128_000}, ["large", "middle"]),
        ({"context_window": 2_000_000}, []),
        ({"max_cost": 1}, ["cheap", "middle", "resort"]),
        ({"max_cost": 0}, ["resort"]),
        ({"provider": "compatible"}, ["unknown"]),
        ({"scope": "team"}, []),
        ({"scope": "global", "vision": True}, ["large", "middle"]),
    ],
)
def test_those_are_kept_that_are_known_to_fit(requirements: dict[str, Any], fitting: list[str]) -> None:
    assert chosen(requirements) == fitting


@pytest.mark.parametrize(
    "requirements",
    [
        {},
        {"vision": False, "tools": False, "structured": False},
        {"cheapest": False},
        {"max_cost": None, "prefer": None},
    ],
)
def test_what_is_not_asked_for_keeps_every_model_in_its_place(requirements: dict[str, Any]) -> None:
    assert chosen(requirements) == ["cheap", "large", "middle", "unknown", "resort"]


@pytest.mark.parametrize(
    ("prefer", "order"),
    [
        ("priority", ["cheap", "large", "middle", "unknown", "resort"]),
        ("cheapest", ["cheap", "middle", "large", "unknown", "resort"]),
        ("largest_context", ["large", "middle", "cheap", "unknown", "resort"]),
        ("fastest", ["middle", "unknown", "cheap", "large", "resort"]),
    ],
)
def test_the_preferred_come_first_then_the_unknown_and_a_last_resort_last(prefer: str, order: list[str]) -> None:
    latency = {"middle": 10.0, "unknown": 20.0, "cheap": 900.0, "resort": 1.0}

    assert chosen({"prefer": prefer}, latency) == order
    if prefer != "priority":
        assert chosen({prefer: True}, latency) == order


def test_equals_stay_in_their_order() -> None:
    twins = [model(name, **price(1, 2)) for name in "cab"]

    assert select(twins, {"cheapest": True}) == twins


def test_a_price_is_three_parts_read_and_one_part_written() -> None:
    nothing = Facts(*[None] * 7)

    assert blended_cost(Facts(None, None, None, None, None, 1.0, 5.0)) == 2.0
    assert blended_cost(Facts(None, None, None, None, None, 1.0, None)) is None
    assert blended_cost(nothing) is None


@pytest.mark.parametrize(
    ("requirements", "words"),
    [
        ({"visoin": True}, r"no requirement 'visoin' \(did you mean 'vision'\?\); there are 'vision', 'tools'"),
        ({"vision": "yes"}, "'vision' must be True or False"),
        ({"context_window": 0}, "'context_window' must be a whole number of tokens"),
        ({"context_window": True}, "'context_window' must be"),
        ({"context_window": 1.5}, "'context_window' must be"),
        ({"max_cost": -1}, "'max_cost' must be a price"),
        ({"max_cost": float("nan")}, "'max_cost' must be a price"),
        ({"provider": 5}, "'provider' must be a name"),
        ({"prefer": "cheap"}, "'prefer' must be one of 'priority', 'cheapest', 'largest_context', 'fastest'"),
        ({"prefer": ["cheapest"]}, "'prefer' must be one of"),
        ({"cheapest": True, "fastest": True}, "one order only, not in those of 'cheapest' and 'fastest'"),
        ({"cheapest": True, "prefer": "fastest"}, "one order only"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_there_is(requirements: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        chosen(requirements)


def measured(times: Mapping[str, Sequence[float]], asked: list[str]) -> Callable[[str], Awaitable[Sequence[float]]]:
    async def latencies(name: str) -> Sequence[float]:
        asked.append(name)
        return times.get(name, ())

    return latencies


async def test_the_catalog_chooses_from_the_chain_of_the_scope(db: Database) -> None:
    catalog = Catalog(db, {})
    for name, scope, enabled in (("a", "global", True), ("b", "global", False), ("c", "team", True)):
        await catalog.add("openai", name, scope=scope, enabled=enabled, config={"vision": True})

    async def found(requirements: dict[str, Any], **options: str) -> list[str]:
        return [each.name for each in await catalog.select(requirements, **options)]

    assert await found({"vision": True}) == ["a"]
    assert await found({"vision": True}, scope="team") == ["c"]
    assert await found({"vision": True}, scope="other") == ["a"]
    assert await found({"vision": True, "scope": "team"}) == ["c"]
    assert await found({"vision": True, "scope": "other"}) == []
    with pytest.raises(ConfigError, match="no requirement"):
        await catalog.select({"speed": True})


async def test_the_fastest_is_the_one_whose_median_is_lowest_and_nobody_else_is_measured(db: Database) -> None:
    asked: list[str] = []
    times = {"a": [10.0, 5_000.0, 30.0], "b": [20.0, 20.0], "unused": [1.0]}
    catalog = Catalog(db, {}, latencies=measured(times, asked))
    for name in "abc":
        await catalog.add("openai", name)

    assert [each.name for each in await catalog.select({"cheapest": True})] == ["a", "b", "c"]
    assert asked == []
    assert [each.name for each in await catalog.select({"prefer": "fastest"})] == ["b", "a", "c"]
    assert sorted(asked) == ["a", "b", "c"]

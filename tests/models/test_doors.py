"""The keys of a model are used in turn, no more at once than it says, and one that rests is passed over."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.models.conftest import Clock
from toolkit.errors import AuthenticationFailed, ProviderUnavailable, RateLimited
from toolkit.models.doors import Doors, Pass, Shut
from toolkit.models.model import Model
from toolkit.stamps import now

ROW = Model("id-1", "a", "openai", "x", auth={"api_keys_env": "KEYS"}, created_at=now())


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def environ() -> dict[str, str]:
    return {"KEYS": "k1,k2,k3"}


@pytest.fixture
def doors(environ: dict[str, str], clock: Clock) -> Doors:
    return Doors(environ, clock)


def enter(doors: Doors, model: Model = ROW) -> Pass:
    found = doors.enter(model)
    assert isinstance(found, Pass)
    return found


def shut(doors: Doors, model: Model = ROW) -> Shut:
    found = doors.enter(model)
    assert isinstance(found, Shut)
    return found


def key(leave: Pass) -> str:
    return leave.key.auth["api_key"]


def limited(seconds: float | None = 30.0) -> RateLimited:
    return RateLimited("Slow down.", provider="openai", status=429, retry_after=seconds)


def test_the_keys_are_used_in_turn(doors: Doors) -> None:
    assert [key(enter(doors)) for _ in range(7)] == ["k1", "k2", "k3", "k1", "k2", "k3", "k1"]


def test_a_key_that_rests_is_passed_over_until_its_rest_is_over(doors: Doors, clock: Clock) -> None:
    doors.leave(enter(doors), limited())
    assert [key(enter(doors)) for _ in range(4)] == ["k2", "k3", "k2", "k3"]

    clock.now += 30.0
    leave = enter(doors)
    assert (key(leave), leave.probe) == ("k1", True)
    assert key(enter(doors)) == "k2"
    doors.leave(leave)
    assert {key(enter(doors)) for _ in range(3)} == {"k1", "k2", "k3"}


def test_when_all_keys_rest_it_says_when_the_first_one_is_ready_and_why(doors: Doors, clock: Clock) -> None:
    for seconds in (30.0, 10.0, 20.0):
        doors.leave(enter(doors), limited(seconds))

    found = shut(doors)
    assert found.ready_at == clock() + 10.0
    assert (found.promised, found.hopeless) == (True, False)
    assert found.reason == "It rests after this: Slow down."


def test_no_more_use_a_key_at_once_than_the_row_allows(doors: Doors) -> None:
    row = replace(ROW, config={"max_concurrency": 2})
    inside = [enter(doors, row) for _ in range(6)]
    assert shut(doors, row).reason == "All its keys are in use."

    doors.leave(inside[4], cancelled=True)
    assert key(enter(doors, row)) == key(inside[4])


def test_a_pass_is_given_back_once(doors: Doors) -> None:
    row = replace(ROW, config={"max_concurrency": 1}, auth={"api_key_env": "KEYS"})
    leave = enter(doors, row)
    doors.leave(leave)
    enter(doors, row)
    doors.leave(leave)

    shut(doors, row)


def test_one_key_that_was_refused_leaves_the_others_to_be_asked(doors: Doors) -> None:
    leave = enter(doors)
    assert isinstance(doors.enter(ROW, avoid={leave.door}), Pass)
    single = Model("id-2", "b", "openai", "x", auth={"api_key_env": "KEYS"})
    only = enter(doors, single)
    assert isinstance(doors.enter(single, avoid={only.door}), Shut)


def test_an_edited_row_and_a_new_key_are_met_without_prejudice(doors: Doors, environ: dict[str, str]) -> None:
    single = Model("id-2", "b", "openai", "x", auth={"api_key_env": "KEY"})
    environ["KEY"] = "old"
    doors.leave(enter(doors, single), AuthenticationFailed("No.", provider="openai", status=401))
    assert shut(doors, single).hopeless

    environ["KEY"] = "new"
    doors.leave(enter(doors, single), limited())
    shut(doors, single)
    enter(doors, replace(single, updated_at=single.updated_at + timedelta(seconds=1)))


def test_health_tells_of_each_key_by_its_place_and_never_the_key(doors: Doors) -> None:
    doors.leave(enter(doors), limited())
    enter(doors)

    first, second, third = doors.health()
    assert (first.model, first.key, first.state, first.failures, first.message) == (
        "a",
        "KEYS[1]",
        "open",
        1,
        "Slow down.",
    )
    assert first.until is not None
    assert 25 < (first.until - now()).total_seconds() <= 30
    assert (second.key, second.state, second.inside, third.inside) == ("KEYS[2]", "closed", 1, 0)
    assert "k1" not in repr((first, second, third))


def test_health_repeats_no_key_although_a_provider_does(doors: Doors, environ: dict[str, str]) -> None:
    environ["KEYS"] = "an-unusual-secret"
    refused = AuthenticationFailed("The key an-unusual-secret is wrong.", provider="openai", status=401)
    doors.leave(enter(doors), refused)

    (health,) = doors.health()
    assert health.message == "The key *** is wrong."


async def test_who_waits_is_woken_when_a_pass_is_given_back(doors: Doors) -> None:
    row = replace(ROW, config={"max_concurrency": 1}, auth={"api_key_env": "KEYS"})
    leave = enter(doors, row)
    waiting = asyncio.create_task(doors.wait(3600.0, asyncio.sleep))
    await asyncio.sleep(0)
    doors.leave(leave)

    async with asyncio.timeout(10):
        await waiting
    enter(doors, row)


def test_names_without_end_are_not_remembered_without_end(doors: Doors, environ: dict[str, str]) -> None:
    environ["OPENAI_API_KEY"] = "k"
    sick = Model.unlisted("openai", "sick")
    doors.leave(enter(doors, sick), ProviderUnavailable("Out of order.", provider="openai", retry_after=60.0))
    for number in range(3000):
        doors.leave(enter(doors, Model.unlisted("openai", f"m{number}")))

    assert len(doors.health()) < 1500
    shut(doors, sick)

"""Ids and times, and the clock that a test can freeze."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from toolkit import stamps

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)


def test_ids_are_version_7_and_sort_by_the_time_they_were_made() -> None:
    with stamps.freeze(datetime(2026, 1, 1, tzinfo=UTC)):
        early = stamps.new_id()
    late = stamps.new_id()
    assert (UUID(early).version, UUID(late).version) == (7, 7)
    assert UUID(late).variant == "specified in RFC 4122"
    assert early < late
    assert len({stamps.new_id() for _ in range(1000)}) == 1000


def test_a_frozen_clock_gives_the_same_times_and_ids_again() -> None:
    def story() -> list[object]:
        with stamps.freeze():
            return [stamps.now(), stamps.new_id(), stamps.now(), stamps.new_id()]

    first = story()
    assert first == story()
    assert first[2] == first[0] + timedelta(milliseconds=1)  # type: ignore[operator]  # both are datetimes
    assert first[1] != first[3]
    assert abs(stamps.now() - datetime.now(UTC)) < timedelta(seconds=10), "outside the clock runs again"


def test_a_fresh_id_never_comes_twice_however_often_the_clock_is_frozen() -> None:
    def fresh() -> str:
        with stamps.freeze():
            return stamps.fresh_id()

    one, other = fresh(), fresh()
    assert one != other
    with stamps.freeze():
        assert stamps.fresh_id() != one
        first = stamps.new_id()
    with stamps.freeze():
        assert stamps.new_id() == first, "a fresh id takes none of the frozen ones"


def test_in_a_replay_ids_and_times_are_the_same_again_in_every_thread() -> None:
    def story() -> list[object]:
        with stamps.replay(NOON):
            here = [stamps.now(), stamps.new_id(), stamps.monotonic(), stamps.chance()]
            with ThreadPoolExecutor(1) as pool:
                return [*here, *(pool.submit(ask).result() for ask in (stamps.now, stamps.new_id, stamps.monotonic))]

    first = story()
    assert first == story()
    assert first[0] == NOON + timedelta(milliseconds=1)
    assert first[4] == NOON + timedelta(milliseconds=2)
    assert first[1] != first[5]
    assert abs(stamps.now() - datetime.now(UTC)) < timedelta(seconds=10), "outside the clock runs again"
    assert stamps.monotonic() == pytest.approx(time.monotonic(), abs=10)


def test_ids_of_replays_with_different_names_differ() -> None:
    ids = []
    for name in ("report.yaml", "report.host.yaml", "report.yaml"):
        with stamps.replay(datetime(2026, 11, 22, 12, tzinfo=UTC), name=name):
            ids.append([stamps.new_id() for _ in range(3)])
    assert ids[0] == ids[2] == sorted(ids[0])
    assert not set(ids[0]) & set(ids[1])


async def test_in_a_replay_nobody_sleeps_and_the_time_passes_all_the_same() -> None:
    with stamps.replay(NOON):
        before = stamps.now(), stamps.monotonic()
        async with asyncio.timeout(5):
            await stamps.sleep(3600)
        assert stamps.now() - before[0] == timedelta(hours=1, milliseconds=1)
        assert stamps.monotonic() - before[1] == 3600
    async with asyncio.timeout(5):
        await stamps.sleep(0.001)


async def test_questions_that_are_asked_at_once_each_have_their_own_time() -> None:
    async def ask(*seconds: float) -> float:
        begun = stamps.begin()
        for each in seconds:
            await asyncio.gather(asyncio.create_task(stamps.sleep(each)))  # its tasks share its time
        return stamps.monotonic() - begun

    with stamps.replay(NOON):
        await stamps.sleep(0.1)
        lengths = await asyncio.gather(ask(0.25, 0.5), ask(0.125), ask(1.0))
        assert stamps.now() - NOON > timedelta(seconds=1.8), "for the calendar all of it passes"
    assert [*lengths] == [0.75, 0.125, 1.0]


async def test_the_length_of_a_question_does_not_depend_on_when_it_is_asked() -> None:
    lengths = set()
    for before in (0.0, 0.1, 12345.678):
        with stamps.replay(NOON):
            await stamps.sleep(before)
            begun = stamps.begin()
            stamps.elapse(0.1234567)
            lengths.add(stamps.monotonic() - begun)
    assert len(lengths) == 1, "to the last bit"
    assert lengths.pop() == pytest.approx(0.1234567, abs=1e-6)


def test_the_time_before_a_question_passes_when_it_begins() -> None:
    pauses = iter([5.0, 0.0])
    with stamps.replay(NOON, lambda: next(pauses)):
        before = stamps.monotonic()
        assert stamps.begin() - before == 5
        assert stamps.begin() - before == 5


def test_without_a_replay_nothing_elapses() -> None:
    before = stamps.monotonic()
    stamps.elapse(1000)
    assert stamps.begin() - before < 100


def test_a_frozen_context_has_its_own_clock_in_a_replay_too() -> None:
    with stamps.replay(NOON), stamps.freeze(datetime(2020, 1, 1, tzinfo=UTC)):
        assert stamps.now().year == 2020

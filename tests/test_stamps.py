"""Ids and times, and the clock that a test can freeze."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from toolkit import stamps


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

"""The arithmetic of limits."""

from hypothesis import given
from hypothesis import strategies as st

from toolkit.usage.limits.gcra import MINUTE, Demand, Slot, fits, rate, share, together

_KEYS = ("a", "b")
_DEMAND = st.builds(
    lambda key, amount, day: (
        Demand(Slot("2026-01-01", key), amount, max(amount, 1), 100) if day else rate(key, amount, 100)
    ),
    st.sampled_from(_KEYS),
    st.integers(0, 150),
    st.booleans(),
)
_NOW = 10**15


@given(st.lists(st.lists(_DEMAND, max_size=2, unique_by=lambda d: d.slot), max_size=8), st.integers(-MINUTE, MINUTE))
def test_the_sum_of_requests_fits_exactly_when_all_do_one_after_another(
    requests: list[list[Demand]], start: int
) -> None:
    first = {Slot("", key): _NOW + start for key in _KEYS} | {Slot("2026-01-01", key): 7 for key in _KEYS}
    levels, all_fit = dict(first), True
    for demands in requests:
        all_fit = all_fit and fits(demands, levels, _NOW)
        for demand in demands:
            levels[demand.slot] = demand.after(levels[demand.slot], _NOW)

    total = together(requests)
    assert [demand.slot for demand in total] == sorted({d.slot for demands in requests for d in demands})
    assert fits(total, first, _NOW) == all_fit
    assert all(demand.after(first[demand.slot], _NOW) == levels[demand.slot] for demand in total)


@given(st.integers(1, 1_000_000))
def test_a_minutes_worth_fits_and_not_one_more(per_minute: int) -> None:
    one = share(1, per_minute)
    assert per_minute * one <= MINUTE
    if per_minute <= 7000:  # beyond, a microsecond is too coarse to tell one more from none
        assert (per_minute + 1) * one > MINUTE

"""What `benchmarks.mcp` makes of its rounds."""

from benchmarks.mcp import BARE, OURS, costs_of
from benchmarks.mcp_calls import Round


def test_a_ratio_is_the_median_of_the_rounds_and_that_of_processor_time_the_one_of_the_sums() -> None:
    rounds = {
        BARE: [Round(1.0, 1.0, 0.0), Round(2.0, 1.0, 1.0), Round(10.0, 1.0, 1.0)],
        OURS: [Round(1.5, 1.0, 2.0), Round(2.2, 1.0, 0.0), Round(11.0, 5.0, 1.0)],
    }

    ours = {cost.what: cost for cost in costs_of("stdio", "2026-07-28", rounds) if cost.server == OURS}

    assert ours["alone"].ratio == 1.1
    assert ours["many"].ratio == 1.0
    assert ours["cpu"].ratio == 1.5  # in rounds so short some of them have none
    assert ours["alone"].milliseconds == 2.2

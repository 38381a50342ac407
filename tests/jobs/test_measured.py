"""The benchmark of batches measures what it says."""

from benchmarks.batch import NAMES, measure


def test_every_way_to_run_a_batch_gives_all_answers_of_the_same_server() -> None:
    rates = measure(8, 1)
    assert [rate.name for rate in rates] == list(NAMES)
    assert all(rate.answers_per_second > 0 for rate in rates)
    assert (rates[0].ratio_seconds, rates[0].ratio_cpu) == (1.0, 1.0)

"""The breaker of one key: what failed again and again is left in peace, and tried out by one when its rest is over."""

import pytest

from toolkit.errors import (
    AuthenticationFailed,
    BadAnswer,
    ConfigError,
    ContentRefused,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)
from toolkit.models.breaker import Breaker


def error(kind: type[ProviderError], retry_after: float | None = None, status: int | None = 500) -> ProviderError:
    return kind("It failed.", provider="openai", status=status, retry_after=retry_after)


def fail(breaker: Breaker, problem: Exception, now: float, times: int = 1) -> None:
    for _ in range(times):
        breaker.failed(problem, now, probe=breaker.begin())  # type: ignore[arg-type]  # only ToolkitErrors are given


@pytest.mark.parametrize("kind", [ProviderUnavailable, BadAnswer, ProviderTimeout])
def test_the_third_failure_in_sequence_opens_it(kind: type[ProviderError]) -> None:
    breaker = Breaker()
    fail(breaker, error(kind), now=0.0, times=2)
    assert (breaker.state(0.0), breaker.lets_pass(0.0)) == ("closed", True)

    fail(breaker, error(kind), now=0.0)
    assert (breaker.state(1.9), breaker.lets_pass(1.9)) == ("open", False)
    assert (breaker.state(2.0), breaker.lets_pass(2.0)) == ("half-open", True)


def test_an_answer_between_two_failures_begins_the_count_anew() -> None:
    breaker = Breaker()
    fail(breaker, error(BadAnswer), now=0.0, times=2)
    breaker.succeeded()
    fail(breaker, error(BadAnswer), now=0.0, times=2)

    assert breaker.state(0.0) == "closed"


def test_only_one_may_try_it_out_and_its_success_opens_the_door_for_all() -> None:
    breaker = Breaker()
    fail(breaker, error(ProviderUnavailable), now=0.0, times=3)

    assert breaker.begin()
    assert not breaker.lets_pass(100.0)
    breaker.succeeded()
    assert (breaker.state(100.0), breaker.failures, breaker.error) == ("closed", 0, None)


def test_each_probe_that_fails_doubles_the_rest_up_to_a_minute() -> None:
    breaker, now, rests = Breaker(), 0.0, []
    fail(breaker, error(ProviderUnavailable), now, times=3)
    for _ in range(7):
        assert breaker.until is not None
        rests.append(breaker.until - now)
        now = breaker.until
        fail(breaker, error(ProviderUnavailable), now)

    assert rests == [2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]


def test_a_probe_whose_caller_went_away_leaves_the_next_one_to_try() -> None:
    breaker = Breaker()
    fail(breaker, error(ProviderUnavailable), now=0.0, times=3)

    breaker.abandoned(probe=breaker.begin())
    assert breaker.lets_pass(2.0)


def test_those_who_were_under_way_when_it_opened_do_not_prolong_the_rest() -> None:
    breaker = Breaker()
    for _ in range(10):
        breaker.failed(error(ProviderTimeout), 0.0, probe=False)

    assert breaker.until == 2.0


@pytest.mark.parametrize("kind", [RateLimited, ProviderUnavailable])
def test_a_vendor_that_says_when_to_come_back_is_left_alone_until_then(kind: type[ProviderError]) -> None:
    breaker = Breaker()
    fail(breaker, error(kind, retry_after=30.0), now=5.0)

    assert breaker.until == 35.0
    assert not breaker.hopeless


def test_a_vendor_cannot_ask_for_more_than_an_hour() -> None:
    breaker = Breaker()
    fail(breaker, error(RateLimited, retry_after=1e9), now=0.0)

    assert breaker.until == 3600.0


def test_a_limit_without_a_time_rests_for_a_second_and_then_twice_as_long() -> None:
    breaker = Breaker()
    fail(breaker, error(RateLimited), now=0.0)
    first = breaker.until
    fail(breaker, error(RateLimited), now=1.0)

    assert (first, breaker.until) == (1.0, 3.0)


@pytest.mark.parametrize(
    ("kind", "rest"), [(AuthenticationFailed, 300.0), (QuotaExceeded, 300.0), (ModelNotFound, 60.0)]
)
def test_what_waiting_does_not_mend_is_asked_only_by_who_insists(kind: type[ProviderError], rest: float) -> None:
    breaker = Breaker()
    fail(breaker, error(kind, status=401), now=0.0)

    assert breaker.until == rest
    assert not breaker.lets_pass(1.0)
    assert breaker.lets_pass(1.0, insist=True)


def test_who_insists_does_not_pass_where_waiting_helps() -> None:
    breaker = Breaker()
    fail(breaker, error(RateLimited, retry_after=9.0), now=0.0)

    assert not breaker.lets_pass(1.0, insist=True)


@pytest.mark.parametrize("kind", [InvalidRequest, ContextTooLong, ContentRefused])
def test_a_vendor_that_refuses_the_request_is_well(kind: type[ProviderError]) -> None:
    breaker = Breaker()
    fail(breaker, error(BadAnswer), now=0.0, times=2)
    fail(breaker, error(kind, status=400), now=0.0)

    assert (breaker.failures, breaker.state(0.0)) == (0, "closed")


@pytest.mark.parametrize("problem", [ConfigError("A row."), error(AuthenticationFailed, status=None)])
def test_where_nobody_was_asked_nothing_is_learnt(problem: Exception) -> None:
    breaker = Breaker()
    fail(breaker, problem, now=0.0, times=5)

    assert (breaker.failures, breaker.state(0.0)) == (0, "closed")

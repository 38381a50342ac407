"""What an error means for the call: the same again, the next, or the end; and how long an attempt may take."""

from collections.abc import Callable
from dataclasses import replace

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
from toolkit.models.model import Model
from toolkit.models.retry import MOMENT, concerns_the_key, is_final, moment_before_retry, pause_before_round, share

ROW = Model("id", "a", "openai", "x")


def error(kind: type[ProviderError], retry_after: float | None = None) -> ProviderError:
    return kind("It failed.", provider="openai", retry_after=retry_after)


@pytest.mark.parametrize("kind", [ProviderUnavailable, BadAnswer])
def test_what_may_be_gone_in_a_moment_is_tried_again_once_and_so_soon_that_nobody_notices(
    kind: type[ProviderError],
) -> None:
    moment = moment_before_retry(error(kind), tries=1)

    assert moment is not None
    assert 0 < moment <= MOMENT <= 0.05
    assert moment_before_retry(error(kind), tries=2) is None
    assert moment_before_retry(error(kind, 8.0), tries=1) is None


@pytest.mark.parametrize("after", [moment_before_retry, pause_before_round])
def test_the_pause_is_not_the_same_for_everyone(after: Callable[..., float | None]) -> None:
    count = {"tries": 1} if after is moment_before_retry else {"rounds": 0}
    assert len({after(error(ProviderUnavailable), **count) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    "kind", [ProviderTimeout, AuthenticationFailed, QuotaExceeded, ModelNotFound, ContextTooLong, InvalidRequest]
)
def test_what_would_fail_again_is_not_tried_again(kind: type[ProviderError]) -> None:
    for problem in (error(kind), ConfigError("A row.")):
        assert moment_before_retry(problem, tries=1) is None
        assert pause_before_round(problem, rounds=0) is None


@pytest.mark.parametrize("kind", [ProviderUnavailable, BadAnswer, RateLimited])
def test_what_may_pass_is_tried_again_when_everyone_failed_each_time_after_twice_the_pause(
    kind: type[ProviderError],
) -> None:
    first, third = pause_before_round(error(kind), rounds=0), pause_before_round(error(kind), rounds=2)

    assert first is not None
    assert third is not None
    assert 0.2 < first <= 0.3
    assert 0.8 < third <= 1.2
    assert pause_before_round(error(kind, 8.0), rounds=5) == 8.0


@pytest.mark.parametrize(
    ("kind", "concerns"), [(RateLimited, True), (AuthenticationFailed, True), (QuotaExceeded, True), (BadAnswer, False)]
)
def test_what_concerns_one_key_may_be_tried_with_another(kind: type[ProviderError], concerns: bool) -> None:
    assert concerns_the_key(error(kind)) is concerns


@pytest.mark.parametrize("kind", [InvalidRequest, ContentRefused])
def test_what_every_vendor_would_refuse_ends_the_call(kind: type[ProviderError]) -> None:
    assert is_final(error(kind), ROW)
    assert not is_final(error(BadAnswer), ROW)


def test_a_refused_content_is_put_to_the_next_where_the_row_says_so() -> None:
    row = replace(ROW, config={"on_refusal": "next"})

    assert not is_final(error(ContentRefused), row)
    assert is_final(error(InvalidRequest), row)


@pytest.mark.parametrize("left", [0.1, 1.0, 2.0, 3.0, 10.0, 60.0, 600.0])
def test_an_attempt_never_takes_the_whole_time_while_others_follow(left: float) -> None:
    for others, resorts in ((True, False), (False, True), (True, True)):
        limit = share(left, own=None, others=others, resorts=resorts)
        assert left * 0.5 <= limit <= left - min(2.0, left * 0.19)
    assert share(left, own=None, others=False, resorts=False) == left


def test_an_attempt_gets_half_of_the_time_but_not_too_little_of_it() -> None:
    assert share(60.0, own=None, others=True, resorts=True) == 30.0
    assert share(3.0, own=None, others=True, resorts=False) == 2.0
    assert share(60.0, own=None, others=False, resorts=True) == 58.0


def test_an_attempt_gets_no_more_than_its_own_limit() -> None:
    assert share(60.0, own=5.0, others=False, resorts=False) == 5.0
    assert share(60.0, own=5.0, others=True, resorts=False) == 5.0
    assert share(4.0, own=50.0, others=False, resorts=False) == 4.0

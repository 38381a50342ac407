"""What an error means for the call: the same again, the next, or the end; and how long an attempt may take."""

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
    ToolkitError,
)
from toolkit.models.retry import TINY, is_final, pause_before_retry, share


def error(kind: type[ProviderError], retry_after: float | None = None) -> ProviderError:
    return kind("It failed.", provider="openai", retry_after=retry_after)


def pause(problem: ToolkitError, *, tries: int = 1, last: bool = False, left: float = 60.0) -> float | None:
    return pause_before_retry(problem, tries=tries, last=last, left=left)


@pytest.mark.parametrize("kind", [ProviderUnavailable, BadAnswer])
@pytest.mark.parametrize("last", [True, False])
def test_what_may_be_gone_in_a_moment_is_tried_again_once_after_a_moment(kind: type[ProviderError], last: bool) -> None:
    first = pause(error(kind), last=last)

    assert first is not None
    assert 0 < first <= TINY
    assert pause(error(kind), tries=2, last=last) is None


def test_the_pause_is_not_the_same_for_everyone() -> None:
    assert len({pause(error(ProviderUnavailable)) for _ in range(20)}) > 1


@pytest.mark.parametrize(
    "kind", [ProviderTimeout, AuthenticationFailed, QuotaExceeded, ModelNotFound, ContextTooLong, RateLimited]
)
def test_what_would_fail_again_is_not_tried_again(kind: type[ProviderError]) -> None:
    assert pause(error(kind), last=True) is None
    assert pause(ConfigError("A row."), last=True) is None


def test_retry_after_is_waited_for_only_where_nobody_else_is_left() -> None:
    assert pause(error(RateLimited, 8.0), last=True) == 8.0
    assert pause(error(RateLimited, 8.0), last=False) is None
    assert pause(error(ProviderUnavailable, 8.0), last=False) is None


def test_a_tiny_retry_after_is_waited_for_although_others_are_left() -> None:
    assert pause(error(RateLimited, 0.2), last=False) == 0.2


def test_retry_after_that_does_not_fit_into_the_deadline_is_not_waited_for() -> None:
    assert pause(error(RateLimited, 30.0), last=True, left=20.0) is None
    assert pause(error(ProviderUnavailable), last=True, left=0.05) is None


@pytest.mark.parametrize("kind", [InvalidRequest, ContentRefused])
def test_what_every_vendor_would_refuse_ends_the_call(kind: type[ProviderError]) -> None:
    assert is_final(error(kind))
    assert not is_final(error(BadAnswer))


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

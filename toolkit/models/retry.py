"""What an error of one model means for the call: ask it again, ask the next one, or give up.

| error | then |
|---|---|
| ProviderUnavailable, BadAnswer | the same once more after a short pause, then the next |
| RateLimited | the same once more after `retry_after` if that is tiny or nobody else is left; else the next |
| ProviderTimeout, AuthenticationFailed, QuotaExceeded, ModelNotFound, ContextTooLong, ConfigError | the next |
| InvalidRequest, ContentRefused | give up: every other vendor would refuse it too |
"""

import random
from typing import Final

from toolkit.errors import (
    BadAnswer,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    RateLimited,
    ToolkitError,
)

RETRIES: Final = 1
"""How often the same model is asked again."""
TINY: Final = 0.25
"""Seconds that a retry may wait while someone else could answer."""
SHORTEST: Final = 2.0
"""Seconds below which sharing an attempt's time is of little use."""
RESERVE: Final = 0.2
"""The part of the time left that neither a pause nor an attempt takes from whoever comes after it."""
GRACE: Final = 0.25
"""Seconds that a provider may take to notice by itself that its time is over."""
USED_UP: Final = 0.01
"""Seconds left of a deadline that count as none."""


def is_final(error: ToolkitError) -> bool:
    """Whether the call fails at once with `error`."""
    return isinstance(error, InvalidRequest | ContentRefused)


def pause_before_retry(error: ToolkitError, *, tries: int, last: bool, left: float) -> float | None:
    """Seconds to wait before the same model is asked again; None where the next one should be asked.

    Args:
        error: why it did not answer.
        tries: how often it has been asked in this call, at least 1.
        last: nobody else can be asked.
        left: seconds until the call's deadline.
    """
    if tries > RETRIES:
        return None
    pause = _pause(error)
    if pause is None or pause > left * (1 - RESERVE):
        return None
    return pause if last or pause <= TINY else None


def share(left: float, *, own: float | None, others: bool, resorts: bool) -> float:
    """Seconds that the next attempt may take.

    Half of what is left where another model may still be asked, though not less than `SHORTEST`; all but `SHORTEST`
    where only a last resort follows, which answers at once; but never more than leaves them `RESERVE`. Everything
    where nobody follows.

    Args:
        left: seconds until the call's deadline.
        own: the most that the model's row allows, None without a limit.
        others: another model follows.
        resorts: a last resort follows.
    """
    longest = left * (1 - RESERVE)
    if others:
        limit = min(max(left / 2, SHORTEST), longest)
    elif resorts:
        limit = longest if left * RESERVE < SHORTEST else left - SHORTEST
    else:
        limit = left
    return limit if own is None else min(own, limit)


def _pause(error: ToolkitError) -> float | None:
    if not isinstance(error, ProviderUnavailable | BadAnswer | RateLimited):
        return None
    if error.retry_after is not None:
        return error.retry_after
    # Half of it is chance, so that many callers who failed together do not come back together.
    return None if isinstance(error, RateLimited) else TINY * (0.5 + random.random() / 2)  # noqa: S311 - no secret

"""What an error of one model means for the call: ask it again, ask the next one, or give up; and who has how long.

| error | then |
|---|---|
| ProviderUnavailable, BadAnswer | the same at once again, then the next |
| RateLimited, AuthenticationFailed, QuotaExceeded | the same with another key, if it has one; else the next |
| ProviderTimeout, ModelNotFound, ContextTooLong, ConfigError | the next |
| ContentRefused | give up, or the next where the model's row says so |
| InvalidRequest | give up: every other vendor would refuse it too |
| CassetteError | give up: in a replay nobody is asked |

When everyone was asked in vain, those who may recover are asked again after a pause, which doubles, for a few seconds;
a vendor that said how long it wants to rest is waited for as long as that fits into the deadline.
"""

from typing import Final

from toolkit.errors import (
    AuthenticationFailed,
    BadAnswer,
    CassetteError,
    ContentRefused,
    InvalidRequest,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
    ToolkitError,
)
from toolkit.models.model import Model
from toolkit.stamps import chance

RETRIES: Final = 1
"""How often the same model is asked again while others could answer."""
MOMENT: Final = 0.02
"""Seconds that such a retry waits at most: a lost connection needs no more, and nobody should notice."""
PATIENCE: Final = 4.0
"""Seconds, since everyone was asked in vain, in which those who may recover are asked again; a vendor that said itself
when it wants to be asked is waited for longer."""
SHORTEST: Final = 2.0
"""Seconds below which sharing an attempt's time is of little use."""
RESERVE: Final = 0.2
"""The part of the time left that neither a pause nor an attempt takes from whoever comes after it."""
SLOW: Final = 0.5
"""Seconds per piece from which on a stream drips: models say several pieces in a second."""
GRACE: Final = 0.25
"""Seconds that a provider may take to notice by itself that its time is over."""
USED_UP: Final = 0.01
"""Seconds left of a deadline that count as none."""


def is_final(error: ToolkitError, model: Model) -> bool:
    """Whether the call fails at once with `error` of `model`."""
    return isinstance(error, InvalidRequest | CassetteError) or (
        isinstance(error, ContentRefused) and model.refusal_is_final
    )


def concerns_the_key(error: ToolkitError) -> bool:
    """Whether the same model may answer with another key."""
    return isinstance(error, RateLimited | AuthenticationFailed | QuotaExceeded)


def moment_before_retry(error: ToolkitError, *, tries: int) -> float | None:
    """Seconds to wait before the same model is asked again although others could be; None where they should be.

    Args:
        error: why it did not answer.
        tries: how often it has been asked in this round, at least 1.
    """
    if tries > RETRIES or not isinstance(error, ProviderUnavailable | BadAnswer):
        return None
    if error.retry_after is not None:
        return error.retry_after if error.retry_after <= MOMENT else None
    # Half of it is chance, so that many callers who failed together do not come back together.
    return _about(MOMENT)


def pause_before_round(error: ToolkitError, *, rounds: int) -> float | None:
    """Seconds to wait before a model is asked again when everyone was asked in vain; None where it would fail again.

    Args:
        error: why it did not answer.
        rounds: how often that was done in this call.
    """
    if not isinstance(error, ProviderUnavailable | BadAnswer | RateLimited):
        return None
    if error.retry_after is not None:
        return error.retry_after
    return _about(0.3 * 2**rounds)


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


def _about(seconds: float) -> float:
    return seconds * (0.75 + chance() / 4)

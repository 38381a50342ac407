"""The circuit breaker of one key of one model: what failed again and again is left in peace for a while.

    closed      it is asked
    open        it failed `IN_SEQUENCE` times in sequence, or said itself when it wants to be asked again: it rests
    half open   its rest is over: one caller may try, the others wait for what becomes of that one

What each error means for the key:

| error | then |
|---|---|
| ProviderUnavailable, BadAnswer, ProviderTimeout | the third in sequence opens it for 2 s, then 4 s, … at most 60 s |
| the same with a `retry_after` | opens it for that long |
| RateLimited | opens it for `retry_after`, else for 1 s, then 2 s, …, at most 60 s |
| AuthenticationFailed, QuotaExceeded | opens it for 5 minutes, in which it is asked only if nobody else can answer |
| ModelNotFound | the same for 1 minute |
| InvalidRequest, ContextTooLong, ContentRefused | the vendor is well: as an answer |
| ConfigError, and a key that is missing | nothing: nobody was asked |
"""

from typing import Final, Literal, TypeAlias

from toolkit.errors import (
    AuthenticationFailed,
    BadAnswer,
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

State: TypeAlias = Literal["closed", "open", "half-open"]

IN_SEQUENCE: Final = 3
"""Failures after which it opens."""
SHORTEST_REST: Final = 2.0
SHORTEST_RATE_REST: Final = 1.0
LONGEST_REST: Final = 60.0
"""Seconds; a vendor's own `retry_after` may be longer."""
LONGEST_ASKED_FOR: Final = 3600.0
"""Seconds that a vendor may ask for."""

_HOPELESS: Final = {AuthenticationFailed: 300.0, QuotaExceeded: 300.0, ModelNotFound: 60.0}
_STUMBLED: Final = (ProviderUnavailable, BadAnswer, ProviderTimeout)
_WELL: Final = (InvalidRequest, ContextTooLong, ContentRefused)


class Breaker:
    """Whether a key of a model may be asked. Moments are seconds of one clock.

    Attributes:
        failures: in sequence.
        until: when its rest is over; None while it is closed.
        error: why it opened; None while it is closed.
        hopeless: waiting is not what mends it, so that asking it in vain costs nothing but the request.
    """

    __slots__ = ("_probing", "_rests", "error", "failures", "hopeless", "until")

    def __init__(self) -> None:
        self.failures = 0
        self.until: float | None = None
        self.error: ToolkitError | None = None
        self.hopeless = False
        self._rests = 0
        self._probing = False

    def state(self, now: float) -> State:
        """`open` while it rests, `half-open` when one may try."""
        if self.until is None:
            return "closed"
        return "open" if now < self.until else "half-open"

    def lets_pass(self, now: float, *, insist: bool = False) -> bool:
        """Whether one more may ask; `insist` does not wait for the end of a rest that is of no use."""
        if self.until is None:
            return True
        return not self._probing and (now >= self.until or (insist and self.hopeless))

    def begin(self) -> bool:
        """Note that somebody asks; gives whether they do it to try."""
        if self.until is None or self._probing:
            return False
        self._probing = True
        return True

    def succeeded(self) -> None:
        """It answered."""
        self.failures = self._rests = 0
        self.until = self.error = None
        self.hopeless = self._probing = False

    def failed(self, error: ToolkitError, now: float, *, probe: bool) -> None:
        """It failed with `error`; `probe` is what `begin` said."""
        if isinstance(error, _WELL):
            self.succeeded()
            return
        if probe:
            self._probing = False
        rest = self._rest_after(error, probe=probe) if isinstance(error, ProviderError) else None
        if rest is not None:
            self._rests += 1
            self.until = max(now + rest, self.until or 0.0)
            self.error = error
            self.hopeless = type(error) in _HOPELESS

    def abandoned(self, *, probe: bool) -> None:
        """The caller went away before anything could be learnt."""
        if probe:
            self._probing = False

    def _rest_after(self, error: ProviderError, *, probe: bool) -> float | None:
        """Seconds of rest; None where it goes on as before."""
        for kind, rest in _HOPELESS.items():
            if isinstance(error, kind):
                return rest if error.status is not None else None
        if not isinstance(error, (*_STUMBLED, RateLimited)):
            return None
        self.failures += 1
        if error.retry_after is not None:
            return min(error.retry_after, LONGEST_ASKED_FOR)
        # Those who were under way when it opened have nothing new to tell.
        if self.until is not None and not probe:
            return None
        if isinstance(error, RateLimited):
            return _doubled(SHORTEST_RATE_REST, self._rests)
        if probe or self.failures >= IN_SEQUENCE:
            return _doubled(SHORTEST_REST, self._rests)
        return None


def _doubled(seconds: float, times: int) -> float:
    return min(seconds * 2.0 ** min(times, 10), LONGEST_REST)

"""One question on its way to an answer: whom it may still ask, for how long, and what came of those it asked."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from toolkit import providers
from toolkit.errors import (
    AllModelsFailed,
    BadAnswer,
    ConfigError,
    DeadlineExceeded,
    ProviderError,
    ProviderTimeout,
    ToolkitError,
)
from toolkit.messages import Attempt, Caller, Completion, Embeddings, Message, Reply
from toolkit.models.keys import resolve_auth, secrets_of
from toolkit.models.model import Model
from toolkit.models.prices import cost_nano_usd
from toolkit.models.retry import USED_UP, pause_before_retry, share
from toolkit.redaction import redact
from toolkit.stamps import new_id, now
from toolkit.usage.ledger import Ledger

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """When an attempt began: by the calendar for the ledger, by the clock for its length."""

    at: datetime
    clock: float


class Call:
    """One question: its deadline, and the attempts made so far.

    Args:
        ledger: where the attempts are kept.
        environ: holds the secrets that no message may repeat.
        kind: `chat`, `stream` or `embed`.
        caller: on whose behalf.
        seconds: the time for the whole call.
        call_id: for the ledger; a new one if not given.
        clock: seconds from any fixed point.

    Raises:
        ConfigError: `seconds` is not above 0.
    """

    def __init__(
        self,
        ledger: Ledger,
        environ: Mapping[str, str],
        *,
        kind: str,
        caller: Caller,
        seconds: float,
        call_id: str | None,
        clock: Callable[[], float],
    ) -> None:
        if not seconds > 0:
            raise ConfigError(f"The timeout of a call must be above 0 seconds (it is {seconds:g}).")
        self.id = call_id or new_id()
        self.attempts: list[Attempt] = []
        self._ledger = ledger
        self._environ = environ
        self._kind = kind
        self._caller = caller
        self._seconds = seconds
        self._clock = clock
        self._began = clock()

    def left(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._began + self._seconds - self._clock())

    def start(self) -> Start:
        """The beginning of an attempt."""
        return Start(now(), self._clock())

    async def record(
        self,
        model: Model,
        start: Start,
        *,
        answer: Completion | Embeddings | None = None,
        error: ToolkitError | None = None,
        cancelled: bool = False,
    ) -> None:
        """Keep what came of one attempt, here and in the ledger; never raises.

        Args:
            model: who was asked.
            start: when.
            answer: what it answered, None where it did not.
            error: why it did not answer.
            cancelled: the caller went away.
        """
        said = error if isinstance(error, ProviderError) else answer
        usage = answer.usage if answer else None
        attempt = Attempt(
            name=model.name,
            provider=model.provider,
            model=model.model,
            error="Cancelled" if cancelled else type(error).__name__ if error else None,
            message="The caller went away." if cancelled else self._sentence(model, error) if error else None,
            status=error.status if isinstance(error, ProviderError) else None,
            request_id=said.request_id if said else None,
            milliseconds=(self._clock() - start.clock) * 1000,
            usage=usage,
            cost_nano_usd=cost_nano_usd(model.provider, model.model, usage, model.config) if answer else None,
        )
        self.attempts.append(attempt)
        await self._ledger.record(
            attempt,
            call_id=self.id,
            number=len(self.attempts),
            kind=self._kind,
            caller=self._caller,
            started_at=start.at,
            cancelled=cancelled,
        )

    def failure(self) -> AllModelsFailed | DeadlineExceeded:
        """What is raised when nobody answered."""
        if self.left() <= USED_UP:
            return DeadlineExceeded(self._seconds, self.attempts)
        return AllModelsFailed(self.attempts)

    def reply(self, model: Model, completion: Completion, message: Message) -> Reply:
        """What is given when `model` answered with `message`."""
        return Reply(
            message=message,
            model=model.name,
            attempts=tuple(self.attempts),
            call_id=self.id,
            finish_reason=completion.finish_reason,
            milliseconds=(self._clock() - self._began) * 1000,
        )

    def _sentence(self, model: Model, error: ToolkitError) -> str:
        text = redact(str(error), *secrets_of(resolve_auth(model, self._environ)))
        return text.replace("\0", "").encode(errors="replace").decode()  # what a vendor sends, a database may not keep


class Turns:
    """Whose turn it is: the candidates in order, one of them twice where a second try is worth it.

    A candidate that was left is never asked again in the same call.

    Args:
        call: whose deadline holds.
        candidates: in order, each once.
        sleep: waits some seconds.
    """

    def __init__(self, call: Call, candidates: Sequence[Model], sleep: Callable[[float], Awaitable[None]]) -> None:
        self._call = call
        self._candidates = candidates
        self._sleep = sleep
        self._position = 0
        self._tries = 0

    async def next(self, error: ToolkitError | None, *, onward: bool = False) -> Model | None:
        """Who is asked next, after the pause that is due; None where nobody is left, or no time.

        Args:
            error: why the one before did not answer; None in the beginning.
            onward: do not ask the same again if there is another.
        """
        if error is not None:
            await self._after(error, onward=onward)
        if self._position == len(self._candidates) or self._call.left() <= USED_UP:
            return None
        self._tries += 1
        return self._candidates[self._position]

    def limit(self) -> float:
        """Seconds that the present attempt may take."""
        followers = [providers.last_resort(model.provider) for model in self._candidates[self._position + 1 :]]
        own = self._candidates[self._position].timeout
        return share(self._call.left(), own=own, others=not all(followers), resorts=any(followers))

    async def _after(self, error: ToolkitError, *, onward: bool) -> None:
        last = self._position + 1 == len(self._candidates)
        pause = None
        if last or not onward:
            pause = pause_before_retry(error, tries=self._tries, last=last, left=self._call.left())
        if pause is None:
            self._position += 1
            self._tries = 0
        else:
            await self._sleep(pause)


def understood(error: Exception, model: Model) -> ProviderError | ConfigError:
    """`error` of an attempt as one that the rules know: a provider that breaks its promises breaks no chain."""
    if isinstance(error, ProviderError | ConfigError):
        return error
    known: ProviderError
    if isinstance(error, TimeoutError):
        known = ProviderTimeout(f"{model.name} did not answer within its time.", provider=model.provider)
    else:
        _log.error("The provider %s failed in a way it should not", model.provider, exc_info=error)
        known = BadAnswer(
            f"The provider {model.provider!r} failed in a way it should not ({type(error).__name__}).",
            provider=model.provider,
        )
    known.__cause__ = error
    return known

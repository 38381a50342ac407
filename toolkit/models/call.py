"""One question on its way to an answer: whom it may still ask, for how long, and what came of those it asked."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from toolkit.db import Statement
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
from toolkit.models.doors import Pass, Shut
from toolkit.models.keys import secrets_of
from toolkit.models.model import Model
from toolkit.models.prices import cost_nano_usd
from toolkit.models.retry import USED_UP
from toolkit.redaction import redact
from toolkit.stamps import new_id, now
from toolkit.usage.ledger import Ledger

RESTING = "Resting"
"""Stands as the error of a model that was not asked."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Start:
    """When an attempt began: by the calendar for the ledger, by the clock for its length."""

    at: datetime
    clock: float


class Call:
    """One question: its deadline, and the attempts made so far, each kept in the ledger, too.

    Args:
        ledger: where the attempts are kept.
        environ: holds the secrets that no message may repeat.
        kind: `chat`, `stream` or `embed`.
        caller: on whose behalf.
        seconds: the time for the whole call.
        call_id: for the ledger; a new one if not given.
        later: gets the ledger's rows of the answer, for whoever keeps them with something else; None writes them here.
        clock: seconds from any fixed point.

    Attributes:
        id: the call's.
        attempts: in the order in which they ended.
        seconds: the time for the whole call.

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
        later: list[Statement] | None,
        clock: Callable[[], float],
    ) -> None:
        if not seconds > 0:
            raise ConfigError(f"The timeout of a call must be above 0 seconds (it is {seconds:g}).")
        self.id = call_id or new_id()
        self.attempts: list[Attempt] = []
        self._ledger = ledger
        self._writing: list[asyncio.Task[None]] = []
        self._environ = environ
        self._later = later
        self._kind = kind
        self._caller = caller
        self.seconds = seconds
        self._clock = clock
        self._began = clock()

    def left(self) -> float:
        """Seconds until the deadline, at least 0."""
        return max(0.0, self._began + self.seconds - self._clock())

    def start(self) -> Start:
        """The beginning of an attempt."""
        return Start(now(), self._clock())

    def began(self, leave: Pass, seconds: float) -> None:
        """Tell after how many seconds the first words of a model came."""
        self._ledger.began(leave.model.name, seconds, listed=leave.model.is_listed)

    def answered(self, leave: Pass, start: Start, answer: Completion | Embeddings) -> None:
        """Note that a model answered."""
        tier = answer.tier if isinstance(answer, Completion) else None
        model, usage = leave.model, answer.usage
        cost = cost_nano_usd(model.provider, model.model, usage, model.config, tier=tier, at=start.at)
        attempt = self._attempt(leave, start, usage=usage, cost_nano_usd=cost, request_id=answer.request_id)
        self._keep(leave, attempt, start)

    def failed(self, leave: Pass, start: Start, error: ToolkitError, *, begun: bool = False) -> None:
        """Note that a model did not answer, or broke off an answer that it had `begun`."""
        model, usage = leave.model, getattr(error, "usage", None)
        # What the vendor had counted when the answer broke off was paid for.
        cost = cost_nano_usd(model.provider, model.model, usage, model.config, at=start.at) if usage else None
        attempt = self._attempt(
            leave,
            start,
            error=type(error).__name__,
            message=self._sentence(model, str(error)),
            status=getattr(error, "status", None),
            usage=usage,
            cost_nano_usd=cost,
            request_id=getattr(error, "request_id", None),
            uncounted=begun or isinstance(error, ProviderTimeout | BadAnswer),
        )
        self._keep(leave, attempt, start)

    def cancelled(self, leave: Pass, start: Start, why: str | None = None) -> None:
        """Note that nobody waited for a model's answer; without a reason `why`, because the caller went away."""
        message = why or "The caller went away."
        attempt = self._attempt(leave, start, error="Cancelled", message=message, uncounted=True)
        self._keep(leave, attempt, start, cancelled=True)

    async def settled(self) -> None:
        """Wait until the ledger has every attempt, or gave up; a caller who goes away leaves them being written."""
        if self._writing:
            await asyncio.wait(self._writing)

    def passed_over(self, shut: Shut) -> None:
        """Note that a model was not asked, because it rests; not in the ledger, and not if it was asked before."""
        model = shut.model
        if all(attempt.name != model.name for attempt in self.attempts):
            sentence = self._sentence(model, shut.reason)
            self.attempts.append(Attempt(model.name, model.provider, model.model, error=RESTING, message=sentence))

    def _attempt(self, leave: Pass, start: Start, **fields: Any) -> Attempt:
        return Attempt(
            name=leave.model.name,
            provider=leave.model.provider,
            model=leave.model.model,
            milliseconds=(self._clock() - start.clock) * 1000,
            key=leave.key.label,
            **fields,
        )

    def _keep(self, leave: Pass, attempt: Attempt, start: Start, *, cancelled: bool = False) -> None:
        before = self.attempts[-1] if self.attempts else None
        self.attempts.append(attempt)
        asked: dict[str, Any] = {
            "call_id": self.id,
            "number": sum(attempt.error != RESTING for attempt in self.attempts),
            "kind": self._kind,
            "caller": self._caller,
            "started_at": start.at,
            "cancelled": cancelled,
            "before": before,
            "listed": leave.model.is_listed,
            "address": leave.model.config.get("base_url"),
        }
        if attempt.ok and self._later is not None:
            self._later.extend(self._ledger.rows(attempt, **asked))
        else:  # nobody waits for the ledger before the next model is asked
            self._writing.append(asyncio.create_task(self._ledger.record(attempt, **asked)))

    def speaking(self, leave: Pass, start: Start) -> tuple[Attempt, ...]:
        """Who was asked until now, and last the model that has begun to answer."""
        return (*self.attempts, self._attempt(leave, start))

    def failure(self) -> AllModelsFailed | DeadlineExceeded:
        """What is raised when nobody answered."""
        if self.left() <= USED_UP:
            return DeadlineExceeded(self.seconds, self.attempts)
        return AllModelsFailed(self.attempts)

    def reply(self, model: Model, completion: Completion, message: Message) -> Reply:
        """What is given when `model` answered with `message`."""
        return Reply(
            message=message,
            model=model.name,
            # Of two that were asked at once, the one that was too slow ended after the one that answered.
            attempts=tuple(sorted(self.attempts, key=lambda attempt: attempt.ok)),
            call_id=self.id,
            finish_reason=completion.finish_reason,
            milliseconds=(self._clock() - self._began) * 1000,
            extra=completion.extra,
        )

    def _sentence(self, model: Model, said: str) -> str:
        text = redact(said, *secrets_of(model, self._environ))
        return text.replace("\0", "").encode(errors="replace").decode()  # what a vendor sends, a database may not keep


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

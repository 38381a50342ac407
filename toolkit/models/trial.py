"""A model is tried out: asked one short question, to see whether it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from toolkit.errors import ProviderError, ToolkitError
from toolkit.messages import Attempt, Caller, ChatRequest, Message
from toolkit.models.model import Model
from toolkit.models.reach import missing
from toolkit.models.router import Router

SECONDS: Final = 20.0
"""How long a model may take."""

QUESTION: Final = "Answer with the one word: ready"


@dataclass(frozen=True, slots=True)
class Trial:
    """What became of it.

    Attributes:
        ok: it answered.
        asked: False where a variable that it needs is not set, so that nobody was asked.
        answer: its words; empty where it did not answer.
        error: why it did not, in words.
        status: of the vendor's HTTP answer, where it is known.
        milliseconds: how long it took; None where nobody was asked.
        tokens: in and out, where the vendor said.
        cost_usd: None where the price is unknown.
    """

    ok: bool = False
    asked: bool = True
    answer: str = ""
    error: str | None = None
    status: int | None = None
    milliseconds: float | None = None
    tokens: int | None = None
    cost_usd: float | None = None


async def try_out(
    router: Router, model: Model, environ: Mapping[str, str], *, timeout: float = SECONDS, caller: Caller
) -> Trial:
    """Ask `model` alone, also where it is disabled; never raises what a model's vendor is to blame for.

    Args:
        router: asks it, and has the ledger note it.
        model: its row.
        environ: names to values, for the variables that the row refers to.
        timeout: seconds.
        caller: on whose behalf.
    """
    if lacking := missing(model, environ):
        return Trial(asked=False, error=f"set {' and '.join(lacking)}")
    question = ChatRequest((Message("user", QUESTION),))
    try:
        reply = await router.complete(question, model=model, timeout=timeout, caller=caller)
    except ToolkitError as error:
        attempts: tuple[Attempt, ...] = getattr(error, "attempts", ())
        if attempts:
            return _of(attempts[-1], error=f"{attempts[-1].error}: {attempts[-1].message}")
        status = error.status if isinstance(error, ProviderError) else None
        return Trial(error=f"{type(error).__name__}: {error}", status=status)
    return _of(reply.attempts[-1], answer=reply.text)


def _of(attempt: Attempt, *, answer: str = "", error: str | None = None) -> Trial:
    cost = attempt.cost_nano_usd
    return Trial(
        ok=error is None,
        answer=answer,
        error=error,
        status=attempt.status,
        milliseconds=round(attempt.milliseconds, 1),
        tokens=attempt.usage.total_tokens if attempt.usage else None,
        cost_usd=None if cost is None else cost / 1e9,
    )

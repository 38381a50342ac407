"""How each model fares at this moment, in words."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from html import escape
from statistics import median
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from toolkit.display.words import seconds
from toolkit.messages import Attempt
from toolkit.models.doors import KeyHealth
from toolkit.models.model import Model
from toolkit.models.reach import missing
from toolkit.usage.records import Call

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

Mood: TypeAlias = Literal["good", "warn", "bad", "quiet"]

_ANSWERS: Final = 20  # whose median is told
_CALLS: Final = 200  # in which a model's last failure is looked for
_NOT_ITS_OWN: Final = {"Cancelled", "Resting"}  # what says nothing of how a model answers
_FAILURES: Final = {
    "AuthenticationFailed": "its key was refused",
    "BadAnswer": "its answer was none",
    "ContentRefused": "refused to answer",
    "ContextTooLong": "the question was too long",
    "InvalidRequest": "did not take the question",
    "ModelNotFound": "not known to its vendor",
    "ProviderTimeout": "was too slow",
    "ProviderUnavailable": "was not available",
    "QuotaExceeded": "its money is used up",
    "RateLimited": "asked too often",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """A model, and how it fares.

    Attributes:
        model: its row.
        mood: how it looks.
        words: how it fares, in a few words.
        more: what else there is to say of that; may be empty.
        latency: the median of its last answers in milliseconds; None where there are none.
        until: when it may be asked again; None unless it rests.
        asked_at: when it was asked last; None where that is not known.
    """

    model: Model
    mood: Mood
    words: str
    more: str = ""
    latency: float | None = None
    until: datetime | None = None
    asked_at: datetime | None = None

    @property
    def html(self) -> str:
        """The words as a pill, and what else there is to say."""
        return pill(self.mood, self.words, self.more)


def pill(mood: Mood, words: str, more: str = "") -> str:
    """A few words as a pill, told by a mark as well, and what else there is to say below it."""
    below = f'<small title="{escape(more)}">{escape(more)}</small>' if more else ""
    return f'<span class="toolkit-pill toolkit-{mood}">{escape(words)}</span>{below}'


async def standings(tk: "Toolkit", models: Sequence[Model]) -> list[Standing]:
    """How each of `models` fares: what it lacks, whether it rests, and what became of its last questions."""
    calls = await tk.usage.calls(limit=_CALLS)
    latencies = await asyncio.gather(*(tk.usage.latencies(model.name, limit=_ANSWERS) for model in models))
    last: dict[str, Call] = {}
    for call in calls:
        if call.status in ("ok", "error") and call.attempt.error not in _NOT_ITS_OWN:
            last.setdefault(call.attempt.name, call)
    health = tk.router.health()
    told = []
    for model, taken in zip(models, latencies, strict=True):
        asked, keys = last.get(model.name), [key for key in health if key.model == model.name]
        fares = _standing(model, tk.environ, keys, asked.attempt if asked else None, taken)
        told.append(replace(fares, asked_at=asked.started_at if asked else None))
    return told


def _standing(
    model: Model, environ: Mapping[str, str], keys: Sequence[KeyHealth], last: Attempt | None, taken: Sequence[float]
) -> Standing:
    latency = median(taken) if taken else None
    if lacking := missing(model, environ):
        what = "no key" if any("KEY" in name for name in lacking) else "not set up"
        return Standing(model, "bad", what, f"set {' and '.join(lacking)}", latency)
    open_ = [key for key in keys if key.state == "open"]
    if keys and len(open_) == len(keys):
        until = min((key.until for key in open_ if key.until), default=None)
        when = f"resting until {until.astimezone():%H:%M:%S}" if until else "resting"
        return Standing(model, "warn", when, open_[0].message or "", latency, until)
    if tried := [key for key in keys if key.state != "closed"]:
        until = min((key.until for key in open_ if key.until), default=None)
        words = "some of its keys rest" if open_ else "may be tried again"
        return Standing(model, "warn", words, tried[0].message or "", latency, until)
    if last is not None and last.error:
        return Standing(model, "warn", f"last time: {failure(last.error)}", last.message or "", latency)
    if latency is None:
        return Standing(model, "quiet", "ready, never asked")
    return Standing(model, "good", f"ready · {seconds(latency)}", _of_how_many(len(taken)), latency)


def failure(error: str) -> str:
    """The class of an error in plain words."""
    return _FAILURES.get(error, error)


def _of_how_many(answers: int) -> str:
    return "its last answer" if answers == 1 else f"median of its last {answers} answers"

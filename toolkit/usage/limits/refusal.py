"""What is said to one who is not let in: whose limit it is, how much it allows, and when to come again."""

import math
from datetime import UTC, datetime, timedelta

from toolkit.errors import BudgetExceeded, RateLimited
from toolkit.usage.limits.gcra import MINUTE
from toolkit.usage.limits.line import Lack
from toolkit.usage.limits.rule import Unit

_LEAST = 0.001  # seconds


def refusal(lack: Lack, now: datetime) -> RateLimited | BudgetExceeded:
    """The error for a request that did not fit."""
    if lack.demand.is_rate:
        return _rate(lack)
    return _budget(lack, now)


def lack_of(lack: Lack) -> tuple[str, Unit]:
    """Whose limit it was, `user`, `origin`, `model` or `total`, and of what."""
    if lack.demand.is_rate:
        unit, kind, _ = lack.demand.slot.key.split(":", 2)
        return kind, "requests" if unit == "rpm" else "tokens"
    return lack.demand.slot.key.split(":", 1)[0], "usd"


def _rate(lack: Lack) -> RateLimited:
    unit, kind, name = lack.demand.slot.key.split(":", 2)
    seconds = max(_LEAST, lack.amount / 1e6)
    many = lack.demand.per_minute
    what = f"{many:,} {'request' if unit == 'rpm' else 'token'}{'' if many == 1 else 's'} per minute"
    used = "it is used up" if many == 1 else "they are used up"
    whole = lack.demand.need == MINUTE < lack.demand.cost
    more = "; this request is larger than that and is let in when nothing else is used" if whole else ""
    return RateLimited(
        f"{_whose(kind, name)} may use {what}, and {used}{more}; try again in {_duration(seconds)}.",
        provider="toolkit",
        retry_after=seconds,
    )


def _budget(lack: Lack, now: datetime) -> BudgetExceeded:
    kind, name = lack.demand.slot.key.split(":", 1)
    midnight = datetime(now.year, now.month, now.day, tzinfo=UTC) + timedelta(days=1)
    seconds = max(_LEAST, (midnight - now).total_seconds())
    budget = lack.demand.room / 1e9
    return BudgetExceeded(
        f"{_whose(kind, name)} may spend {_dollars(budget)} per day, {_dollars(lack.level / 1e9)} is spent or set "
        f"aside, and this request may cost {_dollars(lack.demand.cost / 1e9)}; a new day begins at 00:00 UTC, in "
        f"{_duration(seconds)}. `toolkit limits set` raises it.",
        retry_after=seconds,
    )


def _whose(kind: str, name: str) -> str:
    match kind:
        case "total":
            return "All together"
        case _ if not name:
            return f"Requests without {'a user' if kind == 'user' else 'an origin'} together"
        case _:
            return f"The {kind} {name!r}"


def _dollars(usd: float) -> str:
    if usd >= 1 or not usd:
        return f"${usd:,.2f}"
    return f"${usd:.{2 - math.floor(math.log10(usd))}f}".rstrip("0")  # three digits that count


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if seconds < 120:  # noqa: PLR2004 - two minutes
        return f"{seconds:.3g} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60:02} min"  # noqa: PLR2004 - two hours

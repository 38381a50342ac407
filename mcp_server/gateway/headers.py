"""What stands in the head of every answer of a model: who gave it, and how much may still be asked."""

from collections.abc import Sequence
from math import ceil
from typing import TYPE_CHECKING

from mcp_server.refusals import header, told
from toolkit.messages import Attempt
from toolkit.stamps import now
from toolkit.usage.limits import LimitStatus

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit


def answered(model: str | None, attempts: Sequence[Attempt]) -> dict[str, str]:
    """The model that answers, and those that were asked, in order.

    Args:
        model: who answered, or has begun to.
        attempts: all that were asked; none where the answer came from the cache.
    """
    found = {"x-toolkit-model": header(model)} if model else {}
    return {**found, "x-toolkit-attempts": told(attempts)} if attempts else found


def left(tk: "Toolkit", user: str | None, origin: str | None) -> dict[str, str]:
    """How much may still be asked in this minute, by the names that OpenAI has for it; empty without a limit.

    It is what this process saw when it let the request in: to ask the database again would take as long as that.
    """
    limits = tk.limits.seen(user=user, origin=origin)
    found: dict[str, str] = {}
    for unit in ("requests", "tokens"):
        of_unit = [limit for limit in limits if limit.unit == unit]
        if of_unit:
            found |= _of(min(of_unit, key=lambda limit: limit.left))
    return found


def _of(limit: LimitStatus) -> dict[str, str]:
    seconds = max(0, ceil((limit.whole_at - now()).total_seconds()))
    return {
        f"x-ratelimit-limit-{limit.unit}": f"{limit.limit:.0f}",
        f"x-ratelimit-remaining-{limit.unit}": f"{limit.left:.0f}",
        f"x-ratelimit-reset-{limit.unit}": f"{seconds}s",
    }

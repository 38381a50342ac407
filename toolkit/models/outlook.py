"""What can be said of a question before it is asked: how long it may be, and what it may cost."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from toolkit.messages import Usage
from toolkit.models.facts import facts_of
from toolkit.models.model import Model
from toolkit.models.pricelist import is_loaded
from toolkit.models.prices import cost_nano_usd

USUAL_ANSWER: Final = 1_000
"""Tokens of an answer where the caller does not say how long it may be."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is known of a question's candidates.

    Attributes:
        first: who is asked first.
        widest: whose window is the largest that is known; the first where none is.
        window: tokens of the largest window among them; None where one of them is not known.
        known_window: tokens of the largest window that is known, None where none is.
    """

    first: Model
    widest: Model
    window: int | None
    known_window: int | None

    @classmethod
    async def of(cls, candidates: Sequence[Model]) -> "Outlook":
        """The outlook of a question to `candidates`, at least one."""

        def known() -> list[int | None]:
            return [facts_of(model).context_window for model in candidates]

        # In a thread where the price list, which has the windows, must be loaded first.
        windows = known() if is_loaded() else await asyncio.to_thread(known)
        largest = max((window for window in windows if window is not None), default=None)
        widest = candidates[0] if largest is None else candidates[windows.index(largest)]
        return cls(candidates[0], widest, None if None in windows else largest, largest)

    def price(self, input_tokens: int, max_tokens: int | None) -> int | None:
        """What the first candidate would take for it, in billionths of a US dollar; None where that is unknown."""
        first, usage = self.first, Usage(input_tokens, max_tokens or USUAL_ANSWER)
        return cost_nano_usd(first.provider, first.model, usage, first.config)

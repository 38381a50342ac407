"""This project with everything on: limits of the user beside sessions and ledger, and answers go into the cache."""

from collections.abc import AsyncIterator, Sequence
from itertools import count

from benchmarks.contestants.ours import Ours, opened
from benchmarks.contestants.worker import Limits, Member, main
from toolkit import Toolkit

_LIMITS = {"TOOLKIT_RATE_LIMIT_RPM": "1000000", "TOOLKIT_RATE_LIMIT_TPM": "1000000000"}


class OursLimited(Ours):
    """Every question is another one: it is looked for in the cache, and its answer kept there."""

    def __init__(self, tk: Toolkit, total: float) -> None:
        super().__init__(tk, total, user="ada", cache=True)
        self._numbers = count(1_000_000)

    async def whole(self, question: str) -> str:
        """See `Contestant`."""
        return await super().whole(f"{question} {next(self._numbers)}")

    def stream(self, question: str) -> AsyncIterator[str]:
        """See `Contestant`."""
        return super().stream(f"{question} {next(self._numbers)}")


async def connect(chain: Sequence[Member], limits: Limits, folder: str) -> Ours:
    """See `Connect`."""
    return OursLimited(await opened(chain, limits, folder, _LIMITS), limits["total"])


if __name__ == "__main__":
    main(connect)

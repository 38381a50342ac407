"""This project with everything on: limits of the user beside sessions and ledger, and answers go into the cache."""

from collections.abc import Sequence

from benchmarks.contestants.ours import Ours, opened
from benchmarks.contestants.worker import Limits, Member, main

_LIMITS = {"TOOLKIT_RATE_LIMIT_RPM": "1000000", "TOOLKIT_RATE_LIMIT_TPM": "1000000000"}


async def connect(chain: Sequence[Member], limits: Limits, folder: str) -> Ours:
    """See `Connect`."""
    tk = await opened(chain, limits, folder, _LIMITS)
    # The questions are all alike: an answer that is there is asked for anew, so that each call has all of its costs.
    return Ours(tk, limits["total"], user="ada", cache="refresh")


if __name__ == "__main__":
    main(connect)

"""What a vendor offers who answers many questions within a day, for half the price."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from toolkit.errors import ProviderError
from toolkit.messages import ChatRequest, Completion

TIER = "batch"
"""The tier of service in which a batch's answers are priced."""

Result: TypeAlias = Completion | ProviderError


@dataclass(frozen=True, slots=True)
class BatchState:
    """How far a vendor is with a batch.

    Attributes:
        ended: it will give nothing more: every request has its result, or will never have one.
        done: requests that have a result, as far as the vendor says.
        message: why the vendor refused the batch as a whole, in one sentence; None if it did not.
    """

    ended: bool
    done: int = 0
    message: str | None = None


class Batches(Protocol):
    """A vendor's batches, reached with one key. Like a `Provider`, it does one thing at a time."""

    async def submit(self, requests: Mapping[str, ChatRequest], /, model: str, *, timeout: float) -> str:
        """Hand the requests over; gives the vendor's id of the batch.

        Args:
            requests: by ids of at most 64 letters, digits, `_` and `-`.
            model: the vendor's name of the model.
            timeout: seconds.
        """
        ...

    async def look(self, handle: str, /, *, timeout: float) -> BatchState:
        """How far it is."""
        ...

    def results(self, handle: str, /, model: str, *, timeout: float) -> AsyncGenerator[tuple[str, Result], None]:
        """What came of each request, in any order, once it has ended; a request may be missing."""
        ...

    async def cancel(self, handle: str, /, *, timeout: float) -> None:
        """Ask for no more answers; those that were made are results, and paid for. Harmless when it has ended."""
        ...


@runtime_checkable
class HasBatches(Protocol):
    """A provider whose vendor has batches."""

    @property
    def batches(self) -> Batches:
        """They."""
        ...

"""How much one model may be asked, whoever asks: its row's `rpm` and `tpm`, or a rule of the table `limits`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from toolkit.errors import RateLimited
from toolkit.messages import ChatRequest, Usage
from toolkit.models.model import Model
from toolkit.models.tokens import count
from toolkit.usage.ledger import Ledger
from toolkit.usage.limits import Limits


class Quotas:
    """Takes what a question to a model needs of its limits.

    Args:
        limits: where they are kept; None is no limit.
        ledger: writes the correction.
    """

    def __init__(self, limits: Limits | None, ledger: Ledger) -> None:
        self._limits = limits
        self._ledger = ledger

    @asynccontextmanager
    async def of(self, model: Model, tokens: Callable[[], int]) -> AsyncIterator[Callable[[Usage | None], None]]:
        """The leave to ask `model`; inside, what was used is told, and the estimate stands where it is not.

        Args:
            model: who is asked.
            tokens: about how many it will take; asked only where its tokens are limited.

        Raises:
            RateLimited: the limit is used up; the model's key rests until there is room again.
        """
        told: list[Usage | None] = []
        if self._limits is None:
            yield told.append
            return
        config = model.config
        try:
            admission = await self._limits.admit_model(
                model.name, rpm=config.get("rpm"), tpm=config.get("tpm"), tokens=tokens
            )
        except RateLimited as error:
            error.provider = model.provider
            raise
        yield told.append
        if admission is not None and told and told[0] is not None:
            used = told[0].total_tokens
            await self._ledger.write(await self._limits.settle(admission, tokens=used, nano_usd=None))


def tokens_of(request: ChatRequest, model: str) -> int:
    """About how many tokens `model`, by its vendor's name, takes for `request`."""
    return count(request.messages, request.tools, model) + (request.max_tokens or 0)

"""The vendors' own batches: many questions to one model, answered within a day for half the price."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Final, NamedTuple

from toolkit.db import Statement
from toolkit.errors import ConfigError, ProviderError
from toolkit.messages import Attempt, Caller, ChatRequest, Completion, Reply
from toolkit.models.catalog import Catalog
from toolkit.models.connections import Connect
from toolkit.models.keys import keys_of, secrets_of
from toolkit.models.model import Model
from toolkit.models.prices import cost_nano_usd
from toolkit.providers import connect as connect_vendor
from toolkit.providers.batches import TIER, Batches, BatchState, HasBatches, Result
from toolkit.redaction import redact
from toolkit.stamps import new_id, now
from toolkit.usage.ledger import Ledger

TIMEOUT: Final = 300.0
"""Seconds for one step: a file of some hundred megabytes goes up, or comes down."""


class Answered(NamedTuple):
    """What came of one request: its id, its outcome, and what keeps it in the ledger."""

    name: str
    outcome: Reply | ProviderError
    rows: tuple[Statement, ...]


class VendorBatches:
    """Hands batches to the vendors, and fetches what came of them.

    A batch belongs to the account behind one key: the first of the model's pool. It must stay the first until the
    batch has ended.

    Args:
        catalog: the models.
        ledger: what it cost.
        environ: the secrets that rows refer to.
        connect: connects to a vendor.
    """

    def __init__(
        self, catalog: Catalog, ledger: Ledger, environ: Mapping[str, str], *, connect: Connect = connect_vendor
    ) -> None:
        self._catalog = catalog
        self._ledger = ledger
        self._environ = environ
        self._connect = connect

    async def submit(self, name: str, requests: Mapping[str, ChatRequest]) -> str:
        """Hand requests to the model `name`; gives the vendor's id of the batch.

        Raises:
            NotFound: there is no such model.
            ConfigError: it is disabled, or its vendor has no batches.
            ProviderError: the vendor did not take them.
        """
        async with self._batches(name) as (model, batches):
            return await batches.submit(requests, model.model, timeout=TIMEOUT)

    async def look(self, name: str, handle: str) -> BatchState:
        """How far a batch of the model `name` is.

        Raises:
            ProviderError: the vendor did not say.
        """
        async with self._batches(name) as (_model, batches):
            return await batches.look(handle, timeout=TIMEOUT)

    async def results(self, name: str, handle: str, callers: Mapping[str, Caller]) -> AsyncGenerator[Answered, None]:
        """What came of the requests of a batch that has ended, in any order.

        Args:
            name: of the model.
            handle: the vendor's id of the batch.
            callers: on whose behalf, by id; what has no caller is left out.

        Raises:
            ProviderError: the vendor did not give them.
        """
        async with (
            self._batches(name) as (model, batches),
            aclosing(batches.results(handle, model.model, timeout=TIMEOUT)) as found,
        ):
            async for custom_id, result in found:
                if custom_id in callers:
                    yield self._answered(model, custom_id, result, callers[custom_id])

    async def cancel(self, name: str, handle: str) -> None:
        """Ask for no more answers of a batch.

        Raises:
            ProviderError: the vendor did not hear it.
        """
        async with self._batches(name) as (_model, batches):
            await batches.cancel(handle, timeout=TIMEOUT)

    @asynccontextmanager
    async def _batches(self, name: str) -> AsyncIterator[tuple[Model, Batches]]:
        model = (await self._catalog.resolve(name))[0]
        key = keys_of(model, self._environ)[0]
        # A connection of its own: there are minutes between two steps.
        provider = await asyncio.to_thread(self._connect, model.provider, key.auth, model.config)
        try:
            if not isinstance(provider, HasBatches):
                raise ConfigError(f"{model.name!r} of {model.provider!r} has no batches; leave out vendor_batch.")
            yield model, provider.batches
        finally:
            await provider.close()

    def _answered(self, model: Model, custom_id: str, result: Result, caller: Caller) -> Answered:
        at = now()
        call_id = new_id()
        cost = None
        if result.usage:
            cost = cost_nano_usd(model.provider, model.model, result.usage, model.config, tier=TIER, at=at)
        attempt = Attempt(
            model.name,
            model.provider,
            model.model,
            request_id=result.request_id,
            usage=result.usage,
            cost_nano_usd=cost,
        )
        outcome: Reply | ProviderError
        if isinstance(result, Completion):
            outcome = Reply(result.message, model.name, (attempt,), call_id, finish_reason=result.finish_reason)
        else:
            message = redact(str(result), *secrets_of(model, self._environ))
            attempt = replace(attempt, error=type(result).__name__, message=message, status=result.status)
            outcome = result
        rows = self._ledger.rows(attempt, call_id=call_id, number=1, kind=TIER, caller=caller, started_at=at)
        return Answered(custom_id, outcome, rows)

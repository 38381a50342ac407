"""A batch that a vendor works on: handed over in parts, looked at now and then, fetched when it has ended."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final, TypedDict

from toolkit.conversation import conversation
from toolkit.db import as_json
from toolkit.errors import BadAnswer, ConfigError, InvalidRequest, ProviderError
from toolkit.jobs.batch import POLL, KeptBatch
from toolkit.jobs.patience import insisting
from toolkit.jobs.store import Item, JobStore
from toolkit.messages import Caller, ChatRequest, Json, Message
from toolkit.models.batches import VendorBatches

MOST_AT_ONCE: Final = 10_000
"""Questions of one part: OpenAI takes 50,000 in a file of 200 MB, Anthropic 100,000 in 256 MB."""

_TAKES: Final = frozenset(
    {"prompt", "model", "system", "user", "origin", "temperature", "max_tokens", "stop", "seed", "extra"}
)
_log = logging.getLogger(__name__)


class Part(TypedDict):
    """What a vendor has: its id there, the position of its first question, how many, and whether it is fetched."""

    handle: str
    first: int
    count: int
    done: bool


class VendorRun:
    """One run over a batch that a vendor works on.

    What was handed over is kept with the job, so that a process that is killed goes on looking where it stopped. A
    part that is killed between the vendor's taking it and its keeping, which is one way to the database, is handed
    over again.

    Args:
        store: where it is kept.
        batch: the batch; its lease is kept alive.
        vendors: hands over and fetches.
        model: who is asked.
        pause: seconds between two looks.
    """

    def __init__(self, store: JobStore, batch: KeptBatch, vendors: VendorBatches, model: str, pause: float) -> None:
        self._store = store
        self._batch = batch
        self._vendors = vendors
        self._model = model
        self._pause = pause

    async def done(self) -> None:
        """Until every question has its outcome, by this process or another one.

        Raises:
            ConfigError: the model's vendor has no batches.
            ProviderError: the vendor did not take the batch, or refused it as a whole.
        """
        while (state := await self._store.state(self._batch.id))["ended_at"] is None:
            if not await self._batch.lease.take():
                await asyncio.sleep(POLL)
                continue
            parts: list[Part] = as_json(state["options"]).get("parts", [])
            if all(part["done"] for part in parts):
                parts = []  # what is open nevertheless is asked anew: it failed, and somebody wants it again
            await self._batch.lease.during(self._hand_over(parts, state["total"]))
            await self._batch.lease.during(self._collect(parts))
            await self._store.finish(self._batch.id)

    async def cancel(self) -> None:
        """Ask the vendor for no more answers."""
        for part in as_json((await self._store.state(self._batch.id))["options"]).get("parts", []):
            try:
                if not part["done"]:
                    await self._vendors.cancel(self._model, part["handle"])
            except ProviderError as error:
                _log.warning("The batch %s could not be cancelled at its vendor: %s", part["handle"], error)

    async def _hand_over(self, parts: list[Part], total: int) -> None:
        first = sum(part["count"] for part in parts)
        while first < total:
            items = await self._store.page(self._batch.id, first, MOST_AT_ONCE)
            requests = {str(item.position): chat_request(item.request) for item in items if item.outcome is None}
            handle = await self._vendors.submit(self._model, requests) if requests else ""
            parts.append({"handle": handle, "first": first, "count": len(items), "done": not requests})
            await self._keep(parts)
            first += len(items)

    async def _collect(self, parts: list[Part]) -> None:
        while waiting := [part for part in parts if not part["done"]]:
            for part in waiting:
                if await self._is_over(part):
                    part["done"] = True
                    await self._keep(parts)
            if not all(part["done"] for part in parts):
                await asyncio.sleep(self._pause)

    async def _is_over(self, part: Part) -> bool:
        try:
            state = await self._vendors.look(self._model, part["handle"])
            if state.message is not None:
                await self._refused(part, state.message)
            elif state.ended:
                await self._fetch(part)
        except ProviderError as error:
            if not error.retryable:
                raise
            _log.warning("The batch %s is looked at again later: %s", part["handle"], error)
            return False
        return state.ended

    async def _fetch(self, part: Part) -> None:
        items = {str(item.position): item for item in await self._items(part)}
        callers = {name: _caller(item.request) for name, item in items.items()}
        async for name, outcome, rows in self._vendors.results(self._model, part["handle"], callers):
            position = items.pop(name).position

            async def keep(position: int = position, outcome: Any = outcome, rows: Any = rows) -> bool:
                return await self._store.keep(self._batch.id, position, outcome, also=rows)

            await insisting(keep)
        for item in items.values():  # nothing may stay open for ever
            lost = BadAnswer("The vendor's batch has ended without a result for this question.", provider=self._model)
            await self._store.keep(self._batch.id, item.position, lost)

    async def _refused(self, part: Part, message: str) -> None:
        refusal = InvalidRequest(f"The vendor refused the batch: {message}", provider=self._model)
        for item in await self._items(part):
            await self._store.keep(self._batch.id, item.position, refusal)

    async def _items(self, part: Part) -> list[Item]:
        """The questions of a part that have no outcome yet."""
        items = await self._store.page(self._batch.id, part["first"], part["count"])
        return [item for item in items if item.outcome is None]

    async def _keep(self, parts: list[Part]) -> None:
        await insisting(lambda: self._store.note(self._batch.id, {"parts": parts, "model": self._model}))


def checked_for_vendor(request: Mapping[str, Any], model: str) -> None:
    """See that a vendor's batch can hold `request`.

    Raises:
        ConfigError: it has what only a conversation here has, or another model.
    """
    for name in request:
        if name not in _TAKES:
            raise ConfigError(f"A vendor's batch cannot have {name!r}; leave it out, or leave out vendor_batch.")
    if request.get("model", model) != model:
        raise ConfigError(f"A vendor's batch asks one model: {model!r} and {request['model']!r} cannot be together.")


def chat_request(keywords: Json) -> ChatRequest:
    """The question that keywords of `Toolkit.complete` stand for, as a vendor is asked it."""
    system = [Message("system", keywords["system"])] if keywords.get("system") else []
    return ChatRequest(
        (*system, *conversation(keywords["prompt"])),
        temperature=keywords.get("temperature"),
        max_tokens=keywords.get("max_tokens"),
        stop=(stop,) if isinstance(stop := keywords.get("stop", ()), str) else tuple(stop),
        seed=keywords.get("seed"),
        extra=keywords.get("extra", {}),
    )


def _caller(keywords: Json) -> Caller:
    return Caller(keywords.get("user"), keywords.get("origin"))

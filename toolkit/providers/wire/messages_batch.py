"""Anthropic's message batches."""

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from toolkit.errors import ProviderError
from toolkit.messages import ChatRequest, Json
from toolkit.providers.batches import TIER, BatchState, Result
from toolkit.providers.wire.connection import Connection
from toolkit.providers.wire.failures import error_of_response, no_answer
from toolkit.providers.wire.messages_answer import Answer

_OVER: Final = {"canceled": "the batch was cancelled before it", "expired": "it was not answered within a day"}


class MessageBatches:
    """The batches behind one key of Anthropic's.

    Args:
        connection: the SDK's client.
        provider: the vendor's name in the toolkit.
        body: makes the body of a request to a model.
    """

    def __init__(self, connection: Connection, provider: str, body: Callable[[ChatRequest, str], Json]) -> None:
        self._connection = connection
        self._provider = provider
        self._body = body

    async def submit(self, requests: Mapping[str, ChatRequest], /, model: str, *, timeout: float) -> str:
        """Hand the requests over; gives Anthropic's id of the batch."""
        lines = [{"custom_id": name, "params": self._body(request, model)} for name, request in requests.items()]

        async def submit(client: Any) -> str:
            batch = await client.messages.batches.create(requests=lines)
            return str(batch.id)

        return await self._connection.use(submit, timeout=timeout)

    async def look(self, handle: str, /, *, timeout: float) -> BatchState:
        """How far it is."""
        batch = await self._connection.use(lambda client: client.messages.batches.retrieve(handle), timeout=timeout)
        counts = batch.request_counts
        done = counts.succeeded + counts.errored + counts.canceled + counts.expired
        return BatchState(batch.processing_status == "ended", done)

    async def results(self, handle: str, /, model: str, *, timeout: float) -> AsyncGenerator[tuple[str, Result], None]:
        """What came of each request."""

        async def read(client: Any) -> list[Json]:
            lines = await client.messages.batches.results(handle)
            return [line.to_dict() async for line in lines]

        for line in await self._connection.use(read, timeout=timeout):
            yield str(line["custom_id"]), self._result(line["result"], model)

    async def cancel(self, handle: str, /, *, timeout: float) -> None:
        """Ask for no more answers."""
        if not (await self.look(handle, timeout=timeout)).ended:
            await self._connection.use(lambda client: client.messages.batches.cancel(handle), timeout=timeout)

    def _result(self, result: Json, model: str) -> Result:
        kind = result.get("type")
        if kind == "errored":
            return error_of_response(self._provider, 200, {}, result.get("error"))
        if kind != "succeeded":
            return no_answer(self._provider, _OVER.get(str(kind), f"its result is {kind!r}"))
        answer = Answer(self._provider, model)
        try:
            answer.feed_whole(result["message"])
            return replace(answer.completion(result["message"].get("id")), tier=TIER)
        except ProviderError as error:
            return error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = f"its JSON is not what was expected: {type(error).__name__} at {error}"
            return no_answer(self._provider, reason)

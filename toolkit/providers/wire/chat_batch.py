"""OpenAI's batches: a file of requests goes up, and two files come down, of answers and of errors."""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from toolkit.errors import ProviderError
from toolkit.messages import ChatRequest, Json
from toolkit.providers.batches import TIER, BatchState, Result
from toolkit.providers.wire.chat_answer import Answer
from toolkit.providers.wire.connection import Connection
from toolkit.providers.wire.failures import error_of_response, no_answer

_ENDPOINT: Final = "/v1/chat/completions"
_ENDED: Final = frozenset({"completed", "failed", "expired", "cancelled"})
_GOOD: Final = 200


class ChatBatches:
    """The batches behind one key of OpenAI's.

    Args:
        connection: the SDK's client.
        provider: the vendor's name in the toolkit.
        body: makes the body of a request to a model.
        answer: makes a reader of one answer.
    """

    def __init__(
        self,
        connection: Connection,
        provider: str,
        body: Callable[[ChatRequest, str], Json],
        answer: Callable[[], Answer],
    ) -> None:
        self._connection = connection
        self._provider = provider
        self._body = body
        self._answer = answer

    async def submit(self, requests: Mapping[str, ChatRequest], /, model: str, *, timeout: float) -> str:
        """Hand the requests over; gives OpenAI's id of the batch."""
        lines = (
            {"custom_id": name, "method": "POST", "url": _ENDPOINT, "body": self._body(request, model)}
            for name, request in requests.items()
        )
        content = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines).encode()

        async def submit(client: Any) -> str:
            file = await client.files.create(file=("batch.jsonl", content), purpose="batch")
            batch = await client.batches.create(completion_window="24h", endpoint=_ENDPOINT, input_file_id=file.id)
            return str(batch.id)

        return await self._connection.use(submit, timeout=timeout)

    async def look(self, handle: str, /, *, timeout: float) -> BatchState:
        """How far it is."""
        batch = await self._connection.use(lambda client: client.batches.retrieve(handle), timeout=timeout)
        counts = batch.request_counts
        told = (batch.errors.data or []) if batch.errors else []
        message = " ".join(str(error.message) for error in told[:3]) or "It gave no reason."
        done = counts.completed + counts.failed if counts else 0
        return BatchState(batch.status in _ENDED, done, message if batch.status == "failed" else None)

    async def results(self, handle: str, /, model: str, *, timeout: float) -> AsyncGenerator[tuple[str, Result], None]:
        """What came of each request, first those that were answered."""
        del model  # an answer is read alike, whoever gave it
        batch = await self._connection.use(lambda client: client.batches.retrieve(handle), timeout=timeout)
        for file_id in (batch.output_file_id, batch.error_file_id):
            for line in await self._lines(file_id, timeout) if file_id else ():
                yield self._result(line)

    async def cancel(self, handle: str, /, *, timeout: float) -> None:
        """Ask for no more answers."""
        if not (await self.look(handle, timeout=timeout)).ended:
            await self._connection.use(lambda client: client.batches.cancel(handle), timeout=timeout)

    async def _lines(self, file_id: str, seconds: float) -> list[bytes]:
        file = await self._connection.use(lambda client: client.files.content(file_id), timeout=seconds)
        return [line for line in file.content.split(b"\n") if line.strip()]

    def _result(self, line: bytes) -> tuple[str, Result]:
        told = json.loads(line)
        name, response = str(told["custom_id"]), told.get("response")
        if not response:
            error = told.get("error") or {}
            reason = str(error.get("message") or error.get("code") or "it gave no reason")
            return name, no_answer(self._provider, reason)
        request_id = response.get("request_id")
        if response["status_code"] != _GOOD:
            return name, error_of_response(self._provider, response["status_code"], {}, response.get("body"))
        answer = self._answer()
        try:
            answer.feed(response["body"])
            return name, replace(answer.completion(request_id), tier=TIER)
        except ProviderError as error:
            return name, error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            reason = f"its JSON is not what was expected: {type(error).__name__} at {error}"
            return name, no_answer(self._provider, reason, request_id=request_id)

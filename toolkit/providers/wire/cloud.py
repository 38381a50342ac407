"""A cloud that hosts the models of many vendors, which speak several wires there, but know the same credentials."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

from toolkit.errors import ConfigError, ToolkitError
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings
from toolkit.providers.wire.chat import ChatCompletions
from toolkit.providers.wire.connection import Client
from toolkit.providers.wire.failures import error_of_exception
from toolkit.providers.wire.messages import Messages


class Cloud:
    """A provider that asks each model on the wire that it speaks, and opens that wire when it is first needed.

    Args:
        provider: the vendor's name in the toolkit.
        wire_of: the name of a model's wire.
        open_wire: opens the wire of a name. It may take its time (an SDK is imported, a file or a server of the cloud
            is asked who we are): it runs in a thread.
    """

    def __init__(
        self, provider: str, wire_of: Callable[[str], str], open_wire: Callable[[str], Messages | ChatCompletions]
    ) -> None:
        self._provider = provider
        self._wire_of = wire_of
        self._open_wire = open_wire
        self._wires: dict[str, Messages | ChatCompletions] = {}
        self._lock = asyncio.Lock()

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask `model` once and wait, at most `timeout` seconds, for the whole answer."""
        wire, rest = await self._wire(model, timeout)
        return await wire.complete(request, model, timeout=rest)

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """Ask `model` once; pieces as they come, the last one with the whole `completion`."""
        wire, _ = await self._wire(model, timeout)
        async with aclosing(wire.stream(request, model, timeout=timeout)) as pieces:
            async for piece in pieces:
                yield piece

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        """One vector per text, in order."""
        wire, rest = await self._wire(model, timeout)
        return await wire.embed(texts, model, timeout=rest)

    async def close(self) -> None:
        """Let go of the connections."""
        for wire in self._wires.values():
            await wire.close()

    async def _wire(self, model: str, seconds: float) -> tuple[Messages | ChatCompletions, float]:
        """The wire of `model`, and the seconds that are left when it is open."""
        name = self._wire_of(model)
        if name in self._wires:
            return self._wires[name], seconds
        clock = asyncio.get_running_loop().time
        start = clock()
        try:
            async with asyncio.timeout(seconds), self._lock:
                if name not in self._wires:
                    self._wires[name] = await asyncio.to_thread(self._open_wire, name)
        except ToolkitError:
            raise
        except TimeoutError as failure:
            raise error_of_exception(self._provider, failure, seconds=seconds) from None
        except Exception as failure:
            raise ConfigError(
                f"The provider {self._provider} cannot be set up ({type(failure).__name__}: {failure})."
            ) from failure
        return self._wires[name], max(seconds - (clock() - start), 0.001)


class Authorized:
    """An SDK's client that is given its credentials before every request; those of a cloud run out within the hour.

    Args:
        client: the SDK's.
        authorize: sees to it that the client's credentials are good. Raises AuthenticationFailed where there are none.
    """

    def __init__(self, client: Any, authorize: Callable[[], Awaitable[None]]) -> None:
        self._client: Client = client
        self._authorize = authorize

    async def post(self, path: str, **how: Any) -> Any:
        """Send a request with good credentials; the answer is the SDK's stream."""
        await self._authorize()
        return await self._client.post(path, **how)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

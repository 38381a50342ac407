"""The agent host's own model, asked over the connection on which the host has called (MCP sampling).

Who serves a host lends its model for the length of one call:

    with lend(sampler):
        await tk.tools.call("chat", {"message": "…"})

Where nobody lends one (the command line, a notebook, an HTTP client, a host that offers no sampling), it is as if there
were no such model: the chain goes on at once. So it does where the host or its user declines, and is not asked a second
time, for the user may have been.

The row's model is a hint that the host may ignore; `default` gives none. What an answer costs is between the host and
its owner, and the host tells neither tokens nor price: the cost is unknown, which is not the same as free.
"""

import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, NoReturn, Protocol

from toolkit.errors import BadAnswer, ModelNotFound
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings, Message, ToolCallFragment
from toolkit.providers.base import Vendor

PROVIDER: Final = "host"
NO_HINT: Final = "default"
"""The model of a row that leaves the choice to the host."""


class Sampler(Protocol):
    """The model of the host that made the present call."""

    @property
    def tools(self) -> bool:
        """Whether it can be offered tools."""
        ...

    async def __call__(self, request: ChatRequest, /, *, hint: str | None, timeout: float) -> Completion:
        """Ask once and wait, at most `timeout` seconds, for the whole answer.

        Args:
            request: pictures in it carry their bytes; tools are in it only where `tools` says so.
            hint: the name, or part of the name, of the model that is wanted; None is the host's choice.
            timeout: seconds.

        Raises:
            ModelNotFound: the host, or its user, declined.
            ProviderTimeout: the time is over.
            BadAnswer: what came is no answer.
        """
        ...


_lent: ContextVar[Sampler | None] = ContextVar("lent", default=None)


@contextmanager
def lend(sampler: Sampler | None) -> Iterator[None]:
    """Inside, and in the tasks that are begun inside, the vendor `host` asks `sampler`; None lends nothing."""
    before = _lent.set(sampler)
    try:
        yield
    finally:
        _lent.reset(before)


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> "Host":  # noqa: ARG001 - the host has both
    """The model of whichever host calls; it needs no key and no address."""
    return Host()


class Host:
    """Asks the model that is lent at the moment."""

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask once and wait, at most `timeout` seconds, for the whole answer."""
        sampler = _lent.get()
        if sampler is None:
            _decline("No agent host lends its model to this call; use another model here.")
        if not sampler.tools and _speaks_of_tools(request):
            _decline("The agent host does not let its model call tools; use another model for that.")
        if any(not image.url.startswith("data:") for said in request.messages for image in said.images):
            _decline("The agent host's model sees no picture by its address; send the picture itself.")
        hint = None if model == NO_HINT else model
        completion = await sampler(request, hint=hint, timeout=timeout)
        if not completion.message.text.strip() and not completion.message.tool_calls:
            raise BadAnswer(
                "The agent host gave no answer (it is empty); ask again or use another model.", provider=PROVIDER
            )
        return completion

    async def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncGenerator[Delta, None]:
        """Ask once; a host gives its answer whole, so it comes in one piece."""
        completion = await self.complete(request, model, timeout=timeout)
        yield Delta(completion.message.text, _fragments(completion.message))
        yield Delta(completion=completion)

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:  # noqa: ARG002 - the protocol's
        """Hosts lend no model that makes vectors."""
        _decline("An agent host lends no embedding model; use another one.")

    async def close(self) -> None:
        """Nothing is open."""


def _speaks_of_tools(request: ChatRequest) -> bool:
    return bool(request.tools) or any(said.tool_calls or said.role == "tool" for said in request.messages)


def _fragments(message: Message) -> tuple[ToolCallFragment, ...]:
    return tuple(
        ToolCallFragment(index, call.id, call.name, json.dumps(call.arguments))
        for index, call in enumerate(message.tool_calls)
    )


def _decline(why: str) -> NoReturn:
    raise ModelNotFound(why, provider=PROVIDER)


VENDOR = Vendor(connect, structured=lambda _model: "instruction")

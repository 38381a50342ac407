"""What a vendor is to the rest of the house."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from toolkit.messages import ChatRequest, Completion, Delta, Embeddings

Structured: TypeAlias = Literal["native", "tool", "instruction"]
"""How a model is made to answer in a schema: the vendor sees to it (`ChatRequest.output`), or a tool that must be
called has the schema as its parameters, or the model is told in words."""


class Provider(Protocol):
    """One vendor's API, spoken in the toolkit's words.

    A provider holds a connection and a key, nothing else: it does not retry, fall back, cache, count, log or read the
    environment. It raises only `ProviderError`s (and `asyncio.CancelledError`, after it has cancelled its request).
    What is no answer is an error: a body that is not JSON, an empty answer, a stream without its end mark are
    `BadAnswer`.
    """

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask `model` once and wait, at most `timeout` seconds, for the whole answer."""
        ...

    def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncIterator[Delta]:
        """Ask `model` once; pieces as they come, the last one with the whole `completion`.

        `timeout` bounds, in seconds, each wait: for the first piece and between two pieces.
        """
        ...

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        """One vector per text, in order."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Connect(Protocol):
    """The function that connects to a vendor."""

    def __call__(self, auth: Mapping[str, str], config: Mapping[str, Any]) -> Provider:
        """A provider ready to be asked.

        Args:
            auth: the secrets themselves, e.g. `{"api_key": …, "base_url": …}`; names ending in `_env` are resolved.
            config: the row's settings, e.g. `{"base_url": …}`.

        Raises:
            AuthenticationFailed: a key is needed and `auth` has none; the message names the variable to set.
            ConfigError: a setting cannot be used, or an extra is not installed; the message names it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Vendor:
    """What is known of a vendor before anyone connects: the `VENDOR` of its file.

    To add a vendor, add a file to this folder. Its name is what the column `models.provider` says, and it holds one
    `VENDOR`. It imports the vendor's SDK when it connects, not before. Another package names its own in the entry
    point group `toolkit.providers`.

    Attributes:
        connect: makes a connection.
        variables: the vendor's own environment variables, by what they give: `{"api_key": "OPENAI_API_KEY"}`. Read
            where a row names no others. A variable with an S at the end of a key's name holds several keys.
        required: those of `variables` without which the vendor cannot be asked.
        last_resort: it speaks only where the request brings its sources, where somebody names it, or where the chain
            has no other model.
        free: its answers cost nothing.
        prices: the vendor's id in the price list, None if its prices are not there.
        structured: how the vendor's model of that name is made to answer in a schema.
    """

    connect: Connect
    variables: Mapping[str, str] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    last_resort: bool = False
    free: bool = False
    prices: str | None = None
    structured: Callable[[str], Structured] = lambda _model: "native"

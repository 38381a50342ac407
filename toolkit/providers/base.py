"""What a vendor is to the rest of the house."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

from toolkit.messages import ChatRequest, Completion, Delta


class Provider(Protocol):
    """One vendor's API, spoken in the toolkit's words.

    A provider holds a connection and a key, nothing else: it does not retry, fall back, cache, count, log or read the
    environment. It raises only `ProviderError`s (and `asyncio.CancelledError`, after it has cancelled its request).
    What is no answer is an error: a body that is not JSON, an empty answer, a stream without its end mark are
    `BadAnswer`.

    To add a vendor, add a file to this folder. Its name is what the column `models.provider` says; its function
    `connect(auth, config)` returns a Provider. It imports the vendor's SDK when it is called, not before. A file that
    says `LAST_RESORT = True` speaks only where the request brings its sources, where somebody names it, or where the
    chain has no other model.
    """

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:
        """Ask `model` once and wait, at most `timeout` seconds, for the whole answer."""
        ...

    def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncIterator[Delta]:
        """Ask `model` once; pieces as they come, the last one with the whole `completion`.

        `timeout` bounds, in seconds, each wait: for the first piece and between two pieces.
        """
        ...

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> list[list[float]]:
        """One vector per text, in order."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class Connect(Protocol):
    """The function `connect` of a vendor's file."""

    def __call__(self, auth: Mapping[str, str], config: Mapping[str, Any]) -> Provider:
        """A provider ready to be asked.

        Args:
            auth: the secrets themselves, e.g. `{"api_key": …, "base_url": …}`; names ending in `_env` are resolved.
            config: the row's settings, e.g. `{"base_url": …}`.

        Raises:
            AuthenticationFailed: a key is needed and `auth` has none; the message names the variable to set.
        """
        ...

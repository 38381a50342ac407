"""The embedding model that comes with the package: no account, no network, no price.

It is all-MiniLM-L6-v2 in a form that processors run fast; `minilm/README.md` tells where it is from. Under
`bundled/all-MiniLM-L6-v2` it can be asked like every vendor's model; a search asks `lanes.encode` itself.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, NoReturn

from toolkit.errors import ConfigError, ModelNotFound, ProviderTimeout, ProviderUnavailable
from toolkit.messages import ChatRequest, Completion, Delta, Embeddings, Usage
from toolkit.providers.base import Vendor

PROVIDER: Final = "bundled"
MODEL: Final = "all-MiniLM-L6-v2"
DIMENSION: Final = 384


def connect(auth: Mapping[str, str], config: Mapping[str, Any]) -> "Bundled":  # noqa: ARG001 - there is nothing to set
    """The embedded model; it needs no key and no address, and is read from the disk when it is first asked."""
    return Bundled()


class Bundled:
    """Makes vectors of texts; see `Provider`."""

    async def complete(self, request: ChatRequest, /, model: str, *, timeout: float) -> Completion:  # noqa: ARG002 - the protocol's
        """It writes nothing."""
        _writes_nothing()

    def stream(self, request: ChatRequest, /, model: str, *, timeout: float) -> AsyncIterator[Delta]:  # noqa: ARG002 - the protocol's
        """It writes nothing."""
        _writes_nothing()

    async def embed(self, texts: Sequence[str], /, model: str, *, timeout: float) -> Embeddings:
        """One unit vector of `DIMENSION` numbers per text, in order; of each text the first 256 tokens are read."""
        if model != MODEL:
            raise ModelNotFound(f"There is no bundled model {model!r}; there is {MODEL!r}.", provider=PROVIDER)
        # It brings onnxruntime, tokenizers and numpy, which take 0.3 s to import.
        from toolkit.providers.bundled.lanes import encode  # noqa: PLC0415 - see above

        try:
            async with asyncio.timeout(timeout):
                vectors, tokens = await encode(texts, "passages" if len(texts) > 1 else "question")
        except TimeoutError:
            raise ProviderTimeout(
                f"The embedded model took longer than {timeout:g} s for {len(texts)} texts; allow it more time or give "
                "it fewer.",
                provider=PROVIDER,
            ) from None
        except ConfigError as error:
            raise ProviderUnavailable(str(error), provider=PROVIDER) from error
        return Embeddings(vectors.tolist(), Usage(tokens))

    async def close(self) -> None:
        """The model stays: others in this process use it."""


def _writes_nothing() -> NoReturn:
    raise ModelNotFound(
        f"{PROVIDER}/{MODEL} makes vectors and writes no text; use another model for that.", provider=PROVIDER
    )


VENDOR = Vendor(connect, free=True)

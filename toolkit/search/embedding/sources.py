"""Where vectors come from without a further library: the embedded model, a vendor, a function of the user's."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from toolkit.errors import BadAnswer, NotFound, ToolkitError
from toolkit.providers import bundled
from toolkit.search.embedding.prefixes import Prefixes, prefixes

if TYPE_CHECKING:
    import numpy.typing as npt

Function: TypeAlias = Callable[[Sequence[str]], "npt.ArrayLike | Awaitable[npt.ArrayLike]"]
"""From texts to one vector each, in order: an array, or lists of numbers. It may be a coroutine function; a plain one
is called in a thread."""

_SECONDS: Final = 60.0  # for one part of a vendor's


class AskVendor(Protocol):
    """`Router.embed`."""

    async def __call__(self, texts: Sequence[str], *, model: str, timeout: float) -> list[list[float]]:
        """One vector per text, in order."""
        ...


class BundledSource:
    """The model that comes with the package."""

    provider = bundled.PROVIDER
    dimension: int | None = bundled.DIMENSION
    at_once = 512
    prefixes = Prefixes()

    async def vectors(self, texts: Sequence[str], *, query: bool, background: bool) -> "npt.ArrayLike":
        """See `Source`."""
        # It brings onnxruntime and tokenizers, which take 0.3 s to import: in a thread, for nothing else can wait.
        lanes = await asyncio.to_thread(_lanes)
        lane = "question" if query else "background" if background else "passages"
        vectors: npt.ArrayLike = (await lanes.encode(texts, lane)).vectors
        return vectors

    async def close(self) -> None:
        """The model stays: others in this process use it."""


def _lanes() -> Any:
    from toolkit.providers.bundled import lanes  # noqa: PLC0415 - see above

    return lanes


class VendorSource:
    """A vendor's model, asked and recorded in the ledger as every other.

    Args:
        ask: asks it.
        model: a name in the table of models, or `provider/model`.
    """

    dimension: int | None = None
    at_once = 128

    def __init__(self, ask: AskVendor, model: str) -> None:
        self.provider = model.partition("/")[0]
        self.prefixes = prefixes(model)
        self._ask = ask
        self._model = model

    async def vectors(self, texts: Sequence[str], *, query: bool, background: bool) -> "npt.ArrayLike":  # noqa: ARG002 - the protocol's
        """See `Source`."""
        try:
            return await self._ask(texts, model=self._model, timeout=_SECONDS)
        except NotFound as error:
            if "/" in self._model:
                raise
            raise NotFound(
                f"{error} If {self._model!r} is a function of yours, name it with documents.embedder first."
            ) from error

    async def close(self) -> None:
        """The connections are the router's."""


class FunctionSource:
    """A function of the user's.

    Args:
        name: what it was registered as.
        function: texts to vectors.
    """

    provider = "function"
    dimension: int | None = None
    at_once = 64
    prefixes = Prefixes()

    def __init__(self, name: str, function: Function) -> None:
        self._name = name
        self._function = function

    async def vectors(self, texts: Sequence[str], *, query: bool, background: bool) -> "npt.ArrayLike":  # noqa: ARG002 - the protocol's
        """See `Source`."""
        try:
            if inspect.iscoroutinefunction(self._function):
                found = await self._function(texts)
            else:
                found = await asyncio.to_thread(self._function, texts)
                if inspect.isawaitable(found):
                    found = await found
            vectors: npt.ArrayLike = found
            return vectors
        except ToolkitError:
            raise
        except Exception as error:
            raise BadAnswer(
                f"The embedder {self._name!r} failed ({type(error).__name__}: {error}); nothing was kept.",
                provider=self.provider,
            ) from error

    async def close(self) -> None:
        """It holds nothing that we know of."""

"""Models that run on this machine by a library that the user installs: sentence-transformers or fastembed."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from toolkit.errors import BadAnswer, ConfigError
from toolkit.search.embedding.prefixes import prefixes

if TYPE_CHECKING:
    import numpy.typing as npt

Encode: TypeAlias = Callable[[list[str]], Any]

_MODULES: Final = {"sentence-transformers": "sentence_transformers", "fastembed": "fastembed"}


class LibrarySource:
    """A model of one of the libraries, in a thread of its own; it is read when it is first asked.

    Args:
        library: one of `embedders.LIBRARIES`.
        model: the library's name of it, or a folder that holds it, where the library takes one.

    Raises:
        ConfigError: the library is not installed, or no model is named.
    """

    dimension: int | None = None
    at_once = 32

    def __init__(self, library: str, model: str) -> None:
        if not model:
            raise ConfigError(f"The embedder {library!r} needs the name of a model: {library}/NAME.")
        if find_spec(_MODULES[library]) is None:
            raise ConfigError(
                f"The embedder {library}/{model} needs the package {library}; install it with "
                f'pip install "toolkit-mcp[{library}]", or name another embedder.'
            )
        self.provider = library
        self.prefixes = prefixes(model)
        self._model = model
        self._encode: Encode | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"toolkit-embedding-{library}")

    async def vectors(self, texts: Sequence[str], *, query: bool, background: bool) -> "npt.ArrayLike":  # noqa: ARG002 - the protocol's
        """See `Source`."""
        work = partial(self._vectors, list(texts))
        vectors: npt.ArrayLike = await asyncio.get_running_loop().run_in_executor(self._thread, work)
        return vectors

    async def close(self) -> None:
        """Let go of the model once the texts that are under way are done."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._encode = None

    def _vectors(self, texts: list[str]) -> Any:
        if self._encode is None:
            try:
                self._encode = _LOADERS[self.provider](self._model)
            except Exception as error:
                raise ConfigError(
                    f"{self.provider} cannot load the model {self._model!r} ({type(error).__name__}: {error})."
                ) from error
        try:
            return self._encode(texts)
        except Exception as error:
            raise BadAnswer(
                f"The model {self._model!r} of {self.provider} failed ({type(error).__name__}: {error}).",
                provider=self.provider,
            ) from error


def _sentence_transformers(model: str) -> Encode:
    encode = import_module("sentence_transformers").SentenceTransformer(model).encode
    # The prefix is put before each text already: the model's own prompt would come on top of it.
    return partial(encode, prompt="", show_progress_bar=False, convert_to_numpy=True)


def _fastembed(model: str) -> Encode:
    embed = import_module("fastembed").TextEmbedding(model_name=model).embed
    return lambda texts: list(embed(texts))


_LOADERS: Final[dict[str, Callable[[str], Encode]]] = {
    "sentence-transformers": _sentence_transformers,
    "fastembed": _fastembed,
}

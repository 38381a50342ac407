"""Rerankers: who reads a query and a passage together and says how well they fit; optional, and slower than all else.

A cross-encoder is named `LIBRARY/MODEL`, e.g. `sentence-transformers/cross-encoder/ms-marco-MiniLM-L6-v2` or
`fastembed/Xenova/ms-marco-MiniLM-L-6-v2`; both libraries fetch a model when it is first asked. Anything else is a
function of the user's.
"""

import asyncio
import inspect
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final, TypeAlias

from toolkit.errors import ConfigError, ToolkitError

Scores: TypeAlias = Iterable[float]
Rerank: TypeAlias = Callable[[str, Sequence[str]], Scores | Awaitable[Scores]]
"""The query and passages to one number per passage, in their order; a higher one fits better."""

DEPTH: Final = 50
"""Passages that are read: from there on the first ranking is rarely corrected, and each one costs milliseconds."""

_LIBRARIES: Final = {"sentence-transformers": "sentence_transformers", "fastembed": "fastembed"}


class Rerankers:
    """Finds rerankers, and keeps the models that it loaded."""

    def __init__(self) -> None:
        self._loaded: dict[str, Rerank] = {}

    def get(self, reranker: str | Rerank) -> Rerank:
        """The function of that name, or the function itself.

        Raises:
            ConfigError: the name is none, or its library is not installed.
        """
        if not isinstance(reranker, str):
            if not callable(reranker):
                raise ConfigError(f"rerank is a {type(reranker).__name__}; give a function or LIBRARY/MODEL.")
            return reranker
        library, _, model = reranker.partition("/")
        if library not in _LIBRARIES or not model:
            names = " or ".join(f"{name}/MODEL" for name in _LIBRARIES)
            raise ConfigError(f"There is no reranker {reranker!r}; name one as {names}, or give a function.")
        if find_spec(_LIBRARIES[library]) is None:
            raise ConfigError(
                f"The reranker {reranker} needs the package {library}; install it with "
                f'pip install "toolkit-mcp[{library}]", or give a function.'
            )
        if reranker not in self._loaded:
            self._loaded[reranker] = _Model(library, model).score
        return self._loaded[reranker]

    @staticmethod
    async def ask(rerank: Rerank, query: str, passages: Sequence[str]) -> list[float]:
        """One finite number per passage; a plain function runs on a thread.

        Raises:
            ConfigError: it failed, or gave something else; the message says which.
        """
        try:
            if inspect.iscoroutinefunction(rerank):
                said: Any = await rerank(query, passages)
            else:
                said = await asyncio.to_thread(rerank, query, passages)
                if inspect.isawaitable(said):
                    said = await said
            scores = [float(score) for score in said]
        except ToolkitError:
            raise
        except Exception as error:  # a function of the user's, or a model: whatever it is, it is told in words
            raise ConfigError(
                f"The reranker failed ({type(error).__name__}: {error}); nothing was reranked."
            ) from error
        if len(scores) != len(passages) or not all(map(math.isfinite, scores)):
            raise ConfigError(
                f"The reranker gave {len(scores)} scores for {len(passages)} passages, or one that is no finite number."
            )
        return scores


class _Model:
    """A cross-encoder of a library, loaded when it is first asked; one question at a time."""

    def __init__(self, library: str, model: str) -> None:
        self._library = library
        self._name = model
        self._asking = asyncio.Lock()
        self._score: Callable[[str, list[str]], Scores] | None = None

    async def score(self, query: str, passages: Sequence[str]) -> Scores:
        async with self._asking:
            if self._score is None:
                self._score = await asyncio.to_thread(self._load)
            return await asyncio.to_thread(self._score, query, list(passages))

    def _load(self) -> Callable[[str, list[str]], Scores]:
        try:
            if self._library == "fastembed":
                encoder = import_module("fastembed.rerank.cross_encoder").TextCrossEncoder(self._name)
                return lambda query, passages: list(encoder.rerank(query, passages))
            model = import_module("sentence_transformers").CrossEncoder(self._name)
        except Exception as error:  # what a library says of a model that it cannot get is its own
            raise ConfigError(f"The reranker {self._library}/{self._name} cannot be loaded: {error}") from error
        return lambda query, passages: list(model.predict([(query, passage) for passage in passages]))

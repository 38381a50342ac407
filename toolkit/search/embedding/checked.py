"""An embedder as the search knows it, around whatever makes the vectors: what is no vector goes no further."""

from collections.abc import Sequence
from typing import Final, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from toolkit.errors import BadAnswer, ConfigError
from toolkit.search.embedding.prefixes import Prefixes

Floats: TypeAlias = npt.NDArray[np.float32]

_LEAST_LENGTH: Final = 1e-12


class Source(Protocol):
    """Where vectors come from.

    Attributes:
        provider: whose they are, for errors.
        dimension: of the vectors, None where that is not known before the first one.
        at_once: how many texts are given at once; between two such parts it can be cancelled.
        prefixes: what stands before each text.
    """

    provider: str
    dimension: int | None
    at_once: int
    prefixes: Prefixes

    async def vectors(self, texts: Sequence[str], *, query: bool, background: bool) -> npt.ArrayLike:
        """One vector per text, of any length; raises `ToolkitError`s only."""
        ...

    async def close(self) -> None:
        """Let go of what is held."""
        ...


class Checked:
    """The `Embedder` over a source.

    Args:
        name: what a collection remembers it by.
        source: makes the vectors.
    """

    def __init__(self, name: str, source: Source) -> None:
        self._name = name
        self._source = source
        self._dimension = source.dimension

    @property
    def name(self) -> str:
        """See `Embedder`."""
        return self._name

    @property
    def dimension(self) -> int | None:
        """See `Embedder`."""
        return self._dimension

    async def embed(self, texts: Sequence[str], *, query: bool = False, background: bool = False) -> Floats:
        """See `Embedder`."""
        for number, text in enumerate(texts, 1):
            if not text.strip():
                raise ConfigError(f"Text {number} of {len(texts)} is empty; there is nothing to embed in it.")
        before = self._source.prefixes.query if query else self._source.prefixes.passage
        parts = [np.empty((0, self._dimension or 0), np.float32)] if not texts else []
        for start in range(0, len(texts), self._source.at_once):
            some = [before + text for text in texts[start : start + self._source.at_once]]
            parts.append(self._checked(await self._source.vectors(some, query=query, background=background), len(some)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    async def close(self) -> None:
        """Let go of what the source holds."""
        await self._source.close()

    def _checked(self, found: npt.ArrayLike, count: int) -> Floats:
        """The vectors made unit rows; the first ones decide how many dimensions there are."""
        try:
            vectors = np.array(found, dtype=np.float32, ndmin=2)
        except (TypeError, ValueError):
            raise self._bad("what it gave are not lists of numbers of one length") from None
        if vectors.ndim != 2 or len(vectors) != count or not vectors.shape[1]:  # noqa: PLR2004 - rows and columns
            raise self._bad(f"it gave an array of shape {vectors.shape} for {count} texts")
        dimension = vectors.shape[1]
        if self._dimension not in (None, dimension):
            raise self._bad(f"it gave vectors of {dimension} dimensions where they had {self._dimension} before")
        lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
        if not np.isfinite(lengths).all():
            raise self._bad(f"the vector of text {int(np.flatnonzero(~np.isfinite(lengths))[0]) + 1} is not finite")
        if (lengths < _LEAST_LENGTH).any():
            raise self._bad(f"the vector of text {int(np.argmin(lengths)) + 1} is zero")
        self._dimension = dimension
        units: Floats = (vectors / lengths[:, None]).astype(np.float32)
        return units

    def _bad(self, what: str) -> BadAnswer:
        return BadAnswer(
            f"The embedder {self._name!r} gave no usable vectors ({what}); nothing of them was kept.",
            provider=self._source.provider,
        )

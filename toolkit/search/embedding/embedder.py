"""What an embedder is to the rest of the search."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

BUNDLED: Final = "bundled/all-MiniLM-L6-v2"
"""The embedder that comes with the package; it needs no account and no network."""


class Embedder(Protocol):
    """Makes one vector per text. Vectors of one embedder compare with each other, and with no other's."""

    @property
    def name(self) -> str:
        """What a collection remembers it by; `Embedders.get` finds it again."""
        ...

    @property
    def dimension(self) -> int | None:
        """How many numbers a vector has; None until the first one was made, where that tells."""
        ...

    async def embed(
        self, texts: Sequence[str], *, query: bool = False, background: bool = False
    ) -> "npt.NDArray[np.float32]":
        """Unit vectors, shape (texts, dimension), in order: all of them, or an error.

        Args:
            texts: not blank. What is longer than the model reads is cut by it.
            query: they are questions; some models read questions and passages differently.
            background: nobody waits; everyone else goes first, where the model runs on this machine.

        Raises:
            ConfigError: a text is blank, or the embedder cannot be used as it is named.
            ProviderError: what the model gave is no vector, of another dimension than before, or it gave nothing.
            ToolkitError: what `Router.embed` raises.
        """
        ...

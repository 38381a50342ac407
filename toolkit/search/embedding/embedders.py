"""Embedders by name."""

import asyncio
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from toolkit.errors import ConfigError, DeadlineExceeded
from toolkit.search.embedding.embedder import BUNDLED, Embedder

if TYPE_CHECKING:
    from toolkit.search.embedding.checked import Checked, Source
    from toolkit.search.embedding.sources import AskVendor, Function

_NAME: Final = re.compile(r"[\w.-]{1,100}")
_OURS: Final = "bundled/"

LIBRARIES: Final = ("sentence-transformers", "fastembed")
"""What a user may install; a model is named `LIBRARY/MODEL`, e.g. `sentence-transformers/intfloat/e5-small-v2`."""


class Embedders:
    """Finds embedders by name, and keeps those that it made.

    Args:
        ask: `Router.embed`, for vendors' models.
        default: the embedder of who names none.
    """

    def __init__(self, ask: "AskVendor", *, default: str | None = None) -> None:
        self._ask = ask
        self._default = default or BUNDLED
        self._functions: dict[str, Function] = {}
        self._made: dict[str, Checked] = {}

    @property
    def default(self) -> str:
        """The name of the embedder of who names none."""
        return self._default

    def register(self, name: str, function: "Function") -> None:
        """Make a function an embedder; a name that is registered again means the new function from now on.

        A collection remembers the name, not the function: a function that makes other vectors needs another name.

        Args:
            name: letters, digits, `_`, `.` and `-`.
            function: texts to one vector each, in order; a coroutine function or a plain one.

        Raises:
            ConfigError: it cannot be called so.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(f"An embedder cannot be called {name!r}; use letters, digits, _ . and -, at most 100.")
        self._functions[name] = function
        self._made.pop(name, None)

    def get(self, name: str | None = None) -> Embedder:
        """The embedder of that name, made at the first call; whether a vendor has the model shows when it is asked.

        Args:
            name: `bundled/all-MiniLM-L6-v2`, a registered function's, `sentence-transformers/MODEL`,
                `fastembed/MODEL`, or a model as the router knows it (a row's name or `provider/model`); None is the
                default.

        Raises:
            ConfigError: there cannot be such an embedder here; the message says what to install or to name.
        """
        name = (name or self._default).strip()
        if name not in self._made:
            # numpy takes 0.1 s to import, and a program that searches nothing need not wait for it.
            from toolkit.search.embedding.checked import Checked  # noqa: PLC0415 - see above

            self._made[name] = Checked(name, self._source(name))
        return self._made[name]

    async def embed(
        self, texts: Sequence[str], *, model: str | None = None, timeout: float = 60.0
    ) -> list[list[float]]:
        """One vector per text, in order, as the model gives them: for who wants vectors, not a search.

        Models that the router knows, the bundled one among them, are asked through it, so the ledger has the call.

        Args:
            texts: not blank; no prefix is put before them, except for a library's model, which reads them as passages.
            model: as for `get`.
            timeout: seconds for everything.

        Raises:
            DeadlineExceeded: the time ran out.
            ToolkitError: what `Router.embed` and `Embedder.embed` raise.
        """
        name = (model or self._default).strip()
        if name not in self._functions and name.partition("/")[0] not in LIBRARIES:
            return await self._ask(texts, model=name, timeout=timeout)
        embedder = self.get(name)
        try:
            async with asyncio.timeout(timeout):
                found: list[list[float]] = (await embedder.embed(texts)).tolist()
        except TimeoutError:
            raise DeadlineExceeded(timeout) from None
        return found

    async def close(self) -> None:
        """Let go of the models that libraries hold."""
        made, self._made = list(self._made.values()), {}
        for embedder in made:
            await embedder.close()

    def _source(self, name: str) -> "Source":
        from toolkit.search.embedding import libraries, sources  # noqa: PLC0415 - as above

        library, _, model = name.partition("/")
        if name in self._functions:
            return sources.FunctionSource(name, self._functions[name])
        if name == BUNDLED:
            return sources.BundledSource()
        if name.startswith(_OURS):
            raise ConfigError(f"There is no bundled embedder {model!r}; there is {BUNDLED.removeprefix(_OURS)!r}.")
        if library in LIBRARIES:
            return libraries.LibrarySource(library, model)
        return sources.VendorSource(self._ask, name)

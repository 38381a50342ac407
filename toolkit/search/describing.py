"""What a chunk is about within its document, in a model's words: kept with its heading, and so found by it.

A chunk that says "It then closes again" is found by "circuit breaker" if its heading names it. The model reads the
document once for several chunks; where none answers, a chunk keeps the heading that it has.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Final, TypeAlias

from toolkit.errors import CassetteError, ToolkitError
from toolkit.search.documents import Chunk, Document
from toolkit.search.keeping import Prepared

Describe: TypeAlias = Callable[[str, Sequence[str]], Awaitable[Sequence[str]]]
"""A document's text and passages of it to one short sentence per passage: what it is about, in that document."""

TOGETHER: Final = 10
"""Chunks that are described by one answer."""

MOST_TEXT: Final = 24_000
"""Characters of the document that the model reads: its beginning, which names what the rest is about."""

MOST_WORDS: Final = 160
"""Characters of a description."""

DESCRIBED: Final = "+described"
"""Ends the content hash of a document of which every chunk is described, so that it is not asked about again."""

_AT_ONCE = 4  # questions of one ingest
_log = logging.getLogger(__name__)


class Describing:
    """Has the chunks of an ingest described.

    Args:
        describe: asks a model.
    """

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def described(self, prepared: Prepared) -> Prepared:
        """The document with what its chunks are about after their headings: `Guide › Retries — how a breaker opens`."""
        document, chunks = prepared.document, prepared.chunks
        parts = [chunks[start : start + TOGETHER] for start in range(0, len(chunks), TOGETHER)]
        said = await asyncio.gather(*(self._ask(document, part) for part in parts))
        named = [
            replace(chunk, heading=_heading(chunk.heading, words))
            for part, descriptions in zip(parts, said, strict=True)
            for chunk, words in zip(part, descriptions or [""] * len(part), strict=True)
        ]
        mark = "" if None in said else DESCRIBED
        return replace(prepared, chunks=named, content_hash=prepared.content_hash + mark)

    async def _ask(self, document: Document, chunks: Sequence[Chunk]) -> Sequence[str] | None:
        """A description of each, None where there are none."""
        try:
            async with self._room:
                said = list(await self._describe(document.text[:MOST_TEXT], [chunk.text for chunk in chunks]))
        except CassetteError:  # a replay that lacks an answer must fail
            raise
        except ToolkitError as error:
            _log.warning("Chunks of %s keep their headings; no model described them: %s", document.source, error)
            return None
        if len(said) != len(chunks):
            _log.warning(
                "Chunks of %s keep their headings: %d descriptions for %d", document.source, len(said), len(chunks)
            )
            return None
        return said


def _heading(heading: str, words: str) -> str:
    words = " ".join(words.split())
    if len(words) > MOST_WORDS:
        words = words[: MOST_WORDS - 1].rstrip() + "…"
    return " — ".join(filter(None, (heading, words)))

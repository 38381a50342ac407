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

Describe: TypeAlias = Callable[[str, Sequence[str]], Awaitable[Sequence[str]]]
"""A document's text and passages of it to one short sentence per passage: what it is about, in that document."""

TOGETHER: Final = 10
"""Chunks that are described by one answer."""

MOST_TEXT: Final = 24_000
"""Characters of the document that the model reads: its beginning, which names what the rest is about."""

MOST_WORDS: Final = 160
"""Characters of a description."""

_AT_ONCE = 4
_log = logging.getLogger(__name__)


async def described(document: Document, chunks: Sequence[Chunk], describe: Describe) -> list[Chunk]:
    """The chunks with what they are about after their headings: `Guide › Retries — how long a breaker stays open`.

    Args:
        document: the whole of it.
        chunks: of that document.
        describe: asks a model.
    """
    room = asyncio.Semaphore(_AT_ONCE)
    starts = range(0, len(chunks), TOGETHER)
    parts = [_described(document, chunks[start : start + TOGETHER], describe, room) for start in starts]
    return [chunk for part in await asyncio.gather(*parts) for chunk in part]


async def _described(
    document: Document, chunks: Sequence[Chunk], describe: Describe, room: asyncio.Semaphore
) -> Sequence[Chunk]:
    try:
        async with room:
            said = list(await describe(document.text[:MOST_TEXT], [chunk.text for chunk in chunks]))
    except CassetteError:  # a replay that lacks an answer must fail
        raise
    except ToolkitError as error:
        _log.warning("Chunks of %s keep their headings; no model described them: %s", document.source, error)
        return chunks
    if len(said) != len(chunks):
        _log.warning(
            "Chunks of %s keep their headings: %d descriptions for %d", document.source, len(said), len(chunks)
        )
        return chunks
    return [replace(chunk, heading=_heading(chunk.heading, words)) for chunk, words in zip(chunks, said, strict=True)]


def _heading(heading: str, words: str) -> str:
    words = " ".join(words.split())
    if len(words) > MOST_WORDS:
        words = words[: MOST_WORDS - 1].rstrip() + "…"
    return " — ".join(filter(None, (heading, words)))

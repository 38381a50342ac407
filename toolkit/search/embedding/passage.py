"""What an embedder reads of a chunk, and the hash under which the vector of that is kept."""

import hashlib
from functools import lru_cache
from typing import Final

PATH: Final = " › "
"""Between the headings that a chunk stands under, outermost first."""

_MOST_TITLE: Final = 200  # characters: a title is to say what the text is about, not to take its place
_MOST_SAID: Final = 500  # characters at the beginning of a text in which its own headings stand
_MARKS: Final = "#=-*_ \t\r\n"  # around a heading
_SPARE: Final = 16  # characters beside a name: the white space in it


def passage(title: str, heading: str, text: str) -> str:
    """What an embedder reads of a chunk: the names that it stands under, then what it says.

    A name that the chunk's text begins with, or that was just said, is not said twice: small models read about 200
    words, and what is read first weighs most.

    Args:
        title: of the document; empty, or its path or address, where it has none.
        heading: the headings that the chunk stands under, outermost first, joined by `PATH`.
        text: of the chunk.
    """
    names: list[str] = []
    for name in (title.strip()[:_MOST_TITLE], *heading.split(PATH)):
        if (
            (plain := _plain(name))
            and not any(plain in _plain(other) for other in names)
            and not _begins(text[:_MOST_SAID], plain)
        ):
            names.append(name.strip())
    return f"{PATH.join(names)}\n{text}" if names else text


def text_hash(passage: str) -> int:
    """The first 8 bytes, little endian, of the SHA-256 of its UTF-8: 0 to 2⁶⁴ - 1."""
    return int.from_bytes(hashlib.sha256(passage.encode("utf-8", "replace")).digest()[:8], "little")


@lru_cache(maxsize=1024)
def _plain(text: str) -> str:
    return " ".join(text.strip(_MARKS).casefold().split())


def _begins(text: str, plain: str) -> bool:
    """Whether `_plain(text)` begins with a name; mostly a look at as many characters as the name has tells."""
    start = text.lstrip(_MARKS)
    begin = " ".join(start[: len(plain) + _SPARE].casefold().split())
    if len(begin) < len(plain):
        begin = " ".join(start.casefold().split())
    return begin.startswith(plain)

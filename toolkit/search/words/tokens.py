"""Texts cut into words, whatever the language: white space, punctuation, identifiers, scripts without spaces.

A text is cut in two steps. The first, `coarse`, is done to every byte of it and therefore knows nothing but a table:
it cuts at white space and at the ASCII punctuation that stands in no word. The second, `pieces`, looks closely at each
token of the first; the vocabulary remembers what came of it, so that it is done once for each distinct token.
"""

import re
import unicodedata
from collections.abc import Sequence
from enum import IntEnum
from operator import add

MOST_PARTS = 24
"""Parts of one identifier: a token of more is no name but data, and only the whole of it is kept."""

BREAK = b"\0"
"""The token behind each text in `marked`; it stands in no text."""

_KEPT = "_.-'+#\0"
_TABLE = bytes(
    ord(" ") if (c := chr(code)).isascii() and not c.isalnum() and c not in _KEPT else code for code in range(256)
)
_PUNCTUATION = tuple(map(str.encode, "，。、；：！？（）「」『』《》【】…—"))

_OUTER = "._-'"
_SPELLED = re.compile("['+#]")
_CONTRACTED = re.compile(r"(?i)(.+)'(?:s|t|d|m|ll|re|ve)")
_NEGATED = re.compile(r"(?i)[a-z]+n't")
_LANGUAGE = re.compile(r"(?i)([a-z](?:\+\+|#))\d*")
_SEPARATORS = re.compile(r"['+#]+")
_NUMBER = re.compile(r"[vV]?(\d+(?:\.\d+){1,7})")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_CHARACTER = re.compile(r"\w\W*|^\W+")  # marks are no letters to `re`
_UNSPACED = re.compile(
    "(["
    "\u0e00-\u109f\u1780-\u17ff\u1950-\u19ff\u1a20-\u1aaf\ua9e0-\ua9ff\uaa60-\uaadf"  # Thai to Myanmar, Khmer, Tai
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Han, Kana
    "\u1100-\u11ff\ua000-\ua4cf\ua960-\ua97f\uac00-\ud7ff"  # Hangul, Yi
    "\U00016fe0-\U00018d8f\U0001aff0-\U0001b2ff\U00020000-\U0003ffff"  # Tangut, more Kana, more Han
    "]+)"
)
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_HAN = re.compile("[\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class Kind(IntEnum):
    """What a piece of a token is."""

    TOKEN = 0
    """A shorter token, to be looked at in its turn; every other kind is looked at no further."""
    WORD = 1
    """A word by itself."""
    NAME = 2
    """An identifier as a whole, its parts joined: `snakecase` of `snake_case`, of `snake-case` and of `snakeCase`."""
    EXACT = 3
    """A version, a decimal number or `C++`: found only as it is written."""
    RUN = 4
    """Characters of scripts without spaces between words: found by what `pairs` and `singles` make of them."""


TOKEN, WORD, NAME, EXACT, RUN = Kind


def coarse(text: str) -> list[bytes]:
    """The tokens of `text`, as UTF-8, in order. What is no character (a lone surrogate) and NUL cut like a space."""
    return _spaced(text.replace("\0", " ")).split()


def marked(texts: Sequence[str]) -> bytes:
    """The tokens of all `texts` between spaces, `BREAK` after each text."""
    joined = " \0 ".join([*texts, ""])
    if joined.count("\0") > len(texts):
        joined = " \0 ".join([*(text.replace("\0", " ") for text in texts), ""])
    return _spaced(joined)


def _spaced(text: str) -> bytes:
    content = text.encode("utf-8", "replace")
    if "。" in text or "、" in text:  # where sentences have no spaces, a whole paragraph would be a token
        for mark in _PUNCTUATION:
            content = content.replace(mark, b" ")
    # Without its full stop the last word of a sentence is a token that is known already.
    return content.translate(_TABLE).replace(b". ", b"  ")


def pieces(token: str) -> list[tuple[str, Kind]]:
    """What a token of `coarse` holds; of an identifier first the whole, then the tokens of which it is made.

    It is taken apart one step at a time, so that who remembers what became of a token meets `self` or `name` only once
    in a thousand identifiers: at apostrophes, then at dots and hyphens, then at underscores, then at humps.
    """
    if token.isascii():
        if token[0] in _OUTER or token[-1] in _OUTER:
            trimmed = token.strip(_OUTER)
            return [(trimmed, TOKEN)] if trimmed else []
        return _spelled(token) if _SPELLED.search(token) else _name(token)
    found: list[tuple[str, Kind]] = []
    for word in _plain(token).split():
        if word.isascii():
            found.append((word, TOKEN))
        elif _UNSPACED.search(word):
            found += [(run, RUN if index % 2 else TOKEN) for index, run in enumerate(_UNSPACED.split(word))]
        else:
            contracted = _CONTRACTED.fullmatch(word)
            for part in _SEPARATORS.split(contracted[1] if contracted else word):
                found += [(part, TOKEN)] if part.isascii() else _name(part.strip(_OUTER))
    return [(piece, kind) for piece, kind in found if piece]


def pairs(run: str) -> list[str]:
    """The characters of a run two by two, or the only one; a mark belongs to the character before it."""
    characters = _CHARACTER.findall(run)
    return list(map(add, characters, characters[1:])) if len(characters) > 1 else [run]


def singles(run: str) -> list[str]:
    """The Han characters of a run of several: each is a word, and is found by whoever asks for it alone."""
    return _HAN.findall(run) if len(run) > 1 else []


def _spelled(token: str) -> list[tuple[str, Kind]]:
    """The pieces of a token with an apostrophe, a plus or a hash sign."""
    if _NEGATED.fullmatch(token):
        return [(token.replace("'", ""), WORD)]
    if contracted := _CONTRACTED.fullmatch(token):
        token = contracted[1]
    if language := _LANGUAGE.fullmatch(token):
        return [(name, EXACT) for name in dict.fromkeys((language[1], token))]
    return [(part, TOKEN) for part in _SEPARATORS.split(token) if part]


def _name(token: str) -> list[tuple[str, Kind]]:
    """The pieces of a token of letters, digits, dots, hyphens and underscores, none of these at its ends."""
    if "." in token or "-" in token:
        if number := _NUMBER.fullmatch(token):
            figures = number[1].split(".")
            return [(".".join(figures[:count]), EXACT) for count in range(len(figures), 1, -1)]
        parts = token.replace("-", ".").split(".")
    elif "_" in token:
        parts = token.split("_")
    elif token.islower() or token.isupper() or token[:1].isdigit():
        return [(token, WORD)]
    else:
        parts = _HUMP.split(token)
        if len(parts) == 1:
            return [(token, WORD)] if any(map(str.isalnum, token)) else []
    whole = token.replace(".", "").replace("-", "").replace("_", "")
    if len(parts) > MOST_PARTS:
        return [(whole, NAME)]
    return [(whole, NAME), *[(part, TOKEN) for part in parts if len(part) > 1]]


def _plain(token: str) -> str:
    """`token` in compatibility form, symbols and foreign punctuation as spaces, digits of all scripts as ASCII's."""
    normal = unicodedata.normalize("NFKC", token.translate(_CHARACTERS))
    return normal.translate(_CHARACTERS)


class _Characters(dict[int, str | None]):
    """What becomes of each character beyond ASCII, worked out when it first occurs."""

    def __missing__(self, code: int) -> str | None:
        character = chr(code)
        category = unicodedata.category(character)
        made: str | None = " "
        if character.isascii():  # of a compatibility form
            made = chr(_TABLE[code])
        elif category == "Nd":
            made = str(unicodedata.decimal(character))
        elif _SELECTORS.match(character) or category in ("Cf", "Me"):
            made = None
        elif category[0] in "LN" or category in ("Mn", "Mc"):
            made = character
        elif category in ("Cn", "Co", "Cs"):
            return made  # not remembered: junk shall not fill the memory
        self[code] = made
        return made


_CHARACTERS = _Characters({
    0x02BC: "'", 0x2019: "'", 0x2010: "-", 0x2011: "-",
    0x200B: " ",  # though it is invisible, it parts words
})  # fmt: skip

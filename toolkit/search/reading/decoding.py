"""Bytes as text, in any encoding that can be told, with the way back from each line to its bytes."""

import codecs
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from toolkit.search.documents import SourceMap
from toolkit.search.reading.content import Unreadable
from toolkit.search.reading.guessing import guess

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Each part of their bytes is decoded by itself, which an encoding with states or a mark of its own does not allow.
_UNUSABLE = re.compile(r"utf[-_]?(?:7|16|32|8[-_]sig)$|iso.?2022.*|hz|.*escape|punycode|idna|undefined|mbcs|oem")
_SAID = re.compile(rb"(?i)(?:coding[:=]|charset=|encoding=)\s*[\"']?([A-Za-z0-9][\w.:-]{1,30})")
_SAID_WITHIN = 1_024  # bytes: where HTML, XML and Python look for it
_UNKEPT = re.compile("[\x00\ud800-\udfff]")
_CONTROLS = bytes([*range(1, 8), *range(14, 27), *range(28, 32), 127])  # without those that a terminal's text has
_MOST_CONTROLS = 0.02
_ASCII = bytes(range(128))
_ZEROS = 0.3  # of every second byte, from which on a text without a mark may be UTF-16


class NotText(Unreadable):
    """The bytes are no text, or one whose encoding cannot be told; the message says which, in a few words."""


@dataclass(frozen=True, slots=True)
class Decoded:
    r"""A text with line ends as `\n`, what it was decoded with, and where its lines stand in the bytes.

    `source_map` is None where each character stands where it stood: no mark, and the same line ends.
    """

    text: str
    encoding: str
    source_map: SourceMap | None


def decode(data: bytes, charset: str | None = None) -> Decoded:
    """The text that the bytes hold.

    A byte order mark decides; then what is valid UTF-8 is UTF-8; then counts what the sender (`charset`) or the
    text's own beginning says, as HTML, XML and Python do; then the letters that come out.

    Raises:
        NotText: they hold none.
    """
    skip, encoding = next(((len(mark), name) for mark, name in _MARKS if data.startswith(mark)), (0, ""))
    try:
        raw = data[skip:].decode(encoding or "utf-8")
    except UnicodeDecodeError:
        if encoding:
            raise NotText(f"not {encoding[:6].upper()} text") from None
        raw = ""
    if not encoding:
        encoding = "utf-8"
        if b"\0" in data:
            encoding, raw = _wide(data)
        elif not raw and data:
            encoding, raw = _narrow(data, charset)
    if "\0" in raw or len(data) - len(data.translate(None, _controls(encoding))) > _MOST_CONTROLS * len(data):
        raise NotText("binary")
    text = clean(raw)
    if not skip and "\r" not in raw:
        return Decoded(text, encoding, None)
    return Decoded(text, encoding, _lines(raw, encoding, skip))


def clean(text: str) -> str:
    r"""`text` as both databases can keep it: line ends as `\n`, and U+FFFD for NUL and for half a character."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
    return lines if lines.isascii() and "\0" not in lines else _UNKEPT.sub("\ufffd", lines)


def _controls(encoding: str) -> bytes:
    """The bytes that are control characters; in UTF-16 and 32 they are parts of others, too."""
    return b"" if encoding.startswith(("utf-16", "utf-32")) else _CONTROLS


def _wide(data: bytes) -> tuple[str, str]:
    """UTF-16 without a mark: in most languages half of the bytes are zero, always the same half."""
    for encoding, zeros in (("utf-16-le", data[1::2]), ("utf-16-be", data[::2])):
        if len(data) % 2 == 0 and zeros.count(0) >= _ZEROS * len(zeros):
            try:
                raw = data.decode(encoding)
            except UnicodeDecodeError:
                continue
            if all(each.isprintable() or each.isspace() for each in raw[:_SAID_WITHIN]):
                return encoding, raw
    raise NotText("binary")


def _narrow(data: bytes, charset: str | None) -> tuple[str, str]:
    kept = data.decode("utf-8", "ignore").encode()
    if len(kept.translate(None, _ASCII)) > len(data.translate(None, _ASCII)) / 2:  # no other text is so by chance
        raise NotText("damaged UTF-8 text")
    for name in _candidates(data, charset):
        try:
            encoding = codecs.lookup(name).name
            if _UNUSABLE.match(encoding):
                continue
            raw = data.decode(encoding)
            if raw.encode(encoding) == data:
                return encoding, raw
        except (LookupError, UnicodeError, ValueError):  # unknown, no encoding of texts, or not this text's
            continue
    raise NotText("not text in an encoding that can be told")


def _candidates(data: bytes, charset: str | None) -> Iterator[str]:
    if charset:
        yield charset
    for said in _SAID.findall(data[:_SAID_WITHIN]):
        yield said.decode("ascii")
    if (guessed := guess(data)) is not None:
        yield guessed


def _lines(raw: str, encoding: str, skip: int) -> SourceMap:
    """Where the lines of `raw` stand in the bytes that begin with `skip` bytes of a mark."""
    parts = re.split("(\r\n|\r|\n)", raw)
    sizes = map(len, parts) if raw.isascii() and encoding == "utf-8" else (len(part.encode(encoding)) for part in parts)
    places = array("q", accumulate(sizes, initial=skip))
    return SourceMap(starts=places[:-1:2], ends=places[1::2])

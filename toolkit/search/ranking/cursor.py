"""Where a page of hits ended: what was shown is remembered, not how far it was, for what is added moves the others."""

import base64
import binascii
import hashlib
import json
import math
import struct
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from toolkit.errors import ConfigError

_FORM: Final = 1
_HEAD: Final = struct.Struct("<B8sd")


@dataclass(frozen=True, slots=True)
class Cursor:
    """What the pages before have shown.

    A chunk is remembered by 4 bytes, so that of a thousand chunks not yet shown one is left out once in four thousand
    searches that were read to their thousandth hit.

    Attributes:
        search: says of which search; see `search_digest`.
        best: total of the first page's best hit; scores are in proportion to it.
        shown: the marks of the chunks.
    """

    search: bytes
    best: float
    shown: frozenset[int] = frozenset()

    def has(self, chunk_id: str) -> bool:
        """Whether that chunk was shown."""
        return mark(chunk_id) in self.shown

    def after(self, chunk_ids: Iterable[str]) -> "Cursor":
        """The same with one more page."""
        return Cursor(self.search, self.best, self.shown.union(map(mark, chunk_ids)))

    def write(self) -> str:
        """As a text for URLs, about 5 characters per hit that was shown."""
        marks = struct.pack(f"<{len(self.shown)}I", *sorted(self.shown))
        data = _HEAD.pack(_FORM, self.search, self.best) + marks
        return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")

    @classmethod
    def read(cls, text: str, search: bytes) -> "Cursor":
        """The cursor that `write` wrote.

        Raises:
            ConfigError: it is none, or another search's.
        """
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            form, theirs, best = _HEAD.unpack_from(data)
            marks = struct.unpack(f"<{(len(data) - _HEAD.size) // 4}I", data[_HEAD.size :])
        except (binascii.Error, struct.error, ValueError):
            form, theirs, best, marks = 0, b"", 0.0, ()
        if form != _FORM or not (math.isfinite(best) and best > 0):
            raise ConfigError("The cursor cannot be read; take it from the hits of the page before.")
        if theirs != search:
            raise ConfigError("The cursor belongs to another search; ask for the next page with the same arguments.")
        return cls(search, best, frozenset(marks))


def mark(chunk_id: str) -> int:
    """What a chunk is remembered by."""
    return zlib.crc32(chunk_id.encode())


def search_digest(asked: Mapping[str, Any]) -> bytes:
    """What tells one search from another: 8 bytes of what was asked for, JSON."""
    data = json.dumps(asked, sort_keys=True, default=_plain).encode("utf-8", "replace")
    return hashlib.sha256(data).digest()[:8]


def _plain(value: Any) -> Any:
    """What JSON does not know, the same in every process."""
    return sorted(map(str, value)) if isinstance(value, set | frozenset) else str(value)

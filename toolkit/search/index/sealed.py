"""A sealed segment as the table `segments` keeps it: its head, and the first term of each of its blocks of postings."""

import struct

from toolkit.errors import DatabaseError
from toolkit.search.index.postings import Stored
from toolkit.search.words.segment import Segment

_LENGTH = struct.Struct("<I")


def write_head(segment: Segment, firsts: list[str]) -> bytes:
    """The bytes of the head (uint32), the head, and the first terms in UTF-8, a newline between two."""
    head = segment.head()
    return b"".join((_LENGTH.pack(len(head)), head, "\n".join(firsts).encode()))


def read_head(own_id: int, data: bytes) -> tuple[Segment, Stored]:
    """What `write_head` wrote: the segment without postings, and where these are.

    Raises:
        DatabaseError: it is damaged.
    """
    if len(data) < _LENGTH.size:
        raise DatabaseError("A segment of the search index cannot be read: it is damaged. Ingest the documents anew.")
    (length,) = _LENGTH.unpack_from(data)
    end = _LENGTH.size + length
    terms = data[end:].decode()
    return Segment.from_head(data[_LENGTH.size : end]), Stored(own_id, terms.split("\n") if terms else ())

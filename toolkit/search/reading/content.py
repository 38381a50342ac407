"""What every reader gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from toolkit.search.documents import SourceMap

MOST_TEXT = 20_000_000
"""Characters of one document. Three Bibles; what is longer is data, or was made to fill the memory of its reader."""


class Unreadable(Exception):
    """The bytes are not what the file's name says, or nobody should read them; the message is why, in a few words."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file says.

    Attributes:
        text: all of it, as `Document.text`.
        title: what it calls itself; empty if it does not.
        language: the programming language of a notebook.
        metadata: what else it says of itself.
        source_map: the way back; None where there is none.
    """

    text: str
    title: str = ""
    language: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    source_map: SourceMap | None = None

"""Collections: named sets of documents, everyone's or one person's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from toolkit.errors import ConfigError, NotFound, choices

LANGUAGE: Final = "en"
"""How the words of a collection are taken for which nobody says otherwise."""

_MOST_NAME = 200
_BEFORE_OWNER = chr(31)  # no name has it: names are printable


@dataclass(frozen=True, slots=True)
class Collection:
    """A row of the table `collections`.

    Attributes:
        key: what its rows elsewhere say: the name, and for a private one its owner.
        owner: whose it is; None: everyone's.
        id: another one when it was removed and made again.
        language: of its words.
        analysed: how the words of all of its documents are indexed; empty: not all are.
        embedder: whose vectors are searched; None: there are none yet.
        dimension: of these vectors.
        next_embedder: who takes over once no chunk lacks a vector of it; None: nobody.
        next_dimension: of those.
        version: how often it was written to.
        sealed: up to which version the log was folded.
    """

    key: str
    name: str
    owner: str | None
    id: str
    language: str
    analysed: str
    embedder: str | None
    dimension: int | None
    next_embedder: str | None
    next_dimension: int | None
    version: int
    sealed: int

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The collection of a row that has all of `COLUMNS`."""
        return cls(**{name: row[name] for name in cls.__slots__})

    @property
    def wanted(self) -> str | None:
        """The embedder whose vectors are to be made; None: whichever is the default."""
        return self.next_embedder or self.embedder


COLUMNS: Final = ", ".join(Collection.__slots__)


def key_of(name: str, owner: str | None) -> str:
    """The key of everyone's collection `name`, or of the owner's.

    Raises:
        ConfigError: nothing can be called so.
    """
    return checked_name(name) if owner is None else f"{checked_name(name)}{_BEFORE_OWNER}{owner}"


def name_of(key: str) -> str:
    """What the collection is called."""
    return key.partition(_BEFORE_OWNER)[0]


def owner_of(key: str) -> str | None:
    """Whose it is; None: everyone's."""
    _, private, owner = key.partition(_BEFORE_OWNER)
    return owner if private else None


def checked_name(collection: str) -> str:
    """`collection`, if it can name one.

    Raises:
        ConfigError: it is empty, too long, or not printable.
    """
    if not collection.strip() or len(collection) > _MOST_NAME or not collection.isprintable():
        raise ConfigError(f"{collection[:50]!r} cannot name a collection; use 1 to {_MOST_NAME} printable characters.")
    return collection


def no_collection(name: str, names: Sequence[str]) -> NotFound:
    """The error that says that there is no collection `name`, only those of `names`."""
    if not names:
        return NotFound("Nothing has been ingested yet; add documents first, e.g. with `toolkit ingest docs/`.")
    return NotFound(f"There is no collection {name!r}; {choices(names)}.")

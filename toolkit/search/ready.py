"""Documents that are ready to be kept together, with their words: what other processes hand to the one that writes."""

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from toolkit.search.keeping import Prepared, Written, written


class Ready(NamedTuple):
    """Documents of one collection, as they are written.

    Attributes:
        key: of the collection.
        documents: with different ids.
        language: in which their words were taken; empty: they were not.
        words: what the log says of them.
    """

    key: str
    documents: Sequence[Written]
    language: str = ""
    words: bytes = b""

    @property
    def chunks(self) -> int:
        """How many chunks they have together."""
        return sum(len(each.chunks) for each in self.documents)


def ready(prepared: Sequence[Prepared], language: str = "") -> Ready:
    """Documents of one collection, at least one, as they are written; with their words if a language is given."""
    key, documents = prepared[0].collection, list(map(written, prepared))
    return Ready(key, documents, language, words(language, documents) if language else b"")


def together(several: Sequence[Ready]) -> Ready:
    """Several as one; without words, unless all have words of one language."""
    first, *others = several
    if not others:
        return first
    documents = list(chain.from_iterable(each.documents for each in several))
    if any(each.language != first.language for each in others):
        return Ready(first.key, documents)
    return Ready(first.key, documents, first.language, b"".join(each.words for each in several))


def words(language: str, documents: Sequence[Written]) -> bytes:
    """What the log says of the words of documents, taken in a language; some 40 µs a chunk, so use a thread."""
    # numpy comes with these.
    from toolkit.search.index import bodies  # noqa: PLC0415 - see above
    from toolkit.search.index.building import Passage, of_passages, title_of  # noqa: PLC0415

    named = ((title_of(each.title, each.source), row) for each in documents for row in each.chunks)
    passages = [Passage(row[1], row[3], title, row[4], row[5]) for title, row in named]
    return bodies.of_words(of_passages(language, passages))

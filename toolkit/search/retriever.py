"""From a question to the chunks that fit it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from toolkit.db import Database
from toolkit.search.documents import Hits
from toolkit.search.embedding import Embedders
from toolkit.search.ranking.mode import Mode
from toolkit.search.ranking.rerankers import Rerank
from toolkit.search.store import DocumentStore
from toolkit.search.wish import MOST_HITS, Rewriter, Where, wish

if TYPE_CHECKING:
    from toolkit.search.finding import Finder

__all__ = ["MOST_HITS", "Rerank", "Retriever", "Rewriter", "Where"]


class Retriever:
    """Finds chunks by the words and the meaning that they share with a question.

    A chunk is found by its words as soon as its document is kept. Its meaning counts from the moment that it is known:
    where the best chunks by words have no vector yet, a search has them made while it waits for a quarter of a second,
    and they are kept. Where no meaning can be had, words alone rank, and the hits say so.

    Args:
        db: where the documents are kept.
        documents: the store of them; None makes one over `db`.
        embedders: who makes meanings; None: words alone are compared.
        rewriter: says a query in other ways, by a model; None: there is none.
        lacking: told the keys of collections in which chunks have no vector yet.
    """

    def __init__(
        self,
        db: Database,
        documents: DocumentStore | None = None,
        embedders: Embedders | None = None,
        *,
        rewriter: Rewriter | None = None,
        lacking: Callable[..., None] = lambda *_keys: None,
    ) -> None:
        self._db = db
        self._documents = documents or DocumentStore(db)
        self._embedders = embedders
        self._rewriter = rewriter
        self._lacking = lacking
        self._made: Finder | None = None

    async def search(
        self,
        query: str,
        *,
        collection: Where | None = None,
        top_k: int = 5,
        where: Mapping[str, Any] | None = None,
        cursor: str | None = None,
        diversity: float = 0.0,
        neighbors: int = 0,
        highlight: bool = True,
        rerank: str | Rerank | None = None,
        mode: Mode = "hybrid",
        rewrite: bool = False,
        owner: str | None = None,
    ) -> Hits:
        """The chunks that fit `query` best, best first; of equally good ones the order is always the same.

        A quoted phrase, and an identifier that is all that is asked for, are meant as they are written: chunks that
        have them so come first.

        Args:
            query: words, a question, code, a stack trace; any text with a word in it.
            collection: where to look: one name, several, or several with how much each counts, e.g.
                `{"handbook": 1.0, "mail": 0.5}`; None is everywhere.
            top_k: how many at most, 1 to `MOST_HITS`.
            where: what a hit's document must satisfy, e.g. `{"kind": "code", "lang": "en"}`.
            cursor: that of the page before gives the next one, with the same other arguments. What was shown is not
                shown again, whatever is added meanwhile.
            diversity: 0 to 1; above 0, hits that say the same as a better one give way to others.
            neighbors: how many chunks before and after each hit are given with it.
            highlight: mark where the query's words stand.
            rerank: who reads the best `rerankers.DEPTH` hits and puts them in order: `sentence-transformers/MODEL`,
                `fastembed/MODEL`, or a function of the query and the texts.
            mode: `"hybrid"`, or `"lexical"` for words alone, or `"semantic"` for meaning alone.
            rewrite: have a model say the query in other ways, too.
            owner: who searches: finds what is theirs beside what is everyone's, and nobody else's.

        Raises:
            ConfigError: an argument cannot be used as given; the message says which, and what can be.
            NotFound: no such collection, or nothing was ingested yet; the message says what there is.
        """
        asked = wish(
            query,
            collection=collection,
            top_k=top_k,
            where=where,
            cursor=cursor,
            diversity=diversity,
            neighbors=neighbors,
            highlight=highlight,
            rerank=rerank,
            mode=mode,
            rewrite=rewrite,
            owner=owner,
        )
        found = await self._documents.find(asked.names, owner)
        weights = [asked.weights.get(each.name, 1.0) for each in found]
        finder = self._made or await self._finder()
        return await finder.find(asked, [each.key for each in found], weights)

    async def close(self) -> None:
        """Let go of vectors that are being made, and wait for those that are being kept."""
        if self._made:
            await self._made.close()

    async def _finder(self) -> "Finder":
        found = await asyncio.to_thread(_finder)
        if self._made is None:  # another search may have been faster
            self._made = found(self._db, self._documents.index, self._embedders, self._rewriter, self._lacking)
        return self._made


def _finder() -> "type[Finder]":
    # numpy and the index take 0.2 s to import: a program that searches nothing need not wait for them.
    from toolkit.search.finding import Finder  # noqa: PLC0415 - see above

    return Finder

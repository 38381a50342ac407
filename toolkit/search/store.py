"""The tables of documents and chunks."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from toolkit import stamps
from toolkit.db import Database, Statement
from toolkit.errors import Conflict
from toolkit.search import keeping
from toolkit.search.collection import LANGUAGE, checked_name, key_of, name_of, no_collection, owner_of
from toolkit.search.keeping import Prepared
from toolkit.search.ready import Ready, ready, words
from toolkit.search.stored import MOST_NEIGHBORS, Known, StoredDocuments, asked, chunk_of, no_document

if TYPE_CHECKING:
    from toolkit.search.index import Index

__all__ = ["MOST_NEIGHBORS", "DocumentStore", "Known", "Prepared", "checked_name", "chunk_of", "no_collection"]

_TRIES: Final = 5  # how often what is to be written may be changed by others in between
_AT_ONCE: Final = 1_000  # documents that are removed in one transaction


class _Moved(Exception):
    """Others have written meanwhile what was looked at before."""


class DocumentStore(StoredDocuments):
    """Documents and chunks, kept: one document is written as a whole or not at all.

    An `owner` is a person whose name is proven. He sees everyone's collections and his own, writes to his own only,
    and those of others are as good as none. Without an owner everything may be seen, a name is that of everyone's
    collection, and what is written is everyone's.

    Args:
        db: where they are.
        index: what is searched; None: one of its own, made when it is first needed.
    """

    def __init__(self, db: Database, index: "Index | None" = None) -> None:
        super().__init__(db, index)
        self._languages: dict[str, str] = {}

    async def put(self, prepared: Prepared) -> None:
        """Keep a document with its chunks in place of what was kept under its id.

        Raises:
            Conflict: another folder's file has the same name in the collection.
        """
        await self.put_many([prepared])

    async def put_many(self, prepared: Sequence[Prepared]) -> None:
        """Keep documents of one collection, together; see `keep`. Of several with one id the last one is kept."""
        several = list({each.id: each for each in prepared}.values())
        if several:
            await self.keep(await asyncio.to_thread(ready, several))

    async def keep(self, those: Ready) -> None:
        """Keep documents together; from then on every search finds their words.

        What cannot be kept does not keep the others from it. Where their words were not taken, or in a language that
        is not the collection's, they are taken on a thread.

        Raises:
            Conflict: another folder's file has the same name in the collection as one of them.
        """
        try:
            await self._keep(those)
        except Conflict as error:
            if len(those.documents) == 1:
                raise
            taken = error
        else:
            return
        for each in those.documents:
            try:
                await self._keep(Ready(those.key, [each]))
            except Conflict as error:
                taken = error
        raise taken

    async def _keep(self, those: Ready) -> None:
        # numpy comes with these.
        from toolkit.search.index import bodies, tables  # noqa: PLC0415 - see above
        from toolkit.search.index.building import code  # noqa: PLC0415
        from toolkit.search.index.identity import docs_of  # noqa: PLC0415

        key, documents, chunks = those.key, those.documents, those.chunks
        name, sources = name_of(key), [each.source for each in documents]
        taken = Conflict(
            f"The collection {name!r} has another document called {', '.join(map(repr, sources[:3]))}; "
            "give this one another source or another collection."
        )
        gone = [*keeping.replaced(documents), *(each.id for each in documents if not each.chunks)]
        for _ in range(_TRIES):
            language = self.language_of(key)
            if those.language != language:
                made = await asyncio.to_thread(words, language, documents)
                those = Ready(key, documents, language, made)
            other = _Moved()
            lock = tables.put(
                key, name=name, owner=owner_of(key), language=language, analysed=code(language), otherwise=other
            )
            kept = keeping.keep(documents, key=key, analysed=code(language), now=stamps.now(), taken=taken)
            told = [tables.entry(key, bodies.WORDS, those.words, chunks)] if chunks else []
            if gone or not chunks:
                told.append(tables.gone(key, docs_of(gone)))
            try:
                rows = await self._db.write(lock, *kept, *told, subject=key)
            except _Moved:
                await self.look_up_language(key)
                continue
            self.index.written(key, rows[0][0], chunks)
            return
        raise Conflict(f"The language of the collection {name!r} is changed again and again; try again.")

    def language_of(self, key: str) -> str:
        """The language of a collection's words as it was last seen."""
        return self._languages.get(key, LANGUAGE)

    async def look_up_language(self, key: str) -> None:
        """See which language a collection has now."""
        from toolkit.search.index import tables  # noqa: PLC0415 - numpy comes with it

        found = await tables.collections(self._db, [key])
        self._languages[key] = found[key].language if key in found else LANGUAGE

    async def configure(
        self, name: str, *, language: str | None = None, embedder: str | None = None, owner: str | None = None
    ) -> None:
        """Say how a collection is searched; what is there is indexed, or embedded, anew in the background.

        Args:
            name: of the collection, which is made if it is not there yet.
            language: of its words, an ISO 639-1 code; None: as it is.
            embedder: who makes its vectors; None: as it is.
            owner: whose it is.

        Raises:
            ConfigError: the words of that language cannot be taken.
        """
        from toolkit.search.index import bodies, tables  # noqa: PLC0415 - numpy comes with these
        from toolkit.search.index.building import analyser, code  # noqa: PLC0415

        key = key_of(name, owner)
        wanted = analyser(language).language if language else None
        await self._db.write(
            Statement(
                """
                INSERT INTO collections (key, name, owner, id, language, analysed, version, sealed, created_at,
                                         updated_at)
                VALUES (:key, :name, :owner, :id, :first, :analysed, 1, 0, :now, :now)
                ON CONFLICT (key) DO UPDATE
                   SET language = COALESCE(CAST(:language AS TEXT), collections.language),
                       version = collections.version + 1
                """,
                {
                    "key": key,
                    "name": name,
                    "owner": owner,
                    "id": stamps.fresh_id(),
                    "first": wanted or LANGUAGE,
                    "language": wanted,
                    "analysed": code(wanted or LANGUAGE),
                    "now": stamps.now(),
                },
            ),
            tables.entry(key, bodies.SETTINGS, b"", 0),
            subject=key,
        )
        self._languages.pop(key, None)
        if embedder is not None:
            await self.index.set_embedder(key, embedder)

    async def forget(self, key: str, root: str, ids: Sequence[str]) -> int:
        """Remove those documents of a collection that still belong to `root`; gives their number."""
        removed = 0
        for start in range(0, len(ids), _AT_ONCE):
            removed += await self._forget(key, root, ids[start : start + _AT_ONCE])
        return removed

    async def _forget(self, key: str, root: str, ids: Sequence[str]) -> int:
        for _ in range(_TRIES):
            known = {each.id for each in (await self.known(key, root)).values()}
            these = [each for each in ids if each in known]
            if not these:
                return 0
            try:
                return await self._remove(key, these, keeping.all_there(these, root, otherwise=_Moved()))
            except _Moved:
                continue
        raise Conflict(f"Documents of {root!r} are changed again and again; try again.")

    async def _remove(self, key: str, ids: Sequence[str], *conditions: Statement) -> int:
        """Remove documents of a collection if the conditions hold; gives their number."""
        from toolkit.search.index import tables  # noqa: PLC0415 - numpy comes with it
        from toolkit.search.index.identity import docs_of  # noqa: PLC0415

        removal = keeping.remove({"ids": list(ids), "name": name_of(key)}, now=stamps.now())
        statements = (tables.touch(key, otherwise=_Moved()), *conditions, *removal, tables.gone(key, docs_of(ids)))
        rows = await self._db.write(*statements, subject=key)
        self.index.written(key, rows[0][0])
        return len(rows[1 + len(conditions)])

    async def remove_document(self, document_id: str, *, owner: str | None = None) -> None:
        """Remove a document with its chunks.

        Raises:
            NotFound: no such document, or none of the owner's.
        """
        wanted = "SELECT collection FROM documents WHERE id = :id"
        row = await self._db.fetch_one(wanted, id=asked(document_id))
        if row is None or (owner is not None and owner_of(row["collection"]) != owner):
            raise no_document(document_id)
        try:
            removed = await self._remove(row["collection"], [document_id])
        except _Moved:
            removed = 0
        if not removed:
            raise no_document(document_id)

    async def remove_collection(self, name: str, *, owner: str | None = None) -> int:
        """Remove a collection with its documents; gives their number.

        Raises:
            NotFound: no such collection, or none of the owner's.
        """
        from toolkit.search.index import tables  # noqa: PLC0415 - numpy comes with it

        key = key_of(name, owner)
        removal = keeping.remove(
            {"key": key, "name": name_of(key)}, now=stamps.now(), which="collection = :key", unmatched=_Moved()
        )
        try:
            rows = await self._db.write(
                tables.touch(key, otherwise=_Moved()), *removal, *tables.removal(key, stamps.now()), subject=key
            )
        except _Moved:
            raise await self.no_collection(name, owner=owner) from None
        await self.index.removed(key)
        return len(rows[1])

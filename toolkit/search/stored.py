"""Documents and chunks, read: what there is, for whoever may see it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from toolkit.db import Database, Row, Sql, as_json, as_time
from toolkit.display.shown import Listing
from toolkit.errors import ConfigError, NotFound
from toolkit.search.collection import COLUMNS, Collection, key_of, name_of, no_collection, owner_of
from toolkit.search.documents import REWRITTEN, Chunk, CollectionInfo, Status, StoredDocument
from toolkit.search.listing import SEEN, DocumentInfo, recent

if TYPE_CHECKING:
    from toolkit.search.index import Index

MOST_NEIGHBORS: Final = 20
"""Chunks on each side of one: 40 of them are a chapter; who wants more wants the document."""

_CHUNKS = """
SELECT chunks.*, documents.source, documents.title
  FROM chunks
  JOIN documents ON documents.id = chunks.document_id
"""
_AT_ONCE: Final = 1_000  # documents of one query
_BY_ID = Sql(
    """
    SELECT id, content_hash, chunks FROM documents WHERE id IN (SELECT value FROM json_each(:ids))
    """,
    """
    SELECT id, content_hash, chunks FROM documents WHERE id IN (SELECT jsonb_array_elements_text(:ids))
    """,
)
_VISIBLE = f"""
SELECT {COLUMNS}
  FROM collections
 WHERE (CAST(:owner AS TEXT) IS NULL OR owner IS NULL OR owner = :owner)
   AND EXISTS (SELECT 1 FROM documents WHERE documents.collection = collections.key)
 ORDER BY name, key
"""  # noqa: S608 - our own columns


@dataclass(frozen=True, slots=True)
class Known:
    """What tells whether a document is still the same."""

    id: str
    content_hash: str
    chunks: int


class StoredDocuments:
    """What is kept of documents; see `DocumentStore`."""

    def __init__(self, db: Database, index: "Index | None" = None) -> None:
        self._db = db
        self._index = index

    @property
    def index(self) -> "Index":
        """What is searched."""
        if self._index is None:
            from toolkit.search.index import Index  # noqa: PLC0415 - numpy comes with it, and not every start needs it

            self._index = Index(self._db)
        return self._index

    async def close(self) -> None:
        """End what goes on behind searches, before the database is closed."""
        if self._index is not None:
            await self._index.close()

    async def tend(self) -> None:
        """Do what has to be done now and then for the index; nothing where there are no documents."""
        if await self._db.fetch_one("SELECT 1 AS there FROM collections LIMIT 1"):
            await self.index.housekeeping()

    async def find(self, names: Sequence[str] | None, owner: str | None = None) -> list[Collection]:
        """The collections of these names that `owner` may see, his own before everyone's; None: all of them.

        Raises:
            NotFound: there is none of a name, or none at all; the message says what there is.
        """
        visible = [Collection.from_row(row) for row in await self._db.fetch_all(_VISIBLE, owner=owner)]
        if names is None:
            if not visible:
                raise no_collection("", [])
            return visible
        by_key = {each.key: each for each in visible}
        found: dict[str, Collection] = {}
        for name in names:
            keys = [key_of(name, owner), key_of(name, None)]
            collection = next((by_key[key] for key in keys if key in by_key), None)
            if collection is None:
                raise no_collection(name, _names(visible))
            found[collection.key] = collection
        return list(found.values())

    async def status(self, collection: str | None = None, *, owner: str | None = None) -> Status:
        """How much is searchable, in one collection or in all that `owner` may see.

        Raises:
            NotFound: no such collection.
        """
        if collection is not None:
            keys = [each.key for each in await self.find([collection], owner)]
        else:
            keys = [row["key"] for row in await self._db.fetch_all(_VISIBLE, owner=owner)]
        if not keys:
            return Status(0, 0)
        count = """
            SELECT COUNT(*) AS documents, CAST(COALESCE(SUM(chunks), 0) AS BIGINT) AS chunks
              FROM documents
             WHERE collection = :key
            """
        counted = [row for key in keys if (row := await self._db.fetch_one(count, key=key))]
        states = [await state.ready() for state in await self.index.sync(keys)]
        return Status(
            documents=sum(row["documents"] for row in counted),
            chunks=sum(row["chunks"] for row in counted),
            pending=sum(state.pending for state in states),
        )

    async def collections(self, *, owner: str | None = None) -> Listing[CollectionInfo]:
        """What can be searched, by name."""
        rows = await self._db.fetch_all(
            f"""
            SELECT collection, COUNT(*) AS documents, CAST(SUM(chunks) AS BIGINT) AS chunks,
                   MAX(updated_at) AS updated_at
              FROM documents
             WHERE {SEEN}
             GROUP BY collection
             ORDER BY collection
            """,  # noqa: S608 - our own words
            owner=owner,
        )
        return Listing(
            CollectionInfo(
                name=name_of(row["collection"]),
                documents=row["documents"],
                chunks=row["chunks"],
                updated_at=as_time(row["updated_at"]),
                owner=owner_of(row["collection"]),
            )
            for row in rows
        )

    async def chunk(self, chunk_id: str, neighbors: int = 0, *, owner: str | None = None) -> Listing[Chunk]:
        """A chunk, with up to `neighbors` chunks of its document before and after it, in order.

        Args:
            chunk_id: as a hit gives it.
            neighbors: 0 to `MOST_NEIGHBORS`.
            owner: who asks.

        Raises:
            NotFound: no such chunk.
        """
        if not 0 <= neighbors <= MOST_NEIGHBORS:
            raise ConfigError(f"neighbors is {neighbors}; it must be 0 to {MOST_NEIGHBORS}.")
        rows = await self._db.fetch_all(
            f"""
            {_CHUNKS}
              JOIN chunks AS wanted ON wanted.document_id = chunks.document_id
             WHERE wanted.id = :id AND {SEEN}
               AND chunks.position BETWEEN wanted.position - :neighbors AND wanted.position + :neighbors
             ORDER BY chunks.position
            """,
            id=asked(chunk_id),
            neighbors=neighbors,
            owner=owner,
        )
        if not rows:
            raise NotFound(f"There is no chunk {chunk_id!r}; take the id of a search's hit.")
        return Listing(chunk_of(row) for row in rows)

    async def document(self, document_id: str, *, owner: str | None = None) -> StoredDocument:
        """A document with its text.

        Raises:
            NotFound: no such document.
        """
        row = await self._db.fetch_one(
            f"SELECT * FROM documents WHERE id = :id AND {SEEN}",  # noqa: S608 - our own words
            id=asked(document_id),
            owner=owner,
        )
        if row is None:
            raise no_document(document_id)
        rows = await self._db.fetch_all(
            f"{_CHUNKS} WHERE chunks.document_id = :id ORDER BY chunks.position",
            id=document_id,
        )
        return StoredDocument(
            id=row["id"],
            collection=name_of(row["collection"]),
            source=row["source"],
            title=row["title"],
            kind=row["kind"],
            language=row["language"],
            metadata=as_json(row["metadata"]),
            text="".join(_joined([chunk_of(each) for each in rows], rewritten=row["kind"] in REWRITTEN)),
            root=row["root"],
            bytes=row["bytes"],
            chunks=row["chunks"],
            created_at=as_time(row["created_at"]),
            updated_at=as_time(row["updated_at"]),
        )

    async def recent(
        self, *, limit: int = 50, after: str | None = None, matching: str = "", owner: str | None = None
    ) -> Listing[DocumentInfo]:
        """Documents without their text, last changed first.

        Args:
            limit: at most this many, at least 1.
            after: go on behind this place, the `cursor` of the last document of the page before. One that is changed
                meanwhile moves to the front: it may be missed by who goes on, and never comes twice.
            matching: only those with this text in their source or title, whatever its case, or whose id begins so.
            owner: who asks.

        Raises:
            ConfigError: `limit` or `after` cannot be used as given.
        """
        if limit < 1:
            raise ConfigError(f"`limit` must be at least 1 (got {limit}).")
        return await recent(self._db, limit=limit, after=after, matching=matching, owner=owner)

    async def roots(self, key: str) -> list[tuple[str, str]]:
        """Every root of the collection with the source of one of its documents."""
        rows = await self._db.fetch_all(
            """
            SELECT root, MIN(source) AS source
              FROM documents
             WHERE collection = :key AND root <> ''
             GROUP BY root
            """,
            key=key,
        )
        return [(row["root"], row["source"]) for row in rows]

    async def known(self, key: str, root: str) -> dict[str, Known]:
        """The documents of a root by source."""
        rows = await self._db.fetch_all(
            "SELECT source, id, content_hash, chunks FROM documents WHERE collection = :key AND root = :root",
            key=key,
            root=root,
        )
        return {row["source"]: Known(row["id"], row["content_hash"], row["chunks"]) for row in rows}

    async def known_ids(self, ids: Sequence[str]) -> dict[str, Known]:
        """The documents of these ids that are there, by id."""
        found: dict[str, Known] = {}
        for start in range(0, len(ids), _AT_ONCE):
            for row in await self._db.fetch_all(_BY_ID, ids=list(ids[start : start + _AT_ONCE])):
                found[row["id"]] = Known(row["id"], row["content_hash"], row["chunks"])
        return found

    async def no_collection(self, name: str, *, owner: str | None = None) -> NotFound:
        """The error that says that there is no such collection, and what there is."""
        return no_collection(name, _names(await self.collections(owner=owner)))


def chunk_of(row: Row) -> Chunk:
    """A row of `chunks`, with the document's source and title, as a chunk."""
    values: dict[str, Any] = {name: row[name] for name in Chunk.__slots__}
    return Chunk(**values | {"collection": name_of(row["collection"])})


def _names(found: Sequence[Collection] | Sequence[CollectionInfo]) -> list[str]:
    return list(dict.fromkeys(each.name for each in found))


def no_document(document_id: str) -> NotFound:
    """The error that says that there is no such document."""
    return NotFound(f"There is no document {document_id!r}; the id is the part of a chunk's id before the dash.")


def asked(wanted: str) -> str:
    """An id as one that a database can be asked for; no id that was made has other characters."""
    return wanted if wanted.isascii() and wanted.isprintable() else ""


def _joined(chunks: Sequence[Chunk], *, rewritten: bool) -> Iterator[str]:
    """The chunks' texts, with as many line ends between them as keep every line on its number.

    Args:
        chunks: in order.
        rewritten: their lines are those of the source, and the text has others.
    """
    line = 1
    for chunk in chunks:
        yield "\n" * max(int(rewritten and chunk.position > 1), chunk.line_start - line)
        yield chunk.text
        line = chunk.line_end

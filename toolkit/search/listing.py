"""Documents as a list of what there is: without their text, last changed first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from toolkit.db import Database, Row, as_time
from toolkit.display.shown import Listing, Shown
from toolkit.errors import ConfigError
from toolkit.search.collection import name_of

SEEN: Final = """
(CAST(:owner AS TEXT) IS NULL OR EXISTS (
    SELECT 1
      FROM collections
     WHERE collections.key = documents.collection
       AND (collections.owner IS NULL OR collections.owner = :owner)))
"""
"""Whether somebody may see a document; without an owner everything may be seen."""

_COLUMNS: Final = "id, collection, source, title, kind, bytes, chunks, updated_at"


@dataclass(frozen=True, slots=True, repr=False)
class DocumentInfo(Shown):
    """A document, without its text; the attributes mean what they mean in `StoredDocument`."""

    id: str
    collection: str
    source: str
    title: str
    kind: str
    bytes: int
    chunks: int
    updated_at: datetime

    @property
    def cursor(self) -> str:
        """The place after this document in a list of documents."""
        return f"{self.updated_at.isoformat()}/{self.id}"


async def recent(
    db: Database, *, limit: int, after: str | None, matching: str, owner: str | None
) -> Listing[DocumentInfo]:
    """Documents, last changed first; see `StoredDocuments.recent`."""
    if not matching.isprintable():
        return Listing()  # no source has a line end or a NUL, and a database cannot even be asked for the latter
    values: dict[str, Any] = {"limit": limit, "owner": owner}
    conditions = [SEEN]
    if after is not None:
        values |= _place(after)
        conditions.append("(updated_at, id) < (:at, :id)")
    if matching:
        # Only what stands for itself may stand in a pattern.
        plain = "".join(f"\\{each}" if each in "\\%_" else each for each in matching.lower())
        values |= {"anywhere": f"%{plain}%", "begins": f"{plain}%"}
        conditions.append(
            "(LOWER(source) LIKE :anywhere ESCAPE '\\' OR LOWER(title) LIKE :anywhere ESCAPE '\\' "
            "OR id LIKE :begins ESCAPE '\\')"
        )
    rows = await db.fetch_all(
        f"""
        SELECT {_COLUMNS}
          FROM documents
         WHERE {" AND ".join(conditions)}
         ORDER BY updated_at DESC, id DESC
         LIMIT :limit
        """,  # noqa: S608 - our own words
        **values,
    )
    return Listing(_info(row) for row in rows)


def _place(cursor: str) -> Mapping[str, Any]:
    moment, _, own = cursor.partition("/")
    try:
        at = datetime.fromisoformat(moment)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or not own.isascii() or not own.isprintable():
        raise ConfigError(f"{cursor[:50]!r} is no place in a list of documents; take the `cursor` of its last one.")
    return {"at": at, "id": own}


def _info(row: Row) -> DocumentInfo:
    return DocumentInfo(
        id=row["id"],
        collection=name_of(row["collection"]),
        source=row["source"],
        title=row["title"],
        kind=row["kind"],
        bytes=row["bytes"],
        chunks=row["chunks"],
        updated_at=as_time(row["updated_at"]),
    )

"""The documents themselves: taken in, listed, read and deleted."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query
from pydantic import AnyHttpUrl, model_validator
from starlette.requests import Request

from mcp_server.asker import Asker, asker
from mcp_server.rest.shapes import (
    Body,
    Cursor,
    Json,
    Limit,
    Name,
    Object,
    Said,
    Searching,
    Text,
    Title,
    Told,
    id_of,
    told,
)
from mcp_server.rest.sse import unless_gone
from toolkit.access.scopes import ADMIN, SEARCH
from toolkit.knowledge import Ingestible
from toolkit.search.reading.loader import from_text

router = APIRouter(tags=["Documents"], prefix="/v1")

Id = Annotated[Name, id_of("document", "3f9a1c2b7d4e")]


class NewDocument(Body):
    """What is to be found from now on: exactly one of `text`, `url` and `path`."""

    text: Text | None = told("A text.", "# Breakers\n\nA breaker opens after repeated failure.", default=None)
    url: AnyHttpUrl | None = told("The address of a page on the public net.", "https://example.org/guide", default=None)
    path: Name | None = told("A file or folder of the server; needs `admin`.", "/srv/handbook", default=None)
    title: Title = told("The text's name; the same name replaces it.", "Breakers", default="")
    metadata: Object = told("The text's own data, for `where`.", {"lang": "en"}, default_factory=dict)
    collection: Name = told("The set that it belongs to.", "handbook", default="default")

    @model_validator(mode="after")
    def _one_of_them(self) -> Self:
        if [self.text, self.url, self.path].count(None) != 2:  # noqa: PLR2004 - of three
            raise ValueError("give exactly one of text, url and path")
        if self.text is None and (self.title or self.metadata):
            raise ValueError("title and metadata are a text's; a file and a page have their own")
        return self


class SkippedTold(Told):
    """A file that was not taken."""

    path: Said = told("Which one.", "/srv/handbook/logo.png")
    reason: Said = told("Why.", "it is an image")


class Ingested(Told):
    """What was done."""

    collection: str = told("The set that they belong to.", "handbook")
    added: int = told("Documents that were not there before.", 1)
    updated: int = told("Documents whose content had changed.", 0)
    unchanged: int = told("Documents that were left untouched.", 0)
    removed: int = told("Documents of the folder whose files are gone.", 0)
    documents: int = told("Added, updated and unchanged together.", 1)
    chunks: int = told("What these documents have together.", 1)
    skipped: list[SkippedTold] = told("Files that were not taken, at most 100.", [])
    skipped_count: int = told("How many these are in all.", 0)


class DocumentTold(Told):
    """A document, without its text."""

    id: str = told("Its id.", "3f9a1c2b7d4e")
    collection: str = told("The set that it belongs to.", "handbook")
    source: Said = told("Its path, address or name.", "Breakers")
    title: Said = told("For people.", "Breakers")
    kind: str = told("How it is cut: `markdown`, `text`, `code`, `pdf` …", "markdown")
    bytes: int = told("Its size before it was cut.", 48)
    chunks: int = told("How many passages it has.", 1)
    updated_at: datetime = told("When it last changed.", "2026-03-01T12:00:00Z")


class WholeDocument(DocumentTold):
    """A document as it is kept."""

    language: str | None = told("The programming language of code.", None)
    metadata: Json = told("Its own data.", {"lang": "en"})
    text: Said = told("Its passages put together again.", "# Breakers\n\nA breaker opens after repeated failure.")
    created_at: datetime = told("When it came.", "2026-03-01T12:00:00Z")


class DocumentList(Told):
    """Documents, last changed first."""

    documents: list[DocumentTold] = told("A page of them.", [])
    cursor: str | None = told("For the next page; null: this is the last one.", None)


class DocumentDeleted(Told):
    """It is not found any more; a file itself stays."""

    id: str = told("Which one.", "3f9a1c2b7d4e")
    deleted: bool = told("Always true.", True)


class CollectionTold(Told):
    """A named set of documents."""

    name: str = told("What it is called.", "handbook")
    documents: int = told("How many it has.", 12)
    chunks: int = told("How many passages these have.", 140)
    updated_at: datetime = told("When it last changed.", "2026-03-01T12:00:00Z")
    owner: str | None = told("Whose it is; null: everyone's.", None)


class CollectionList(Told):
    """What can be searched."""

    collections: list[CollectionTold] = told("Everyone's, and your own.", [])


@router.post("/documents", status_code=201, summary="Add documents")
async def add(request: Request, wanted: NewDocument) -> Ingested:
    """Take in a text, a page, or files of the server; what has not changed is not touched.

    What somebody with a proven name adds is theirs alone. It is found by its words at once, and by its meaning a moment
    later.
    """
    who = await asker(request, *((SEARCH,) if wanted.path is None else (SEARCH, ADMIN)))
    done = await unless_gone(request, who.tk.ingest(_what(wanted), collection=wanted.collection, owner=who.owner))
    counts: dict[str, Any] = {
        name: getattr(done, name) for name in ("added", "updated", "unchanged", "removed", "documents", "chunks")
    }
    skipped = [SkippedTold(path=path, reason=reason) for path, reason in done.skipped[:100]]
    return Ingested(collection=wanted.collection, **counts, skipped=skipped, skipped_count=len(done.skipped))


@router.get("/documents", summary="List documents")
async def every(
    who: Searching,
    limit: Limit = 50,
    cursor: Cursor = None,
    matching: Annotated[
        str, Query(max_length=200, description="Only those whose source or title has it.", examples=["break"])
    ] = "",
) -> DocumentList:
    """Everyone's and your own, last changed first."""
    found = await who.tk.documents.recent(limit=limit + 1, after=cursor, matching=matching, owner=who.owner)
    more = found[limit - 1].cursor if len(found) > limit else None
    return DocumentList(documents=[DocumentTold.model_validate(each) for each in found[:limit]], cursor=more)


@router.get("/documents/{document_id}", summary="Read a document")
async def read(who: Searching, document_id: Id) -> WholeDocument:
    """The document with its text."""
    return WholeDocument.model_validate(await who.tk.documents.document(document_id, owner=who.owner))


@router.delete("/documents/{document_id}", summary="Delete a document")
async def delete(who: Searching, document_id: Id) -> DocumentDeleted:
    """Have it found no more: one of your own, or with `admin` anybody's."""
    await who.tk.documents.remove_document(document_id, owner=_deletes(who))
    return DocumentDeleted(id=document_id, deleted=True)


@router.get("/collections", summary="List collections")
async def collections(who: Searching) -> CollectionList:
    """What can be searched."""
    found = await who.tk.documents.collections(owner=who.owner)
    return CollectionList(collections=[CollectionTold.model_validate(each) for each in found])


def _what(wanted: NewDocument) -> Ingestible:
    if wanted.text is not None:
        return replace(from_text(wanted.text, wanted.title.strip()), metadata=wanted.metadata)
    return str(wanted.url) if wanted.url is not None else Path(str(wanted.path))


def _deletes(who: Asker) -> str | None:
    """Whose documents alone may be deleted; None: everyone's."""
    return None if who.administers else who.owner

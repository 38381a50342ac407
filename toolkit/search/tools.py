"""What a model may do with the documents."""

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from toolkit.errors import ToolArgumentsError
from toolkit.messages import Json
from toolkit.search.documents import Chunk, Document, Hit, IngestProgress, IngestReport
from toolkit.search.ingest import Documents
from toolkit.search.reading.loader import from_text
from toolkit.search.retriever import Retriever
from toolkit.search.store import MOST_NEIGHBORS
from toolkit.terms import telling_words
from toolkit.tools.tool import Tool, ToolContext, ToolResult, tool

SNIPPET = 300
"""Characters of a concise hit: enough to see whether the chunk is worth reading."""

SHOWN = 20
"""Skipped files that a result names."""

_STEPS = 100  # progress is told at most so often
_PRESETS = ("default", "search")


def search_tools(documents: Documents, retriever: Retriever) -> list[Tool]:
    """The tools over the documents, in the order in which they are listed."""
    return [*_reading(documents, retriever), _ingest(documents), *_removing(documents)]


def _reading(documents: Documents, retriever: Retriever) -> list[Tool]:
    @tool(title="Search the documents", read_only=True, idempotent=True, presets=_PRESETS)
    async def semantic_search(
        context: ToolContext,
        query: Annotated[str, Field(min_length=1, description="A question, words or code")],
        *,
        collection: Annotated[str, Field(description="Where to look; empty: everywhere")] = "",
        source: Annotated[str, Field(description="Only sources that begin so, e.g. docs/")] = "",
        top_k: Annotated[int, Field(ge=1, le=50, description="How many hits")] = 5,
        cursor: Annotated[str, Field(description="As the hits before gave it, for the next ones")] = "",
        response_format: Annotated[
            Literal["concise", "detailed"], Field(description="Snippets, or whole chunks")
        ] = "concise",
    ) -> ToolResult:
        """Search the user's documents and code by words and meaning; use it before answering from memory. Gives passages with chunk_id, source and lines, best first: cite them, and read on with get_chunk. Only what ingest has added is found."""  # noqa: E501 - one paragraph is one description
        hits = await retriever.search(
            query,
            collection=collection or None,
            top_k=top_k,
            where={"source": {"$prefix": source}} if source else None,
            cursor=cursor or None,
            owner=context.owner,
        )
        found = [_hit(hit, query if response_format == "concise" else None) for hit in hits]
        told = [f"{_head(hit)} (score {hit['score']:.2f})\n{hit['text']}" for hit in found]
        nothing = f"Nothing {'more ' * bool(cursor)}fits {query!r}."
        more = {name: said for name, said in (("note", hits.note), ("cursor", hits.cursor)) if said}
        told = [*(told or [nothing]), *(f"{name}: {said}" for name, said in more.items())]
        return ToolResult("\n\n".join(told), {"hits": found, **more})

    @tool(title="Read a chunk", read_only=True, idempotent=True, presets=_PRESETS)
    async def get_chunk(
        context: ToolContext,
        chunk_id: Annotated[str, Field(description="As a hit gives it")],
        neighbors: Annotated[int, Field(ge=0, le=MOST_NEIGHBORS, description="Chunks before and after it")] = 0,
    ) -> ToolResult:
        """Read a chunk that semantic_search found or ask cites, in full and with the text around it; use it before quoting."""  # noqa: E501 - one paragraph is one description
        chunks = [_chunk(chunk) for chunk in await documents.chunk(chunk_id, neighbors, owner=context.owner)]
        text = "\n\n".join(f"{_head(chunk)}\n{chunk['text']}" for chunk in chunks)
        return ToolResult(text, {"chunks": chunks})

    @tool(title="List collections", read_only=True, idempotent=True, presets=_PRESETS)
    async def list_collections(context: ToolContext) -> ToolResult:
        """List what can be searched, with the number of documents and chunks; use it where a search finds nothing, or to narrow one."""  # noqa: E501 - one paragraph is one description
        rows = [
            {
                "name": info.name,
                "documents": info.documents,
                "chunks": info.chunks,
                "updated_at": info.updated_at.isoformat(timespec="seconds"),
            }
            for info in await documents.collections(owner=context.owner)
        ]
        text = "\n".join(
            f"{row['name']}: {_count(row['documents'], 'document')}, {_count(row['chunks'], 'chunk')}, "
            f"updated {row['updated_at']}"
            for row in rows
        )
        return ToolResult(text or "There are no collections yet; add documents with ingest.", {"collections": rows})

    return [semantic_search, get_chunk, list_collections]


def _ingest(documents: Documents) -> Tool:
    @tool(title="Add documents", idempotent=True, presets=_PRESETS, timeout=inf)  # a large folder takes its time
    async def ingest(
        context: ToolContext,
        path: Annotated[str, Field(description="A file or folder on this machine, or a page's address")] = "",
        text: Annotated[str, Field(description="Or a text to keep")] = "",
        title: Annotated[str, Field(description="The text's name; the same name replaces it")] = "",
        collection: Annotated[str, Field(min_length=1, description="The set it belongs to")] = "default",
    ) -> ToolResult:
        """Add a file, a folder or a text to what semantic_search and ask look through; nothing is found before it was added. The same path again updates only what has changed."""  # noqa: E501 - one paragraph is one description
        if bool(path.strip()) == bool(text.strip()):
            raise ToolArgumentsError("ingest: give either `path` or `text`.")
        what: str | Path | Document = from_text(text, title.strip())
        if path.strip():
            what = path.strip() if path.strip().startswith(("http://", "https://")) else Path(path)

        async def tell(done: IngestProgress) -> None:
            if done.done == done.total or done.done % max(1, done.total // _STEPS) == 0:
                await context.progress(done.done, done.total, done.source)

        done = await documents.ingest(what, collection=collection, progress=tell, owner=context.owner)
        return _report(done, collection)

    return ingest


def _removing(documents: Documents) -> list[Tool]:
    @tool(title="Delete a document", destructive=True, idempotent=True, presets=("search-admin",))
    async def delete_document(
        context: ToolContext,
        document_id: Annotated[str, Field(description="The part of a chunk's id before the dash")],
    ) -> ToolResult:
        """Remove a document from what is searched; use it when the user wants it forgotten. The file itself stays."""
        await documents.remove_document(document_id, owner=context.owner)
        return ToolResult(f"Document {document_id} is removed.", {"document_id": document_id, "removed": True})

    @tool(title="Delete a collection", destructive=True, idempotent=True, presets=("search-admin",))
    async def delete_collection(
        context: ToolContext,
        collection: Annotated[str, Field(min_length=1, description="Its name, as list_collections gives it")],
    ) -> ToolResult:
        """Remove a collection with all its documents from what is searched; use it when the user wants all of it forgotten. The files themselves stay."""  # noqa: E501 - one paragraph is one description
        removed = await documents.remove_collection(collection, owner=context.owner)
        return ToolResult(
            f"Collection {collection} is removed with {_count(removed, 'document')}.",
            {"collection": collection, "removed": removed},
        )

    return [delete_document, delete_collection]


def _hit(hit: Hit, query: str | None) -> Json:
    """A hit as JSON; for a `query` with a snippet instead of the text, and with the snippet's lines."""
    first, last, text = (*hit.lines, hit.text) if query is None else snippet(hit, query)
    return {
        "chunk_id": hit.chunk_id,
        "source": hit.source,
        "lines": [first, last],
        "title": hit.title,
        "heading": hit.heading,
        "collection": hit.collection,
        "score": hit.score,
        "text": text,
    }


def _chunk(chunk: Chunk) -> Json:
    return {
        "chunk_id": chunk.id,
        "source": chunk.source,
        "lines": list(chunk.lines),
        "title": chunk.title,
        "heading": chunk.heading,
        "collection": chunk.collection,
        "text": chunk.text,
    }


def _head(shown: Json) -> str:
    """Where a passage stands, in one line: `id source:first-last in collection: heading`."""
    first, last = shown["lines"]
    heading = f": {shown['heading']}" if shown["heading"] else ""
    title = f" “{shown['title']}”" if shown["title"] not in shown["source"] + heading else ""
    return f"[{shown['chunk_id']}] {shown['source']}:{first}-{last}{title} in {shown['collection']}{heading}"


def snippet(hit: Hit, query: str) -> tuple[int, int, str]:
    """First and last line, and text, of the part of a hit that has most of the query's words.

    The text is of whole lines and at most `SNIPPET` characters, save for a single line that is longer and is cut.
    """
    lines = hit.text.split("\n")
    wanted = {word.casefold() for word in telling_words(query)}
    met = [{word for word in wanted if word in line.casefold()} for line in lines]
    best = max(_windows(lines), key=lambda w: (len(set().union(*met[w[0] : w[1]])), -w[0]))
    while not lines[best[0]].strip() and best[0] < best[1] - 1:
        best = (best[0] + 1, best[1])
    text = "\n".join(lines[best[0] : best[1]]).rstrip()
    if len(text) > SNIPPET:
        text = _cut(text, wanted)
    if hit.text.count("\n") != hit.lines[1] - hit.lines[0]:  # a long line in pieces, or lines of another form
        return (*hit.lines, text)
    return hit.lines[0] + best[0], hit.lines[0] + best[0] + text.count("\n"), text


def _windows(lines: Sequence[str]) -> list[tuple[int, int]]:
    """For each line the largest run of lines from it on that fits into a snippet; at least the line itself."""
    windows = []
    for start in range(len(lines)):
        end, size = start + 1, len(lines[start])
        while end < len(lines) and size + 1 + len(lines[end]) <= SNIPPET:
            size += 1 + len(lines[end])
            end += 1
        windows.append((start, end))
    return windows


def _cut(line: str, wanted: set[str]) -> str:
    """The part of a long line around the first of the wanted words."""
    folded = line.lower()
    first = min((at for word in wanted if (at := folded.find(word)) >= 0), default=0)
    start = max(0, min(first - SNIPPET // 3, len(line) - SNIPPET))
    return ("…" if start else "") + line[start : start + SNIPPET].strip() + ("…" if start + SNIPPET < len(line) else "")


def _report(report: IngestReport, collection: str) -> ToolResult:
    counts = {
        "added": report.added,
        "updated": report.updated,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "skipped": len(report.skipped),
    }
    told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    size = f"{_count(report.documents, 'document')} with {_count(report.chunks, 'chunk')}"
    lines = [f"{collection}: {told}; {size}."]
    lines += [f"skipped {path}: {reason}" for path, reason in report.skipped[:SHOWN]]
    if len(report.skipped) > SHOWN:
        lines.append(f"… and {len(report.skipped) - SHOWN} more.")
    skipped = [{"path": path, "reason": reason} for path, reason in report.skipped[:SHOWN]]
    data = {**counts, "collection": collection, "documents": report.documents, "chunks": report.chunks}
    more = {"more_skipped": len(report.skipped) - SHOWN} if len(report.skipped) > SHOWN else {}
    return ToolResult("\n".join(lines), {**data, "skipped": skipped, **more})


def _count(number: Any, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"

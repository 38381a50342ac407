"""What a host can fetch by address and show to its user: a chunk that a search found, and its whole document."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mcp.types import ReadResourceResult, ResourceTemplate, TextResourceContents

from toolkit.errors import NotFound, choices

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

CHUNKS, DOCUMENTS = "toolkit://chunks/", "toolkit://documents/"

TEMPLATES = (
    ResourceTemplate(
        uri_template=f"{CHUNKS}{{id}}",
        name="chunk",
        title="Chunk",
        description="One passage of a document, by the chunk_id of a search.",
        mime_type="text/plain",
    ),
    ResourceTemplate(
        uri_template=f"{DOCUMENTS}{{id}}",
        name="document",
        title="Document",
        description="The whole document that a chunk is of; its id is the chunk_id up to the last dash.",
        mime_type="text/plain",
    ),
)


async def read(tk: "Toolkit", uri: str) -> ReadResourceResult:
    """The text at `uri`.

    Raises:
        NotFound: it is no address of ours, or nothing is there.
    """
    for prefix, text_of in _READERS.items():
        if uri.startswith(prefix):
            text = await text_of(tk, unquote(uri.removeprefix(prefix)))
            return ReadResourceResult(contents=[TextResourceContents(uri=uri, mime_type="text/plain", text=text)])
    raise NotFound(f"There is no resource {uri!r}; {choices(t.uri_template for t in TEMPLATES)}.")


async def _chunk(tk: "Toolkit", name: str) -> str:
    [chunk] = await tk.documents.chunk(name)
    return chunk.text


async def _document(tk: "Toolkit", name: str) -> str:
    return (await tk.documents.document(name)).text


_READERS: dict[str, Callable[["Toolkit", str], Awaitable[str]]] = {CHUNKS: _chunk, DOCUMENTS: _document}

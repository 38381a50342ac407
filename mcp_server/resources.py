"""What a host can fetch by address and show to its user: a chunk that a search found, and its whole document."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mcp.types import (
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    ResourceTemplate,
    TextResourceContents,
)

from mcp_server.errors import refused
from mcp_server.house import House
from mcp_server.sampling import Context
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


class Resources:
    """Reads the wire, calls one method of the toolkit, writes the wire.

    Args:
        house: has what can be read.
    """

    def __init__(self, house: House) -> None:
        self._house = house

    async def list(self, _ctx: Context, _params: PaginatedRequestParams | None) -> ListResourcesResult:
        """`resources/list`."""
        return ListResourcesResult(resources=[])

    async def list_templates(
        self, _ctx: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        """`resources/templates/list`."""
        return ListResourceTemplatesResult(resource_templates=list(TEMPLATES))

    async def read(self, _ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """`resources/read`."""
        try:
            return await read(await self._house.opened(), params.uri)
        except Exception as error:
            raise refused(error, "resources/read") from error


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

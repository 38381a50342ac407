"""What a host can fetch by address and show to its user: documents and chunks, sessions, what was spent, and panels."""

from typing import TYPE_CHECKING, Final

from mcp import MCPError
from mcp.types import (
    INVALID_PARAMS,
    Annotations,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
)
from mcp.types.version import MODERN_PROTOCOL_VERSIONS

from mcp_server import apps, auth, pages
from mcp_server.changes import Changes
from mcp_server.errors import refused
from mcp_server.house import House
from mcp_server.reading import CHUNKS, DOCUMENTS, SESSIONS, USAGE, mime_type, read
from mcp_server.sampling import Context
from toolkit.errors import NotFound, choices

if TYPE_CHECKING:
    from toolkit.search.listing import DocumentInfo
    from toolkit.sessions.session import Session

MOST_PAGES: Final = 5
"""Pages of documents, `pages.SIZE` on each: hosts show lists to people, and search finds what is older."""

MOST_SESSIONS: Final = 10
"""Sessions that are listed: those that a person may want to go on with."""

_NOT_FOUND_ONCE: Final = -32002
"""What the revisions with a handshake call a resource that is not there."""

_READERS: Final = frozenset({"get_chunk"})
_SPENDERS: Final = frozenset({"ask", "chat"})
_NEEDED: Final = {
    CHUNKS: _READERS,
    DOCUMENTS: _READERS,
    SESSIONS: _SPENDERS | {"get_session"},
    USAGE: _SPENDERS | {"usage_report"},
}
"""Tools of which one must be offered: who cannot have something from a tool cannot have it as a resource."""

_TEMPLATES: Final = (
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
        description="A whole document; its id is the chunk_id up to the last dash. A long one is read in parts: "
        "each says at which address it goes on.",
    ),
    ResourceTemplate(
        uri_template=f"{SESSIONS}{{id}}",
        name="session",
        title="Session",
        description="A conversation: what was said in it, and until when it can be continued.",
        mime_type="application/json",
    ),
)


class Resources:
    """Reads the wire, calls one method of the toolkit, writes the wire.

    Args:
        house: has what can be read.
        changes: told that somebody has the list, and wants to hear when it changes.
        offered: the tools that are offered, by name.
    """

    def __init__(self, house: House, changes: Changes, offered: frozenset[str]) -> None:
        self._house = house
        self._changes = changes
        self._prefixes = tuple(prefix for prefix, tools in _NEEDED.items() if tools & offered)
        self._panels = bool(apps.META.keys() & offered)
        self._templates = [each for each in _TEMPLATES if each.uri_template.removesuffix("{id}") in self._prefixes]

    @property
    def any(self) -> bool:
        """Whether there is anything to read."""
        return bool(self._prefixes or self._panels)

    async def list(self, ctx: Context, params: PaginatedRequestParams | None) -> ListResourcesResult:
        """`resources/list`: what was spent, the last sessions, and documents, last changed first."""
        cursor = params.cursor if params else None
        number, after = pages.opened(cursor, int, str) if cursor else (0, None)
        try:
            tk = await self._house.opened()
            await self._changes.begin()
            owner = owner_of(ctx)
            found: list[Resource] = []
            if number == 0:
                found += [_usage()] if USAGE in self._prefixes else []
                if SESSIONS in self._prefixes:
                    found += map(_session, await tk.sessions.list(limit=MOST_SESSIONS, owner=owner))
            documents: list[DocumentInfo] = []
            if DOCUMENTS in self._prefixes and number < MOST_PAGES:
                documents = await tk.documents.recent(limit=pages.SIZE + 1, after=after, owner=owner)
                found += map(_document, documents[: pages.SIZE])
        except Exception as error:
            raise refused(error, "resources/list") from error
        goes_on = len(documents) > pages.SIZE and number + 1 < MOST_PAGES
        following = pages.closed(number + 1, documents[pages.SIZE - 1].cursor) if goes_on else None
        readable = [each for each in found if auth.may_read(auth.caller(ctx), each.uri)]
        return ListResourcesResult(resources=readable, next_cursor=following)

    async def list_templates(self, _ctx: Context, params: PaginatedRequestParams | None) -> ListResourceTemplatesResult:
        """`resources/templates/list`."""
        found, cursor = pages.page(self._templates, params.cursor if params else None)
        return ListResourceTemplatesResult(resource_templates=found, next_cursor=cursor)

    async def read(self, ctx: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """`resources/read`."""
        return apps.panel(params.uri) or await self._read(ctx, params.uri)

    async def may_follow(self, ctx: Context, uri: str, *, strict: bool) -> None:
        """Whether who asks may hear that what is at `uri` has changed.

        Args:
            ctx: of the request.
            uri: where.
            strict: it must be there. Otherwise only what may be somebody else's is looked at, for an address at which
                nothing is may be followed.

        Raises:
            MCPError: they may not.
        """
        if strict or (auth.caller(ctx).owner is not None and uri.startswith(self._prefixes)):
            await self._read(ctx, uri)

    async def _read(self, ctx: Context, uri: str) -> ReadResourceResult:
        try:
            self._check(uri)
            return await read(await self._house.opened(), uri, owner_of(ctx, uri))
        except NotFound as error:
            code = INVALID_PARAMS if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS else _NOT_FOUND_ONCE
            raise MCPError(code, str(error), {"uri": uri}) from error
        except Exception as error:
            raise refused(error, "resources/read") from error

    def _check(self, uri: str) -> None:
        if not uri.startswith(self._prefixes):
            addresses = [*(each.uri_template for each in self._templates), USAGE]
            raise NotFound(f"There is no resource {uri[:200]!r}; {choices(addresses)}.")


def owner_of(ctx: Context, uri: str = "") -> str | None:
    """Whose resources a request may see besides everyone's; None: all of them.

    Raises:
        ConfigError: it may not see what is at `uri`, or nothing at all.
    """
    return auth.reader(ctx, uri)


def _usage() -> Resource:
    return Resource(
        uri=USAGE,
        name="usage",
        title="Usage",
        description="Calls, tokens and cost of the last 30 days, by model.",
        mime_type="application/json",
        annotations=Annotations(audience=["user"], priority=0.2),
    )


def _session(session: "Session") -> Resource:
    return Resource(
        uri=f"{SESSIONS}{session.id}",
        name=f"session {session.id}",
        title=session.title or f"Conversation of {session.used_at:%Y-%m-%d %H:%M}",
        description=f"A conversation that can be continued until {session.expires_at:%Y-%m-%d %H:%M} UTC.",
        mime_type="application/json",
        annotations=Annotations(audience=["user"], priority=0.3, last_modified=session.used_at.isoformat()),
    )


def _document(document: "DocumentInfo") -> Resource:
    return Resource(
        uri=f"{DOCUMENTS}{document.id}",
        name=document.source,
        title=document.title or document.source,
        description=f"In the collection {document.collection}.",
        mime_type=mime_type(document.kind),
        annotations=Annotations(
            audience=["user", "assistant"], priority=0.5, last_modified=document.updated_at.isoformat()
        ),
    )

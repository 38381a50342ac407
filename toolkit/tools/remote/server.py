"""The tools of another MCP server, beside our own."""

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2

from toolkit.errors import ConfigError, ToolError
from toolkit.messages import Json
from toolkit.redaction import redact
from toolkit.tools.remote.connection import (
    Connection,
    NotingClient,
    Sent,
    StandardError,
    Streams,
    Unreachable,
    WatchedStream,
    sent,
)
from toolkit.tools.remote.contents import result_of
from toolkit.tools.remote.foreign import ForeignParameters
from toolkit.tools.remote.form import HttpServer, StdioServer
from toolkit.tools.remote.through import Through, straight
from toolkit.tools.remote.variables import filled, headers_of
from toolkit.tools.tool import Tool, ToolContext, ToolResult, in_words

if TYPE_CHECKING:
    from mcp.client import Client
    from mcp.types import Tool as ForeignTool

_LIST = "tools/list"  # the protocol's name of that question; no tool can have it
_PAGES = 100  # of a list of tools: one that never ends must not hold up a refresh
_LONGEST = 64  # characters of a tool's name


class McpServer:
    """A source: the tools of one server, each named `server__tool`.

    Args:
        name: of the server, in the file.
        entry: how it is reached.
        environ: where `${NAME}` comes from.
        folder: what a relative `cwd` begins at.
        through: what every call goes through.

    Raises:
        ConfigError: a variable is not set, or the entry cannot be used otherwise.
    """

    def __init__(
        self,
        name: str,
        entry: StdioServer | HttpServer,
        environ: Mapping[str, str],
        *,
        folder: Path = Path(),
        through: Through | None = None,
    ) -> None:
        self.name = f"mcp:{name}"
        self._prefix = name
        self._limit = entry.timeout
        self._through = through or straight
        self._watching: Callable[[], None] = _nothing
        self._loading = 0
        where = f"mcpServers.{name}"
        if isinstance(entry, StdioServer):
            transport, why = _program(name, entry, environ, folder, where)
        else:
            transport, why = _elsewhere(entry, environ, where), str
        self._connection = Connection(name, transport, on_connected=self._connected, on_changed=self._changed, why=why)

    async def load(self) -> Sequence[Tool]:
        """What the server has now.

        Raises:
            ToolError: it cannot be reached, or what it says cannot be understood.
        """
        self._loading += 1
        try:
            return await in_words(f"The MCP server {self._prefix}", self._list())
        finally:
            self._loading -= 1

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` when the server says that its tools are others, or is back."""
        self._watching = changed

    async def close(self) -> None:
        """End the connection, and the program if it is one."""
        await self._connection.close()

    def _connected(self) -> None:
        if not self._loading:  # whoever loads waits for the connection, and lists the tools next
            self._watching()

    def _changed(self) -> None:
        self._watching()

    async def _list(self) -> list[Tool]:
        from mcp.types import Tool as Listed  # noqa: PLC0415 - the SDK costs half a second, and most have no servers

        # Recorded like a call: a replay, in which there is no server, has its tools all the same.
        answer = await self._through(self.name, _LIST, {}, self._ask_for_tools)
        found = [Listed.model_validate(each) for each in answer.data["tools"]]
        names = own_names(self._prefix, [each.name for each in found])
        return [tool for each in found if (tool := self._tool(names[each.name], each))]

    async def _ask_for_tools(self) -> ToolResult:
        client = await self._connection.client()
        found: list[Json] = []
        cursor = None
        for _ in range(_PAGES if client.server_capabilities.tools else 0):
            page = await self._heard(client, client.list_tools(cursor=cursor))
            found += [each.model_dump(mode="json", by_alias=True, exclude_none=True) for each in page.tools]
            cursor = page.next_cursor
            if cursor is None:
                break
        return ToolResult(f"{len(found)} tools", {"tools": found})

    async def _heard(self, client: "Client", question: Any) -> Any:
        """The answer to `question`, with the server's own errors in words."""
        from mcp.shared.exceptions import MCPError  # noqa: PLC0415 - whoever has a client has paid for the SDK
        from mcp.types import CONNECTION_CLOSED  # noqa: PLC0415 - as above

        note = Sent()
        before = sent.set(note)
        try:
            return await question
        except MCPError as error:
            if error.message == "Session terminated":  # it was restarted, and knows nothing of us
                note.maybe = False
            elif error.code != CONNECTION_CLOSED:
                raise ToolError(f"The MCP server {self._prefix} answered: {redact(error.message)[:500]}") from error
            self._connection.drop(client)
            raise _Lost(self._prefix, unsent=not note.maybe) from error
        finally:
            sent.reset(before)

    def _tool(self, name: str, foreign: "ForeignTool") -> Tool | None:
        try:
            parameters = ForeignParameters(foreign.input_schema)
        except ConfigError:
            return None
        hints = foreign.annotations
        read_only = bool(hints and hints.read_only_hint)
        # What a server leaves unsaid means the worst: so the protocol has it.
        destructive = not read_only and not (hints and hints.destructive_hint is False)
        again = read_only or bool(hints and hints.idempotent_hint)
        title = foreign.title or (hints.title if hints else None) or foreign.name

        async def run(arguments: Json, context: ToolContext) -> ToolResult:
            checked = parameters.check(name, arguments)
            do = partial(self._call, foreign.name, checked, context, again=again)
            return await in_words(name, self._through(self.name, name, checked, do))

        return Tool(
            name=name,
            title=title,
            description=foreign.description or title,
            parameters=parameters.schema,
            run=run,
            read_only=read_only,
            destructive=destructive,
            idempotent=again,
            open_world=not (hints and hints.open_world_hint is False),
            timeout=self._limit,
            source=self.name,
            supposed=destructive and not (hints and hints.destructive_hint),
            check=partial(parameters.check, name),
        )

    async def _call(self, name: str, arguments: Json, context: ToolContext, *, again: bool) -> ToolResult:
        """Call it; once more where the server is found dead and a second call does no harm."""
        try:
            return await self._call_once(name, arguments, context)
        except _Lost as error:
            if not (again or error.unsent):
                raise ToolError(str(error)) from error
        try:
            return await self._call_once(name, arguments, context)
        except (_Lost, Unreachable) as error:
            raise ToolError(str(error)) from error

    async def _call_once(self, name: str, arguments: Json, context: ToolContext) -> ToolResult:
        async def progress(progress: float, total: float | None, message: str | None) -> None:
            await context.progress(progress, total, message or "")

        client = await self._connection.client()
        answer = await self._heard(client, client.call_tool(name, arguments, progress_callback=progress))
        return result_of(answer)


class _Lost(ToolError):
    """The connection was of no use any more, or ended before the answer.

    Attributes:
        unsent: the server has not heard of the question.
    """

    def __init__(self, server: str, *, unsent: bool) -> None:
        doubt = "it was not asked yet" if unsent else "it may have done what it was asked for"
        super().__init__(f"The MCP server {server} ended before it answered; {doubt}.")
        self.unsent = unsent


def own_names(server: str, names: Sequence[str]) -> dict[str, str]:
    """A name of ours for each tool of a server: `server__tool`, in snake_case and not too long.

    Where two become the same, the one that is written so keeps it, and the others get an ending of their own.
    """
    wanted = {name: f"{_snake(server) or 'mcp'}__{_snake(name) or 'tool'}" for name in names}
    wanted = {name: own if own[0].isalpha() else f"mcp_{own}" for name, own in wanted.items()}
    out = {}
    for name, own in wanted.items():
        shared = sum(other == own for other in wanted.values()) > 1 and not own.endswith(f"__{name}")
        out[name] = _ended(own, name) if shared or len(own) > _LONGEST else own
    return out


def _snake(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    return re.sub(r"[^a-z0-9_]+", "_", spaced.lower()).strip("_")


def _ended(own: str, name: str) -> str:
    ending = f"_{hashlib.sha256(name.encode()).hexdigest()[:6]}"
    return own[: _LONGEST - len(ending)] + ending


def _program(
    name: str, entry: StdioServer, environ: Mapping[str, str], folder: Path, where: str
) -> tuple[Callable[[asyncio.Event], Streams], Callable[[], str]]:
    """What starts a server on this machine, and what it said last beside the protocol."""
    command = filled(entry.command, environ, where)
    args = [filled(each, environ, where) for each in entry.args]
    env = {key: filled(text, environ, f"{where}, env {key}") for key, text in entry.env.items()}
    cwd = folder / filled(entry.cwd, environ, where) if entry.cwd else folder
    errors = StandardError(f"mcp:{name}", tuple(value for value in env.values() if value))

    @asynccontextmanager
    async def transport(ended: asyncio.Event) -> AsyncIterator[tuple[Any, Any]]:
        from mcp.client.stdio import StdioServerParameters, stdio_client  # noqa: PLC0415 - as in `connection`

        parameters = StdioServerParameters(command=command, args=args, env=env, cwd=cwd)
        with errors.open() as log:
            async with stdio_client(parameters, errlog=log) as (reading, writing):
                yield WatchedStream(reading, ended), writing

    return transport, errors.last


def _elsewhere(entry: HttpServer, environ: Mapping[str, str], where: str) -> Callable[[asyncio.Event], Streams]:
    """What reaches a server over HTTP."""
    url = filled(entry.url, environ, where)
    if not url.startswith(("http://", "https://")):
        raise ConfigError(f"{where}: `url` must begin with http:// or https://.")
    headers = headers_of(entry.headers, environ, where)

    @asynccontextmanager
    async def transport(_ended: asyncio.Event) -> AsyncIterator[tuple[Any, Any]]:
        from mcp.client.streamable_http import streamable_http_client  # noqa: PLC0415 - as in `connection`

        # A call is bounded by its own limit; a stream of events may be silent for as long as it likes.
        limits = httpx2.Timeout(None, connect=10.0)
        async with (
            NotingClient(headers=headers, timeout=limits) as client,
            streamable_http_client(url, http_client=client) as streams,
        ):
            yield streams

    return transport


def _nothing() -> None:
    """Nobody watches."""

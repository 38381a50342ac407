"""The file of tools that are done elsewhere: `tools.json`, which `TOOLKIT_TOOLS_FILE` names."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from toolkit.errors import ConfigError
from toolkit.tools.remote.through import Through, straight
from toolkit.tools.source import Given
from toolkit.tools.tool import Tool

if TYPE_CHECKING:
    from toolkit.tools.remote.form import Contents, HttpServer, StdioServer
    from toolkit.tools.remote.http import HttpCalls
    from toolkit.tools.remote.server import McpServer

_Server: TypeAlias = "StdioServer | HttpServer"
_Made = TypeVar("_Made")


class ToolsFile:
    """A source: HTTP tools, and one more source for each other MCP server.

    The file is read again whenever it has changed since; where it then cannot be used, what it said before stays.

    Args:
        path: of the file.
        environ: where `${NAME}` comes from.
        through: what every call goes through.
    """

    def __init__(self, path: Path, environ: Mapping[str, str], *, through: Through | None = None) -> None:
        self.name = "tools.json"
        self._path = path
        self._environ = environ
        self._through = through or straight
        self._calls: HttpCalls | None = None
        self._read_at: tuple[int, int, int] | None = None
        self._given: list[Given] = []
        self._servers: dict[str, tuple[_Server, McpServer]] = {}

    async def load(self) -> Sequence[Given]:
        """The tools and the servers that the file names; what is wrong with one hides no other.

        Raises:
            ConfigError: the file cannot be read or used as a whole.
        """
        from toolkit.tools.remote.form import contents  # noqa: PLC0415 - this room costs 0.2 s, and most have no file

        try:
            state = self._path.stat()
            marks = (state.st_mtime_ns, state.st_size, state.st_ino)
            if marks != self._read_at:
                self._given = self._build(contents(self._path.read_text(encoding="utf-8"), self._path))
                self._read_at = marks
        except OSError as error:
            raise ConfigError(f"{self._path} cannot be read ({error.strerror}); name a file of tools.") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self._path} is not text in UTF-8; save it as such.") from error
        return self._given

    def watch(self, changed: Callable[[], None]) -> None:
        """Nothing is told: a file says nothing by itself."""

    async def close(self) -> None:
        """Close the connections of the HTTP tools."""
        if self._calls:
            await self._calls.close()

    def _build(self, read: "Contents") -> list[Given]:
        from toolkit.tools.remote.http import HttpCalls, http_tool  # noqa: PLC0415 - as in `load`
        from toolkit.tools.remote.server import McpServer  # noqa: PLC0415 - as in `load`

        private = self._environ.get("TOOLKIT_TOOLS_ALLOW_PRIVATE", "").lower() in {"1", "true", "yes"}
        calls = self._calls = self._calls or HttpCalls(private=private)
        tools = [
            _or_why(
                entry.name,
                partial(http_tool, entry, f"{self._path}, {entry.name}", self._environ, calls, self._through),
            )
            for entry in read.tools
        ]
        before, self._servers = self._servers, {}
        servers: list[Given] = []
        for name, entry in read.servers.items():
            if entry.disabled:
                continue
            known = before.get(name)
            same = known is not None and known[0] == entry
            server = known[1] if known and same else _or_why(f"mcp:{name}", partial(self._server, name, entry))
            if isinstance(server, McpServer):
                self._servers[name] = (entry, server)
            servers.append(server)
        return [*(Unusable(where, why) for where, why in read.problems.items()), *tools, *servers]

    def _server(self, name: str, entry: _Server) -> "McpServer":
        from toolkit.tools.remote.server import McpServer  # noqa: PLC0415 - as in `load`

        return McpServer(name, entry, self._environ, folder=self._path.parent, through=self._through)


class Unusable:
    """A source in the place of an entry that cannot be used: it only says why.

    Args:
        name: of the entry.
        why: one sentence.
    """

    def __init__(self, name: str, why: str) -> None:
        self.name = name
        self._why = why

    async def load(self) -> Sequence[Tool]:
        """Nothing.

        Raises:
            ConfigError: why.
        """
        raise ConfigError(self._why)

    def watch(self, changed: Callable[[], None]) -> None:
        """It does not change."""

    async def close(self) -> None:
        """It holds nothing."""


def _or_why(name: str, make: Callable[[], _Made]) -> "_Made | Unusable":
    try:
        return make()
    except ConfigError as error:
        return Unusable(name, str(error))

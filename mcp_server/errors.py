"""What went wrong, in the words of the protocol.

A failure of a tool is a result that the model reads and may act on; hosts show it only the text. A request for what
does not exist is a protocol error. What nobody foresaw goes to the log, and the client hears that it did.
"""

import logging
from collections.abc import Iterable

from mcp import MCPError
from mcp.types import INTERNAL_ERROR, INVALID_PARAMS, CallToolResult, TextContent

from toolkit.errors import ConfigError, NotFound, ToolkitError
from toolkit.tools.registry import no_such

LONGEST = 8_000
"""Characters of an error: another server's may be a page of HTML."""

_log = logging.getLogger(__name__)


def failed(error: Exception, tool: str) -> CallToolResult:
    """The result of a tool that raised `error`, complete in its text."""
    return CallToolResult(content=[TextContent(type="text", text=_sentence(error, tool))], is_error=True)


def refused(error: Exception, what: str) -> MCPError:
    """The protocol error for a request, other than a tool's call, that raised `error`."""
    code = INVALID_PARAMS if isinstance(error, NotFound | ConfigError) else INTERNAL_ERROR
    return MCPError(code, _sentence(error, what))


def unknown_tool(name: str, offered: Iterable[str], *, exists: bool) -> MCPError:
    """The protocol error for a tool that is not offered; it names the nearest that is.

    Args:
        name: what was asked for.
        offered: what there is.
        exists: whether the toolkit has it, and only the command line left it out.
    """
    if exists:
        return MCPError(INVALID_PARAMS, f"The tool {name} is not offered here; start the server with --tools {name}.")
    return MCPError(INVALID_PARAMS, no_such("tool", name, offered))


def _sentence(error: Exception, what: str) -> str:
    if isinstance(error, ToolkitError):
        _log.info("%s: %s", what, error)
        said = str(error).strip().encode("utf-8", "replace").decode() or f"{what} failed, and does not say why."
        return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
    _log.error("%s failed unexpectedly", what, exc_info=error)
    return f"{what} failed for a reason that is not yours; the server's log says why."

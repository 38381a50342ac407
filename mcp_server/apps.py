"""Panels: pages that a host with MCP Apps shows in place of a tool's result.

The extension is `io.modelcontextprotocol/ui`, specified in modelcontextprotocol/ext-apps, 2026-01-26. A tool names its
page; the host fetches it by `resources/read`, shows it in a sandbox without network, and hands it the result. A host
that does not know the extension shows the result as ever.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

from mcp.types import ReadResourceResult, TextResourceContents

EXTENSION: Final = "io.modelcontextprotocol/ui"
MIME_TYPE: Final = "text/html;profile=mcp-app"

PANELS: Final[Mapping[str, str]] = {
    "semantic_search": "ui://toolkit/search.html",
    "usage_report": "ui://toolkit/usage.html",
}
"""The address of the page that shows a tool's results, by the tool's name."""

META: Final[Mapping[str, dict[str, Any]]] = {tool: {"ui": {"resourceUri": uri}} for tool, uri in PANELS.items()}
"""What is said of these tools in their `_meta`, by the tool's name."""

_FOLDER = Path(__file__).parent / "ui"
_HOUR = 3_600_000
_ALIKE = {  # what all pages share; a page must not load anything, so it stands in each
    '<link rel="stylesheet" href="panel.css">': ("panel.css", "<style>\n{}</style>"),
    '<script src="panel.js"></script>': ("panel.js", "<script>\n{}</script>"),
}


def panel(uri: str) -> ReadResourceResult | None:
    """The page at `uri`, None if there is none; it is the same for everybody."""
    if uri not in PANELS.values():
        return None
    # No host draws a frame around it: the page has one of its own. It asks for no network, so no domains are named.
    contents = TextResourceContents(
        uri=uri, mime_type=MIME_TYPE, text=page(uri), _meta={"ui": {"prefersBorder": False}}
    )
    return ReadResourceResult(contents=[contents], ttl_ms=_HOUR, cache_scope="public")


@cache
def page(uri: str) -> str:
    """The HTML of a panel, with everything that it needs in it."""
    html = _text(uri.rpartition("/")[2])
    for reference, (file, form) in _ALIKE.items():
        html = html.replace(reference, form.format(_text(file)))
    return html


def _text(file: str) -> str:
    return (_FOLDER / file).read_text(encoding="utf-8")

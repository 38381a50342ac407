"""LLM sessions, tools, document search, and models that fall back to one another.

from toolkit import Toolkit

async with Toolkit.open() as tk:
    reply = await tk.complete("What is the capital of France?")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toolkit.bridge import open_sync
    from toolkit.errors import ToolkitError
    from toolkit.messages import Delta, Image, Message, Reply
    from toolkit.search.documents import Document, Hit
    from toolkit.settings import Settings
    from toolkit.toolkit import Toolkit
    from toolkit.tools.tool import ToolContext, ToolResult, tool

__version__ = "0.1.0"

_HOME = {
    "Delta": "messages",
    "Document": "search.documents",
    "Hit": "search.documents",
    "Image": "messages",
    "Message": "messages",
    "Reply": "messages",
    "Settings": "settings",
    "ToolContext": "tools.tool",
    "ToolResult": "tools.tool",
    "Toolkit": "toolkit",
    "ToolkitError": "errors",
    "open_sync": "bridge",
    "tool": "tools.tool",
}

__all__ = [
    "Delta",
    "Document",
    "Hit",
    "Image",
    "Message",
    "Reply",
    "Settings",
    "ToolContext",
    "ToolResult",
    "Toolkit",
    "ToolkitError",
    "__version__",
    "open_sync",
    "tool",
]


def __getattr__(name: str) -> Any:
    # Loaded when first named: the MCP server must shake hands before it pays for the rooms.
    if name not in _HOME:
        raise AttributeError(f"module 'toolkit' has no attribute {name!r}")
    value = getattr(import_module(f"toolkit.{_HOME[name]}"), name)
    globals()[name] = value
    return value

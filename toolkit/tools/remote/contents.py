"""What a tool of another MCP server answered, as our own tools answer."""

import json
from typing import TYPE_CHECKING

from toolkit.errors import ToolError
from toolkit.redaction import redact
from toolkit.tools.tool import ToolResult

if TYPE_CHECKING:
    from mcp.types import CallToolResult, ContentBlock


def result_of(answer: "CallToolResult") -> ToolResult:
    """The text for a model that reads, the structure for a program; what is neither is said to be there.

    Raises:
        ToolError: the tool says that it failed; the message is its own.
    """
    text = "\n\n".join(piece for block in answer.content if (piece := _text(block)))
    if answer.is_error:
        raise ToolError(redact(text) or "The tool failed, and does not say why.")
    structure = answer.structured_content
    if structure is None:
        return ToolResult(text, {"result": text})
    data = structure if isinstance(structure, dict) else {"result": structure}
    return ToolResult(text or json.dumps(structure, ensure_ascii=False, separators=(",", ":")), data)


def _text(block: "ContentBlock") -> str:
    match block.type:
        case "text":
            return block.text
        case "image" | "audio":
            return f"[{block.type.capitalize()}, {block.mime_type}, {len(block.data) * 3 // 4:,} bytes: not shown.]"
        case "resource_link":
            return f"[Resource {block.name}: {block.uri}]"
        case "resource":
            inner = block.resource
            text = getattr(inner, "text", None)
            return text if text is not None else f"[Resource {inner.uri}, {inner.mime_type or 'binary'}: not shown.]"

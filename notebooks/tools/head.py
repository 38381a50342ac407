"""What a form says of its tool before the fields."""

from html import escape

from toolkit.tools.tool import Tool


def head(tool: Tool | None) -> str:
    """Its name, its title, and what a call may do, as HTML."""
    if tool is None:
        return '<div class="toolkit-head"><b>Tools</b><span>a form for each of them</span></div>'
    return (
        f'<div class="toolkit-head"><b>{escape(tool.name)}</b><span>{escape(tool.title)}</span>'
        f'<span class="toolkit-total">{escape(" · ".join(_traits(tool)))}</span></div>'
    )


def description(tool: Tool | None, count: int) -> str:
    """What it does, as HTML; without a tool, that one has to be chosen of so many."""
    if tool is None:
        said = "Choose a tool to get its form." if count else "There is no tool; register one with `tk.tool`."
        return f'<div class="toolkit-note">{said}</div>'
    fields = "" if tool.parameters.get("properties") else '<div class="toolkit-note">It takes no arguments.</div>'
    return f'<div class="toolkit-purpose">{escape(tool.description)}</div>{fields}'


def _traits(tool: Tool) -> list[str]:
    traits = ["changes nothing"] if tool.read_only else []
    if tool.destructive:
        traits.append("may delete or overwrite, it does not say" if tool.supposed else "may delete or overwrite")
    return [*traits, *([f"from {tool.source}"] if tool.source else [])]

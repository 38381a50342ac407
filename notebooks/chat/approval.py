"""A destructive tool waits until a person has allowed or refused its call."""

import asyncio
import json
from html import escape
from typing import Any

from ipywidgets import HTML, HBox, VBox

from notebooks.chat.view import TurnView
from notebooks.widgets.controls import button
from notebooks.widgets.panel import named
from toolkit.messages import ToolCall
from toolkit.tools.tool import Tool


async def approved(view: TurnView, call: ToolCall, tool: Tool) -> bool:
    """Whether a person allows the call, asked below the turn; who stops the answer is asked no more."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[bool] = loop.create_future()

    def settle(allowed: bool) -> None:
        if not said.done():
            said.set_result(allowed)

    def answer(allowed: bool) -> None:
        loop.call_soon_threadsafe(settle, allowed)

    row = _row(call, tool, answer)
    view.add(row)
    try:
        return await said
    finally:
        view.remove(row)


def _row(call: ToolCall, tool: Tool, answer: Any) -> Any:
    arguments = json.dumps(call.arguments, ensure_ascii=False, indent=2, default=str)
    what = tool.description.split("\n")[0]
    asked = HTML(
        f'<div role="alert">Allow <b>{escape(call.name)}</b>? It may change or delete something: {escape(what)}</div>'
        f'<pre tabindex="0" aria-label="Arguments">{escape(arguments)}</pre>'
    )
    allow = button("Allow", lambda: answer(True), tip=f"Call {call.name} with these arguments", look="main")
    refuse = button("Refuse", lambda: answer(False), tip=f"Do not call {call.name}; the model is told")
    return named(VBox([asked, HBox([allow, refuse])]), "approval")

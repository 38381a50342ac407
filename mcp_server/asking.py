"""Whether a call that destroys something is wanted.

The host asks its user, where it can (elicitation); where it cannot, the model does, and says so by the argument
`confirm`, which every destructive tool has on the wire. A model's own word does not stand for the user's where the user
can be asked.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from mcp import MCPError
from mcp.shared.message import ServerMessageMetadata
from mcp.types import ElicitRequest, ElicitRequestFormParams, ElicitResult

from mcp_server.sampling import Context
from toolkit.errors import ToolError
from toolkit.messages import Json
from toolkit.tools.complaints import shown
from toolkit.tools.tool import Tool

Ask: TypeAlias = Callable[[ElicitRequest], Awaitable[ElicitResult]]
"""Puts a question to the host's user. Raises MCPError where the host could not."""

CONFIRM = "confirm"
_SCHEMA: Json = {"type": "boolean", "description": "True once the user has agreed", "default": False}
_FORM: Json = {
    "type": "object",
    "properties": {CONFIRM: {"type": "boolean", "title": "Yes, do it"}},
    "required": [CONFIRM],
}
_LONGEST = 200  # characters of a host's reason
_SHOWN = 1000  # characters of an argument: the user must see what they agree to


class Refused(ToolError):
    """The call is not wanted, or nobody has said yet that it is; nothing was done."""


class Wanted(Exception):
    """The user must be asked before anything is done; carries what."""

    def __init__(self, question: ElicitRequest) -> None:
        self.question = question


def is_asked_about(tool: Tool) -> bool:
    """Whether a call of `tool` needs leave; where its server does not say what it does, the host must ask by itself.

    Most servers say nothing, and whoever is asked each time learns to agree.
    """
    return tool.destructive and not tool.supposed


def offered(ctx: Context) -> bool:
    """Whether the client can show its user a form; before there were two modes it did not say which."""
    capabilities = ctx.session.client_capabilities
    asking = capabilities.elicitation if capabilities else None
    return asking is not None and (asking.form is not None or asking.url is None)


def back_channel(ctx: Context) -> Ask:
    """Asks by a request of our own beside the host's call, as the revisions with a handshake do."""

    async def ask(question: ElicitRequest) -> ElicitResult:
        metadata = ServerMessageMetadata(related_request_id=ctx.request_id)
        return await ctx.session.send_request(question, ElicitResult, metadata=metadata)

    return ask


def on_wire(tool: Tool) -> Json:
    """What a host is told that the tool takes: `confirm` too, if it is destructive and has none of its own."""
    properties = tool.parameters.get("properties", {})
    if not is_asked_about(tool) or CONFIRM in properties:
        return tool.parameters
    return {**tool.parameters, "properties": {**properties, CONFIRM: _SCHEMA}}


def without_confirm(tool: Tool, arguments: Mapping[str, Any]) -> tuple[Json, bool]:
    """The arguments that the tool itself takes, and whether the model says that the user has agreed."""
    own = dict(arguments)
    said = arguments.get(CONFIRM)
    if is_asked_about(tool) and CONFIRM not in tool.parameters.get("properties", {}):
        own.pop(CONFIRM, None)
    return own, said is True or said == "true"


async def agree(tool: Tool, arguments: Json, ask: Ask | None, *, confirmed: bool) -> None:
    """Return if a destructive call is wanted.

    Args:
        tool: what is called; one that destroys nothing needs no leave.
        arguments: the tool's own.
        ask: puts the question to the user; None where the host cannot.
        confirmed: whether the model says that the user has agreed.

    Raises:
        ToolArgumentsError: nobody is asked about a call that is wrong.
        Refused: it is not wanted, or the model must ask first.
    """
    if not is_asked_about(tool):
        return
    if tool.check:
        tool.check(arguments)
    if ask is None:
        _need(tool, confirmed=confirmed, why=f"{tool.name} deletes or overwrites, and nothing was done yet")
        return
    try:
        answer = await ask(_question(tool, arguments))
    except MCPError as error:
        reason = " ".join(error.message.split())[:_LONGEST].rstrip(".")
        _need(tool, confirmed=confirmed, why=f"The host could not ask its user ({reason}), and nothing was done")
        return
    if answer.action == "cancel":
        raise Refused(f"The user closed the question whether to call {tool.name} without an answer; nothing was done.")
    if answer.action == "decline" or (answer.content or {}).get(CONFIRM) is not True:
        raise Refused(f"The user does not want {tool.name} to be called so; nothing was done. Do not try it again.")


def _need(tool: Tool, *, confirmed: bool, why: str) -> None:
    if not confirmed:
        raise Refused(
            f"{why}: ask the user, and if they agree call {tool.name} again with the same arguments and {CONFIRM}=true."
        )


def _question(tool: Tool, arguments: Json) -> ElicitRequest:
    given = "".join(f"\n{name}: {shown(value, most=_SHOWN)}" for name, value in arguments.items())
    message = f"{tool.title}? {tool.description}{given}"
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=_FORM))

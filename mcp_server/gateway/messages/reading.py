"""What a request of Anthropic's Messages asks for, as the keywords of `Toolkit.complete`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from mcp_server.asker import Asker
from mcp_server.gateway.answering import Wish
from mcp_server.gateway.hints import hints, one_at_a_time
from mcp_server.gateway.messages import shapes
from mcp_server.gateway.thoughts import is_ours, unsealed
from mcp_server.refusals import Refusal
from toolkit.messages import Image, Json, Message, ToolCall, ToolSpec

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_CHOICES: Final = {"auto": None, "any": "required", "none": "none"}
_ERROR: Final = "Error: "
_SEE_BELOW: Final = "The picture follows."
_WIRE: Final = "messages"


async def wish_of(body: shapes.MessagesBody, asker: Asker) -> Wish:
    """The question of a body.

    Raises:
        Refusal: a field cannot be used as written.
    """
    choice = _choice(body.tool_choice)
    if body.output_format and body.output_format != body.form:
        said = "`output_format` and `output_config.format` differ; send one of them."
        raise Refusal(400, said, param="output_format")
    return {
        **await body.wish(asker),
        "prompt": _conversation(body, asker.tk),
        "system": _text(body.system) or None,
        "max_tokens": body.max_tokens,
        "temperature": body.temperature,
        "stop": tuple(body.stop_sequences or ()),
        "offered": _tools(body),
        "tool_choice": choice,
        "response_model": body.form.schema_ if body.form else None,
        "extra": {**({} if body.top_p is None else {"top_p": body.top_p}), **_hints(body, choice)},
    }


def counted(body: shapes.CountBody, asker: Asker) -> tuple[list[Message], list[ToolSpec]]:
    """What would be asked, and with which tools."""
    instructions = _text(body.system)
    said = _conversation(body, asker.tk)
    return [*([Message("system", instructions)] if instructions else []), *said], _tools(body)


def _hints(body: shapes.MessagesBody, choice: str | None) -> Json:
    effort = body.output_config.effort if body.output_config else None
    user = body.metadata.user_id if body.metadata else None
    claude: Json = {
        "top_k": body.top_k,
        "thinking": body.thinking,
        "metadata": {"user_id": user} if user else None,
        "service_tier": body.service_tier,
        "output_config": {"effort": effort} if effort else None,
    }
    wires: dict[str, Json] = {
        "messages": {name: value for name, value in claude.items() if value is not None},
        "chat": {"reasoning_effort": effort} if effort else {},
        "responses": {"reasoning": {"effort": effort}} if effort else {},
    }
    # A form may itself be asked for by a tool.
    if body.tools and not body.form and body.tool_choice and body.tool_choice.disable_parallel_tool_use:
        for wire, said in one_at_a_time(choice).items():
            wires[wire] |= said
    return hints(**wires)


def _conversation(body: shapes.Conversation, tk: "Toolkit") -> list[Message]:
    said: list[Message] = []
    for turn in body.messages:
        match turn:
            case shapes.UserTurn():
                said += _asked(turn)
            case shapes.AssistantTurn():
                said.append(_answered(turn, body.model or "", tk))
            case shapes.SystemTurn():
                said.append(Message("system", _text(turn.content)))
    return said


def _asked(turn: shapes.UserTurn) -> list[Message]:
    """The results of tools, which come first: vendors want them next to the calls; then the rest of the turn."""
    if isinstance(turn.content, str):
        return [Message("user", turn.content)]
    results = [_result(block) for block in turn.content if isinstance(block, shapes.ResultBlock)]
    text = _text([block for block in turn.content if isinstance(block, shapes.TextBlock)])
    images = _images(turn.content)
    return [*results, Message("user", text, images)] if text or images or not results else results


def _result(block: shapes.ResultBlock) -> Message:
    """What a tool gave; its pictures are shown behind it, because not all vendors take them in a result."""
    if isinstance(block.content, str | None):
        text = block.content or ""
    else:
        text = _text([inner for inner in block.content if isinstance(inner, shapes.TextBlock)])
        text = text or (_SEE_BELOW if block.content else "")
    if block.is_error and not text.startswith(_ERROR):
        text = _ERROR + text
    return Message("tool", text, tool_call_id=block.tool_use_id)


def _images(content: Sequence[shapes.Block]) -> tuple[Image, ...]:
    """The pictures of a turn, those in the results of tools included."""
    found: list[Image] = []
    for block in content:
        match block:
            case shapes.ImageBlock(source=shapes.UrlSource(url=url)):
                found.append(Image(url))
            case shapes.ImageBlock(source=shapes.Base64Source(media_type=kind, data=data)):
                found.append(Image(f"data:{kind};base64,{data}"))
            case shapes.ResultBlock(content=list(inner)):
                found += _images(inner)
    return tuple(found)


def _answered(turn: shapes.AssistantTurn, model: str, tk: "Toolkit") -> Message:
    """What was said before, with what its vendor wants back: what this server has sealed, or the vendor has signed."""
    if isinstance(turn.content, str):
        return Message("assistant", turn.content)
    text = ""
    calls: list[ToolCall] = []
    opaque: Json = {}
    blocks: list[Json] = []
    thought = False
    for block in turn.content:
        match block:
            case shapes.TextBlock():
                text += block.text
                blocks.append({"type": "text", "length": len(block.text)})
            case shapes.CallBlock():
                calls.append(ToolCall(block.id, block.name, block.input))
                blocks.append({"type": "tool_use"})
            case shapes.HiddenBlock(data=data) if is_ours(data):
                opaque |= unsealed(data, tk)
            case shapes.HiddenBlock() | shapes.ThinkingBlock():
                thought = True
                blocks.append(block.model_dump(exclude={"cache_control"}))
    if thought and calls and not opaque:
        opaque = {_WIRE: {"model": model, "blocks": blocks}}
    return Message("assistant", text, tool_calls=tuple(calls), opaque=opaque)


def _text(content: str | Sequence[shapes.TextBlock] | None) -> str:
    return content or "" if isinstance(content, str | None) else "\n\n".join(block.text for block in content)


def _tools(body: shapes.Conversation) -> list[ToolSpec]:
    names = [tool.name for tool in body.tools or ()]
    if len(set(names)) < len(names):
        raise Refusal(400, "Two of the `tools` have the same name.", param="tools")
    for number, tool in enumerate(body.tools or ()):
        if tool.type not in (None, "custom"):
            said = f"`tools.{number}.type` is {tool.type!r}, a tool that only its vendor runs; offer one of your own."
            raise Refusal(400, said, param=f"tools.{number}.type")
        if tool.input_schema is None:
            field = f"tools.{number}.input_schema"
            raise Refusal(400, f"`{field}` is missing.", "missing_field", field)
    return [ToolSpec(tool.name, tool.description or "", tool.input_schema or {}) for tool in body.tools or ()]


def _choice(choice: shapes.ToolUse | None) -> str | None:
    if choice is None or choice.type != "tool":
        return _CHOICES[choice.type] if choice else None
    if not choice.name:
        raise Refusal(400, "`tool_choice.name` is missing.", "missing_field", "tool_choice.name")
    return choice.name

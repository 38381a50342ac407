"""What a request of OpenAI's Responses asks for, as the keywords of `Toolkit.complete`."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from pydantic_core import from_json

from mcp_server.asker import Asker
from mcp_server.gateway.answering import Wish
from mcp_server.gateway.hints import hints, one_at_a_time
from mcp_server.gateway.responses import shapes
from mcp_server.gateway.responses.offered import INPUT, full_name, read
from mcp_server.gateway.thoughts import is_ours, unsealed
from mcp_server.refusals import Refusal
from toolkit.messages import Image, Json, Message, ToolCall, ToolSpec

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

_SEE_BELOW = "The picture follows."
_OWN = ("safety_identifier", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "service_tier")
"""What is told to models that are asked on this wire, by its own names."""


async def wish_of(body: shapes.ResponsesBody, asker: Asker) -> Wish:
    """The question of a body; where it is kept is for others to say.

    Raises:
        Refusal: a field cannot be used as written.
    """
    offered, choice = _tools(body)
    form = _form(body.text.format if body.text else None)
    return {
        **await body.wish(asker),
        "prompt": conversation(body.input, asker.tk),
        "system": body.instructions or None,
        "max_tokens": body.max_output_tokens,
        "temperature": body.temperature,
        "offered": offered,
        "tool_choice": choice,
        "response_model": form,
        "extra": _extra(body, choice, alone=body.parallel_tool_calls is False and bool(offered) and form is None),
    }


def conversation(said: str | Sequence[shapes.Given], tk: "Toolkit") -> list[Message]:
    """The `input` of a request, oldest first."""
    if isinstance(said, str):
        return [Message("user", said)]
    messages: list[Message] = []
    turn = _Turn(tk)
    images: list[Image] = []
    for number, item in enumerate(said):
        is_result = isinstance(item, shapes.ResultItem)
        if images and not is_result:  # results stay together, next to the calls
            messages.append(Message("user", images=tuple(images)))
            images = []
        if not turn.take(item, number):
            messages += turn.closed()
            text, seen = _content(item.output if isinstance(item, shapes.ResultItem) else _said(item))
            if isinstance(item, shapes.ResultItem):
                messages.append(Message("tool", text or (_SEE_BELOW if seen else ""), tool_call_id=item.call_id))
                images += seen
            else:
                messages.append(Message(_role(item), text, tuple(seen)))
    shown = [Message("user", images=tuple(images))] if images else []
    return [*messages, *turn.closed(), *shown]


class _Turn:
    """What the model said and asked for without anybody else in between: one message, whose parts came as items."""

    def __init__(self, tk: "Toolkit") -> None:
        self._tk = tk
        self._begun = False
        self._text: list[str] = []
        self._calls: list[ToolCall] = []
        self._opaque: Json = {}

    def take(self, item: shapes.Given, number: int) -> bool:
        """Take an item of the model's; False where it is not one."""
        match item:
            case shapes.MessageItem(role="assistant"):
                self._text.append(_content(item.content)[0])
            case shapes.CallItem():
                arguments = _arguments(item.arguments, f"input.{number}.arguments")
                self._calls.append(ToolCall(item.call_id, full_name(item.name, item.namespace), arguments))
            case shapes.CustomCallItem():
                name = full_name(item.name, item.namespace)
                self._calls.append(ToolCall(item.call_id, name, {INPUT: item.input}))
            case shapes.ThoughtItem(encrypted_content=str(hidden)) if is_ours(hidden):
                self._opaque |= unsealed(hidden, self._tk)
                return True
            case shapes.ThoughtItem():
                return True
            case _:
                return False
        self._begun = True
        return True

    def closed(self) -> Iterable[Message]:
        """The message, if anything of it came; what comes next is of another."""
        if self._begun:
            said = Message("assistant", "".join(self._text), tool_calls=tuple(self._calls), opaque=self._opaque)
            self._begun, self._text, self._calls, self._opaque = False, [], [], {}
            return [said]
        self._opaque = {}
        return []


def _said(item: shapes.Given) -> str | Sequence[Any]:
    return item.content if isinstance(item, shapes.MessageItem) else ""


def _role(item: shapes.Given) -> Any:
    return "user" if isinstance(item, shapes.MessageItem) and item.role == "user" else "system"


def _content(content: str | Sequence[Any]) -> tuple[str, list[Image]]:
    """The text of a content, and its pictures."""
    if isinstance(content, str):
        return content, []
    texts: list[str] = []
    images: list[Image] = []
    for part in content:
        match part:
            case shapes.InputImage():
                images.append(Image(part.image_url))
            case shapes.OutputRefusal():
                texts.append(part.refusal)
            case shapes.InputText() | shapes.OutputText():
                texts.append(part.text)
    # What a model said in several parts was one text.
    between = "" if content and isinstance(content[0], shapes.OutputText) else "\n\n"
    return between.join(texts), images


def _arguments(text: str, place: str) -> Json:
    try:
        arguments = from_json(text or "{}", allow_inf_nan=False)
    except ValueError:
        arguments = None
    if not isinstance(arguments, dict):
        raise Refusal(400, f"`{place}` is not a JSON object as text.", param=place)
    return arguments


def _tools(body: shapes.ResponsesBody) -> tuple[list[ToolSpec], str | None]:
    """The tools that the client runs, and whether one must be asked for."""
    offered, _ = read(body.tools or ())
    choice = body.tool_choice
    if choice is None or choice == "auto":
        return offered, None
    if isinstance(choice, str):
        if choice == "required" and not offered:
            raise Refusal(400, "`tool_choice` needs `tools`.", param="tool_choice")
        return offered, choice
    named = [choice] if isinstance(choice, shapes.ChosenTool) else choice.tools
    for tool in named:
        if tool.name not in {spec.name for spec in offered}:
            raise Refusal(400, f"`tool_choice`: {tool.name!r} is none of the tools.", param="tool_choice")
    if isinstance(choice, shapes.ChosenTool):
        return offered, choice.name
    allowed = {tool.name for tool in named}
    return [spec for spec in offered if spec.name in allowed], "required" if choice.mode == "required" else None


def _form(said: shapes.PlainText | shapes.AnyJson | shapes.SchemaForm | None) -> Json | None:
    match said:
        case shapes.AnyJson():
            return {"title": "object", "type": "object"}
        case shapes.SchemaForm():
            told = {"description": said.description} if said.description else {}
            return {**told, **said.schema_, "title": said.name}
    return None


def _extra(body: shapes.ResponsesBody, choice: str | None, *, alone: bool) -> Json:
    own = {name: value for name in _OWN if (value := getattr(body, name)) is not None}
    reasoning = body.reasoning.model_dump(exclude_none=True) if body.reasoning else {}
    verbosity = body.text.verbosity if body.text else None
    effort = reasoning.get("effort")
    wires: dict[str, Json] = {
        "responses": {
            **own,
            **({"reasoning": reasoning} if reasoning else {}),
            **({"text": {"verbosity": verbosity}} if verbosity else {}),
        },
        "chat": {
            **({"reasoning_effort": effort} if effort else {}),
            **({"verbosity": verbosity} if verbosity else {}),
        },
    }
    for wire, said in one_at_a_time(choice).items() if alone else ():
        wires[wire] = {**wires.get(wire, {}), **said}
    if detail := _detail(body.input):
        wires["responses"]["detail"] = wires["chat"]["detail"] = detail
    return {**hints(**wires), **({"top_p": body.top_p} if body.top_p is not None else {})}


def _detail(said: str | Sequence[shapes.Given]) -> str | None:
    """How closely the pictures are to be looked at."""
    messages = [item for item in said if isinstance(item, shapes.MessageItem)]
    parts = [part for message in messages for part in message.content if isinstance(part, shapes.InputImage)]
    found = {part.detail or "auto" for part in parts}
    if len(found) > 1:
        raise Refusal(400, "Pictures of one request are looked at equally closely; send one `detail`.", param="input")
    return None if found <= {"auto"} else found.pop()

"""An agent: a host's loop around a model that sees what models see, and nothing else.

The loop is a host's: instructions and tools go to the model, its calls to the server, their text back to the model. The
model is the toolkit's `scripted` one. What it wants comes from the test in plain words; which tool that is and what its
arguments are called it finds in the list of tools, and how to go on after an error in the error's own text.
"""

import json
import re
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias

from mcp import Client, MCPError
from mcp.types import TextContent

from toolkit.messages import ChatRequest, Message, ToolCall, ToolSpec
from toolkit.providers.scripted import Scripted

MOST_TURNS = 15
FAILED = "Error: "  # how hosts mark it for their model


@dataclass(frozen=True)
class Want:
    """A wish of the model.

    Attributes:
        what: in plain words, as a task says it.
        given: values by what they are, in plain words.
        name: a tool's name, where the model believes that it knows it.
    """

    what: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""


Plan: TypeAlias = Generator[Want, str, str]
"""Wishes one after the other, each answered by the text of a result; in the end what to tell the user."""


class Mind:
    """What the model thinks; each call is one answer of it.

    Args:
        plan: what it wants.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._numbers = count(1)
        self._last: ToolCall | None = None
        self._agreed: ToolCall | None = None

    def __call__(self, request: ChatRequest) -> Message:
        said = request.messages[-1]
        try:
            if said.role == "user" and self._agreed:  # who was asked whether to go on
                return self._say(self._agreed)
            if said.role == "user":
                return self._act(next(self._plan), request.tools)
            if said.text.startswith(FAILED):
                return self._recover(said.text)
            return self._act(self._plan.send(said.text), request.tools)
        except StopIteration as end:
            return Message("assistant", str(end.value))

    def _act(self, want: Want, tools: tuple[ToolSpec, ...]) -> Message:
        if want.name:
            return self._call(want.name, dict(want.given))
        tool = max(tools, key=lambda each: _likeness(want.what, f"{each.name} {each.description}"))
        fields = tool.parameters["properties"]
        arguments = {}
        for words, value in want.given.items():
            free = [name for name in fields if name not in arguments]
            meant = max(free, key=lambda name: _likeness(words, f"{name} {fields[name].get('description', '')}"))
            arguments[meant] = value
        return self._call(tool.name, arguments)

    def _recover(self, error: str) -> Message:
        """The next call, by what the error says."""
        assert self._last
        name, arguments = self._last.name, dict(self._last.arguments)
        if error.startswith(f"{FAILED}There is no tool"):
            others = re.findall(r"'(\w+)'", error.partition(";")[2])
            return self._call(max(others, key=lambda other: _likeness(name.replace("_", " "), other)), arguments)
        if confirmation := re.search(r"ask the user.* (\w+)=true", error):
            self._agreed = ToolCall("", name, {**arguments, confirmation[1]: True})
            return Message("assistant", f"Shall I really call {name} with {json.dumps(arguments)}?")
        unknown, missing = re.findall(r"`(\w+)` is unknown", error), re.findall(r"`(\w+)` is missing", error)
        assert len(unknown) == len(missing) > 0, f"no way out of: {error}"
        for wrong, right in zip(unknown, missing, strict=True):
            arguments[right] = arguments.pop(wrong)
        return self._call(name, arguments)

    def _say(self, call: ToolCall) -> Message:
        self._agreed = None
        return self._call(call.name, dict(call.arguments))

    def _call(self, name: str, arguments: dict[str, Any]) -> Message:
        self._last = ToolCall(f"call-{next(self._numbers)}", name, arguments)
        return Message("assistant", tool_calls=(self._last,))


@dataclass
class Told:
    """What came of a conversation.

    Attributes:
        answer: the model's last words.
        calls: the tools that it called, in order.
        errors: what went wrong on the way.
    """

    answer: str
    calls: list[str]
    errors: list[str]


async def converse(client: Client, question: str, plan: Plan, *, user: Callable[[str], str] | None = None) -> Told:
    """Let the model work until it has no further wish; `user` answers its questions."""
    listed = (await client.list_tools()).tools
    tools = tuple(ToolSpec(tool.name, tool.description or "", tool.input_schema) for tool in listed)
    messages = [Message("system", client.instructions or ""), Message("user", question)]
    mind = Mind(plan)
    model = Scripted(mind, repeat=True)
    calls, errors = [], []
    for _ in range(MOST_TURNS):
        said = (await model.complete(ChatRequest(tuple(messages), tools), "scripted", timeout=10)).message
        messages.append(said)
        for call in said.tool_calls:
            calls.append(call.name)
            text = await _perform(client, call)
            errors += [text] if text.startswith(FAILED) else []
            messages.append(Message("tool", text, tool_call_id=call.id))
        if not said.tool_calls and user and said.text.endswith("?"):
            messages.append(Message("user", user(said.text)))
        elif not said.tool_calls:
            return Told(said.text, calls, errors)
    raise AssertionError(f"It did not come to an end: {calls} {errors}")


async def _perform(client: Client, call: ToolCall) -> str:
    try:
        result = await client.call_tool(call.name, dict(call.arguments))
    except MCPError as error:
        return FAILED + error.message
    text = "\n".join(block.text for block in result.content if isinstance(block, TextContent))
    return FAILED + text if result.is_error else text


def _likeness(wish: str, text: str) -> int:
    """How many words of `wish` stand in `text`, whatever their ending."""
    words = {_stem(word) for word in re.findall(r"[a-z]+", text.lower())}
    return sum(_stem(word) in words for word in wish.lower().split())


def _stem(word: str) -> str:
    return word[:5].rstrip("s")

"""Long results of tools: a model is told the beginning, and may read on."""

from collections.abc import Mapping
from typing import Any

from toolkit.messages import Message, ToolCall, ToolSpec

LONGEST = 40_000
"""Characters of a tool's result that a model is told at once, about 10,000 tokens."""

READ_ON = ToolSpec(
    "read_result",
    "Read on in a tool's result that was cut; the cut result names its id and where to go on.",
    {
        "type": "object",
        "properties": {
            "result_id": {"type": "string", "description": "Id that the cut result names"},
            "offset": {"type": "integer", "minimum": 0, "description": "Characters to skip"},
        },
        "required": ["result_id", "offset"],
        "additionalProperties": False,
    },
)
"""Offered to the models of a turn from the first cut on."""


class LongResults:
    """The whole results of one turn that were cut; they are gone when the turn is."""

    def __init__(self) -> None:
        self._whole: dict[str, str] = {}

    def __bool__(self) -> bool:
        return bool(self._whole)

    def take(self, call: ToolCall, text: str) -> str:
        """What a model is told of the result `text`: all of it, or its beginning and how to read on."""
        if len(text) <= LONGEST:
            return text
        self._whole[call.id] = text
        return self._part(call.id, 0)

    def answers(self, call: ToolCall) -> bool:
        """Whether `call` asks to read on."""
        return bool(self) and call.name == READ_ON.name

    def read(self, call: ToolCall) -> Message:
        """The part that `call` asks for."""
        return Message("tool", self._answer(call.arguments), tool_call_id=call.id)

    def _answer(self, arguments: Mapping[str, Any]) -> str:
        name, offset = arguments.get("result_id"), arguments.get("offset")
        if not isinstance(name, str) or name not in self._whole:
            return f"Error: there is no cut result {name!r}; there are {', '.join(self._whole)}."
        length = len(self._whole[name])
        if isinstance(offset, bool) or not isinstance(offset, int) or not 0 <= offset < length:
            return f"Error: offset must be a whole number from 0 to {length - 1} (got {offset!r})."
        return self._part(name, offset)

    def _part(self, name: str, offset: int) -> str:
        text = self._whole[name]
        end = min(offset + LONGEST, len(text))
        part = text[offset:end]
        if end == len(text):
            return part
        more = f'{READ_ON.name}(result_id="{name}", offset={end})'
        return f"{part}\n[Cut: characters {offset:,} to {end:,} of {len(text):,}. Read on with {more}.]"

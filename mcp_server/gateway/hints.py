"""What a request says to one kind of model only, by the wire on which that kind is asked.

A model that is asked on another wire does not hear of it, so that a request goes through a chain of several vendors.
"""

from collections.abc import Mapping
from typing import Any

from toolkit.messages import Json


def hints(**wires: Mapping[str, Any]) -> Json:
    """What each wire alone is told, as `extra` of `Toolkit.complete`: `hints(messages={"top_k": 5})`."""
    return {f"@{wire}": dict(said) for wire, said in wires.items() if said}


def one_at_a_time(choice: str | None) -> Json:
    """That a model must not ask for several tools at once, by wire.

    Args:
        choice: the `tool_choice` of the request: on Anthropic's wire both are said in one field.
    """
    kinds = {None: "auto", "required": "any"}
    if choice == "none":
        return {}
    said = {"type": kinds[choice]} if choice in kinds else {"type": "tool", "name": choice}
    return {
        "messages": {"tool_choice": {**said, "disable_parallel_tool_use": True}},
        "chat": {"parallel_tool_calls": False},
        "responses": {"parallel_tool_calls": False},
    }

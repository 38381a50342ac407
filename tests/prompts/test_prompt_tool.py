"""A prompt as a tool."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound, ToolArgumentsError, ToolError
from toolkit.prompts.library import Prompts
from toolkit.tools.registry import ToolRegistry
from toolkit.tools.tool import ToolContext, ToolResult

TEXT = """---
description: Tells of a city.
arguments:
  - name: city
    description: Which one.
  - name: tone
    default: kind
hints:
  temperature: 0.3
tool: true
---
Tell of {{ city }}, {{ tone }}.
"""
asked: list[tuple[str, Mapping[str, Any], str | None]] = []


async def ask(text: str, hints: Mapping[str, Any], context: ToolContext) -> ToolResult:
    asked.append((text, hints, context.user))
    return ToolResult("told", {"text": "told"})


@pytest.fixture
async def prompts(tmp_path: Path, db: Database) -> Prompts:
    asked.clear()
    prompts = Prompts(tmp_path, db)
    await prompts.add("city-tale", TEXT)
    return prompts


async def test_its_arguments_are_the_tools_and_what_it_says_is_asked(prompts: Prompts) -> None:
    tool = await prompts.as_tool("city-tale", ask)
    registry = ToolRegistry([tool])

    result = await registry.call("city_tale", {"city": "Paris {{ tone }}"}, ToolContext(user="ada"))

    assert (tool.name, tool.description, tool.open_world) == ("city_tale", "Tells of a city.", True)
    assert tool.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Which one."},
            "tone": {"type": "string", "default": "kind"},
        },
        "required": ["city"],
        "additionalProperties": False,
    }
    assert result == ToolResult("told", {"text": "told"})
    assert asked == [("Tell of Paris {{ tone }}, kind.", {"temperature": 0.3}, "ada")]


async def test_wrong_arguments_are_told_as_those_of_any_tool(prompts: Prompts) -> None:
    registry = ToolRegistry([await prompts.as_tool("city-tale", ask)])

    with pytest.raises(ToolArgumentsError, match="`city` is missing"):
        await registry.call("city_tale", {})
    with pytest.raises(ToolArgumentsError, match="`citi` is unknown, use `city`"):
        await registry.call("city_tale", {"citi": "x"})
    assert asked == []


async def test_the_newest_version_is_asked_and_one_that_does_not_fit_any_more_says_so(prompts: Prompts) -> None:
    registry = ToolRegistry([await prompts.as_tool("city-tale", ask)])
    await prompts.add("city-tale", TEXT.replace("Tell of", "Sing of"))

    await registry.call("city_tale", {"city": "Rome"})
    assert asked[-1][0] == "Sing of Rome, kind."

    await prompts.add("city-tale", TEXT.replace("city", "town"))
    with pytest.raises(ToolError, match="needs the argument 'town'"):
        await registry.call("city_tale", {"city": "Rome"})


async def test_a_prompt_that_is_not_there_or_cannot_name_a_tool_is_refused(prompts: Prompts) -> None:
    with pytest.raises(NotFound):
        await prompts.as_tool("nothing", ask)
    await prompts.add("7up", "x")
    with pytest.raises(ConfigError, match="'7up' cannot name a tool"):
        await prompts.as_tool("7up", ask)


async def test_front_matter_marks_the_prompts_that_want_to_be_tools(prompts: Prompts) -> None:
    assert [prompt.id for prompt in await prompts.list() if prompt.tool] == ["city-tale"]

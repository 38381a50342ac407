"""Every tool of the toolkit as a host lists it."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from mcp import Client
from mcp.types import Tool

from mcp_server.house import House
from mcp_server.instructions import instructions
from mcp_server.presets import Offer
from mcp_server.server import create_server
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

BYTES_PER_TOKEN = 4
PRESETS = ("default", "search", "models", "sessions", "search-admin", "code", "all")
PORTABLE = {
    "type",
    "description",
    "default",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "minItems",
    "maxItems",
    "items",
    "properties",
    "required",
    "additionalProperties",
}


async def listed(offer: str) -> list[Tool]:
    server = create_server(House(lambda: Toolkit.open(settings=Settings("sqlite://"))), Offer.of(offer))
    async with Client(server) as client:
        return (await client.list_tools()).tools


@pytest.fixture(scope="module")
def tools() -> list[Tool]:
    return asyncio.run(listed("all"))


def tokens(tools: list[Tool]) -> float:
    wire = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    return len(json.dumps(wire, separators=(",", ":"), ensure_ascii=False).encode()) / BYTES_PER_TOKEN


def schemas(schema: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A schema with all that stand in it."""
    yield schema
    for inner in (*schema.get("properties", {}).values(), *([schema["items"]] if "items" in schema else [])):
        yield from schemas(inner)


def test_every_schema_is_flat_and_has_only_words_that_all_hosts_know(tools: list[Tool]) -> None:
    assert len(tools) >= 20
    for tool in tools:
        for schema in schemas(tool.input_schema):
            assert set(schema) <= PORTABLE, tool.name
            assert isinstance(schema["type"], str), tool.name
        assert tool.input_schema["additionalProperties"] is False
        assert all(schema["type"] not in ("object", "null") for schema in tool.input_schema["properties"].values())
        assert tool.output_schema is None, "it costs more than the tool itself, and hosts do without"


def test_every_tool_says_in_few_words_what_it_does_and_every_argument_what_it_means(tools: list[Tool]) -> None:
    for tool in tools:
        assert len(tool.name) <= 64
        assert 40 <= len(tool.description or "") <= 260, tool.name
        assert (tool.description or "").endswith("."), tool.name
        for name, argument in tool.input_schema["properties"].items():
            assert 3 <= len(argument["description"]) <= 64, (tool.name, name)
            assert not argument["description"].endswith("."), (tool.name, name)


def test_every_tool_has_a_title_and_all_four_annotations(tools: list[Tool]) -> None:
    for tool in tools:
        told = tool.annotations
        assert told
        assert tool.title == told.title
        assert None not in (told.read_only_hint, told.destructive_hint, told.idempotent_hint, told.open_world_hint)
        assert not (told.read_only_hint and told.destructive_hint)


def test_a_tool_that_may_be_long_is_concise_until_asked_for_details(tools: list[Tool]) -> None:
    formats = {tool.name: tool.input_schema["properties"].get("response_format") for tool in tools}
    asked = {name: each for name, each in formats.items() if each}
    assert set(asked) == {"semantic_search", "ask", "list_models", "usage_report", "get_session", "list_sessions"}
    assert all((each["enum"], each["default"]) == (["concise", "detailed"], "concise") for each in asked.values())


def test_the_rules_of_the_instructions_stand_in_descriptions_too_for_hosts_that_drop_them(
    tools: list[Tool],
) -> None:
    said = {tool.name: tool.description or "" for tool in tools}
    assert "get_chunk" in said["semantic_search"]
    assert "nothing is found before it was added" in said["ingest"]
    assert "sees nothing of this conversation" in said["chat"]


async def test_the_lists_are_within_their_budgets() -> None:
    assert tokens(await listed("default")) < 2000
    assert tokens(await listed("all")) < 6000


@pytest.mark.parametrize("preset", PRESETS)
def test_no_host_cuts_the_instructions_of_a_preset(preset: str) -> None:
    names = [tool.name for tool in Offer.of(preset).tools(Toolkit.open(settings=Settings("sqlite://")).tools)]
    assert len(instructions(names)) < 2048

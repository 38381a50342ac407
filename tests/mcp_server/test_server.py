"""The MCP server, seen by the SDK's client on both transports and in both eras of the protocol."""

import asyncio
import json
from pathlib import Path

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, ResourceLink, TextContent, TextResourceContents, ToolAnnotations

import toolkit
from tests.mcp_server.misbehaving import add
from tests.mcp_server.serving import says, text_of
from toolkit.tools.registry import ToolRegistry

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_handshake_tells_who_it_is_and_how_its_tools_work_together(client: Client) -> None:
    assert client.server_info is not None
    assert (client.server_info.name, client.server_info.version) == ("toolkit", toolkit.__version__)
    assert client.instructions is not None
    assert "semantic_search" in client.instructions


async def test_a_tool_is_listed_exactly_as_the_registry_has_it(client: Client) -> None:
    expected = ToolRegistry().add(add, read_only=True)
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}["add"]
    assert (listed.title, listed.description, listed.input_schema) == ("Add", "Add two numbers.", expected.parameters)


async def test_every_tool_has_a_title_a_description_and_every_annotation(client: Client) -> None:
    hints: dict[str, ToolAnnotations] = {}
    for tool in (await client.list_tools()).tools:
        assert tool.title
        assert tool.description
        assert tool.annotations
        hints[tool.name] = told = tool.annotations
        assert told.title == tool.title
        assert None not in (told.read_only_hint, told.destructive_hint, told.idempotent_hint, told.open_world_hint)
    assert (hints["add"].read_only_hint, hints["add"].destructive_hint) == (True, False)
    assert (hints["shred"].read_only_hint, hints["shred"].destructive_hint) == (False, True)


async def test_a_result_says_the_same_to_one_who_reads_and_to_a_program(client: Client) -> None:
    result = await client.call_tool("add", {"a": 1, "b": 2})
    assert not result.is_error
    assert text_of(result) == "sum 3, no carry"
    assert result.structured_content == {"sum": 3, "carry": None}


async def test_wrong_arguments_are_told_in_words_that_name_them(client: Client) -> None:
    result = await client.call_tool("add", {"a": "x", "c": 2})
    assert result.is_error
    assert "`a` must be a whole number" in text_of(result)
    assert "`c`" in text_of(result)


async def test_the_text_of_a_failed_call_is_the_whole_reason(client: Client) -> None:
    result = await client.call_tool("fail", {})
    assert result.is_error
    assert text_of(result) == "The moon is in the way; wait until it has set."


async def test_what_nobody_foresaw_is_told_without_its_details(client: Client) -> None:
    result = await client.call_tool("crash", {})
    assert result.is_error
    assert text_of(result) == "crash failed for a reason that is not yours; the server's log says why."
    assert not (await client.call_tool("add", {"a": 1})).is_error


async def test_an_unknown_tool_is_a_protocol_error_that_names_the_nearest(client: Client) -> None:
    with pytest.raises(MCPError) as raised:
        await client.call_tool("ad", {})
    assert raised.value.code == INVALID_PARAMS
    assert raised.value.message == "There is no tool 'ad'; the nearest is 'add'."


async def test_a_tool_outside_the_offer_is_a_protocol_error_that_says_how_to_offer_it(client: Client) -> None:
    with pytest.raises(MCPError) as raised:
        await client.call_tool("delete_session", {"session": "x"})
    assert raised.value.code == INVALID_PARAMS
    assert "--tools delete_session" in raised.value.message


async def test_progress_reaches_a_client_that_asked_for_it(client: Client) -> None:
    heard: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append((progress, total, message))

    result = await client.call_tool("count", {"to": 3}, progress_callback=hear)
    assert heard == [(1, 3, "at 1"), (2, 3, "at 2"), (3, 3, "at 3")]
    assert text_of(result) == "counted to 3 for mcp", "the tool knows the client's name"


async def test_a_call_that_is_silent_says_now_and_then_that_it_goes_on_in_numbers_that_grow(
    client: Client,
) -> None:
    heard: list[tuple[float, str | None]] = []
    enough = asyncio.Event()

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's
        heard.append((progress, message))
        if len(heard) == 4:
            enough.set()

    call = asyncio.create_task(client.call_tool("drowse", progress_callback=hear))
    async with asyncio.timeout(20):
        await enough.wait()
    call.cancel()
    numbers = [number for number, _ in heard]
    assert numbers == sorted(set(numbers))
    assert [message for _, message in heard[:4]] == ["drowsing", *["drowsing (0 s)"] * 3]


async def test_a_result_that_is_too_long_comes_in_parts_that_are_the_whole_to_whoever_reads_and_to_a_program(
    client: Client,
) -> None:
    result = await client.call_tool("recite", {"lines": 9000})
    texts, parts = [text_of(result)], [result.structured_content]
    while "read_more" in parts[-1]:
        result = await client.call_tool("read_more", {"handle": parts[-1]["read_more"]})
        assert len(text_of(result).encode()) <= 80_000
        texts.append(text_of(result))
        parts.append(result.structured_content)
    whole = "".join(part["text"] for part in parts)
    assert json.loads(whole) == [f"line {n} of a long poem" for n in range(9000)]
    assert all(text.startswith(part["text"]) for text, part in zip(texts, parts, strict=True))
    assert all(part["read_more"] in text for text, part in zip(texts[:-1], parts[:-1], strict=True))


async def test_a_detailed_search_names_behind_its_text_where_each_hit_can_be_read_again(client: Client) -> None:
    await client.call_tool("ingest", {"text": "The kingfisher dives.", "collection": "divers"})
    given = {"query": "kingfisher", "collection": "divers"}
    assert len((await client.call_tool("semantic_search", given)).content) == 1
    result = await client.call_tool("semantic_search", {**given, "response_format": "detailed"})
    [text, link] = result.content
    [hit] = result.structured_content["hits"]
    assert isinstance(text, TextContent)
    assert isinstance(link, ResourceLink)
    assert link.uri == f"toolkit://chunks/{hit['chunk_id']}"
    [read] = (await client.read_resource(link.uri)).contents
    assert isinstance(read, TextResourceContents)
    assert "The kingfisher dives." in text.text
    assert "The kingfisher dives." in read.text


async def test_a_destructive_tool_does_nothing_until_the_model_says_that_the_user_agreed(
    client: Client, tmp_path: Path
) -> None:
    marks = tmp_path / "marks"
    listed = {tool.name: tool for tool in (await client.list_tools()).tools}["shred"]
    assert listed.input_schema["properties"]["confirm"]["type"] == "boolean"
    for given in ({}, {"confirm": False}, {"confirm": "yes"}):
        refused = await client.call_tool("shred", {"marks": str(marks), **given})
        assert refused.is_error
        assert "ask the user" in text_of(refused)
        assert "confirm=true" in text_of(refused)
        assert not marks.exists()
    assert not (await client.call_tool("shred", {"marks": str(marks), "confirm": True})).is_error
    assert marks.read_text(encoding="utf-8") == "shredded"


async def test_cancelling_a_call_cancels_the_tool(client: Client, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    call = asyncio.create_task(client.call_tool("wait", {"marks": str(marks)}))
    await says(marks, "begun")
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await says(marks, "cancelled")
    assert not (await client.call_tool("add", {"a": 1})).is_error


async def test_calls_at_the_same_time_get_each_their_own_answer(client: Client, tmp_path: Path) -> None:
    waiting = asyncio.create_task(client.call_tool("wait", {"marks": str(tmp_path / "marks")}))
    results = await asyncio.gather(*(client.call_tool("add", {"a": n}) for n in range(20)))
    assert [result.structured_content["sum"] for result in results] == list(range(1, 21))
    assert not waiting.done()
    waiting.cancel()


async def test_what_a_tool_prints_does_not_disturb_the_protocol(client: Client) -> None:
    assert text_of(await client.call_tool("shout", {})) == "shouted"
    assert not (await client.call_tool("add", {"a": 1})).is_error


async def test_every_prompt_is_listed_with_a_description_and_its_arguments(client: Client) -> None:
    prompts = {prompt.name: prompt for prompt in (await client.list_prompts()).prompts}
    assert {"answer_from_sources", "greet"} <= set(prompts)
    assert all(prompt.description for prompt in prompts.values())
    told = [(argument.name, argument.description, argument.required) for argument in prompts["greet"].arguments or []]
    assert told == [("who", "Whom to greet", True), ("how", "", False)]


async def test_a_prompt_is_rendered_with_its_arguments(client: Client) -> None:
    [message] = (await client.get_prompt("greet", {"who": "Ada"})).messages
    assert isinstance(message.content, TextContent)
    assert (message.role, message.content.text) == ("user", "Say hello to Ada.")


@pytest.mark.parametrize(
    ("name", "arguments", "sentence"),
    [("nope", {}, "There is no prompt 'nope'"), ("greet", {"whom": "Ada"}, "'whom'"), ("greet", {}, "'who'")],
)
async def test_a_prompt_that_cannot_be_rendered_is_a_protocol_error_that_says_why(
    client: Client, name: str, arguments: dict[str, str], sentence: str
) -> None:
    with pytest.raises(MCPError, match=sentence) as raised:
        await client.get_prompt(name, arguments)
    assert raised.value.code == INVALID_PARAMS

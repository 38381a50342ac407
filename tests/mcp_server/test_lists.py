"""Resources, prompts and completions, seen by the SDK's client on both transports and in both eras."""

import json

import pytest
from mcp import Client, MCPError
from mcp.types import INVALID_PARAMS, PromptReference, ReadResourceResult, ResourceTemplateReference
from mcp.types import TextResourceContents as Text

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOTE = "# Birds\n\nThe zebrafinch sings at dawn."
TEMPLATES = ["toolkit://chunks/{id}", "toolkit://documents/{id}", "toolkit://sessions/{id}"]


def text_of(read: ReadResourceResult) -> str:
    [content] = read.contents
    assert isinstance(content, Text)
    return content.text


async def ingested(client: Client) -> str:
    """The id of a document that is there from now on."""
    await client.call_tool("ingest", {"text": NOTE, "title": "birds.md", "collection": "birds"})
    found = await client.call_tool("semantic_search", {"query": "zebrafinch"})
    document: str = found.structured_content["hits"][0]["chunk_id"].rpartition("-")[0]
    return document


async def values(client: Client, ref: ResourceTemplateReference | PromptReference, name: str, begun: str) -> list[str]:
    return (await client.complete(ref, {"name": name, "value": begun})).completion.values


async def test_documents_and_the_usage_are_listed_with_what_they_are(client: Client) -> None:
    document = await ingested(client)
    listed = {resource.uri: resource for resource in (await client.list_resources(cache_mode="bypass")).resources}
    assert listed["toolkit://usage"].mime_type == "application/json"
    found = listed[f"toolkit://documents/{document}"]
    assert (found.name, found.mime_type) == ("birds.md", "text/markdown")
    assert found.annotations
    assert (found.annotations.audience, found.annotations.priority) == (["user", "assistant"], 0.5)
    assert found.annotations.last_modified


async def test_a_chunk_that_a_search_found_can_be_read_at_its_address_and_so_can_its_document(client: Client) -> None:
    document = await ingested(client)
    templates = [template.uri_template for template in (await client.list_resource_templates()).resource_templates]
    assert templates == TEMPLATES
    for address in (f"toolkit://chunks/{document}-1", f"toolkit://documents/{document}"):
        read = await client.read_resource(address)
        assert text_of(read) == NOTE
        assert read.contents[0].uri == address
        assert read.contents[0].mime_type == ("text/markdown" if "documents" in address else "text/plain")


async def test_the_usage_is_read_as_json(client: Client) -> None:
    assert not (await client.call_tool("chat", {"message": "Do you hear me?"})).is_error
    usage = json.loads(text_of(await client.read_resource("toolkit://usage")))
    assert usage["calls"] >= 1
    assert usage["by_model"]


@pytest.mark.parametrize(
    "address",
    ["toolkit://chunks/nope", "toolkit://documents/nope", "toolkit://sessions/nope", "toolkit://birds/1", "x:y"],
)
async def test_a_resource_that_is_not_there_is_a_protocol_error_with_its_address(client: Client, address: str) -> None:
    with pytest.raises(MCPError) as raised:
        await client.read_resource(address)
    assert raised.value.code == (INVALID_PARAMS if client.protocol_version == "2026-07-28" else -32002)
    assert raised.value.error.data == {"uri": address}
    assert "There is no" in raised.value.message


async def test_a_part_that_there_is_not_is_a_wrong_parameter(client: Client) -> None:
    document = await ingested(client)
    for part in ("x", "-1", "99999", "9" * 5000):
        with pytest.raises(MCPError, match="There is no part") as raised:
            await client.read_resource(f"toolkit://documents/{document}?offset={part}")
        assert raised.value.code == INVALID_PARAMS


async def test_a_cursor_of_somebody_else_is_a_wrong_parameter_of_every_list(client: Client) -> None:
    for listed in (client.list_resources, client.list_resource_templates, client.list_prompts):
        with pytest.raises(MCPError, match="cursor") as raised:
            await listed(cursor="nope")
        assert raised.value.code == INVALID_PARAMS


async def test_documents_are_completed_by_their_source_and_chunks_by_their_document(client: Client) -> None:
    document = await ingested(client)
    chunks, documents, sessions = (ResourceTemplateReference(uri=uri) for uri in TEMPLATES)
    assert await values(client, documents, "id", "BIRDS") == [document]
    assert await values(client, documents, "id", document[:6]) == [document]
    assert await values(client, documents, "id", "100%_no such\0") == []
    assert await values(client, chunks, "id", "birds.md") == [f"{document}-1"]
    assert await values(client, chunks, "id", f"{document}-") == [f"{document}-1"]
    assert await values(client, sessions, "id", "no such title") == []


async def test_arguments_of_prompts_are_completed_by_what_they_are_called(client: Client) -> None:
    await ingested(client)
    prompt = PromptReference(name="search_in")
    assert await values(client, prompt, "collection", "bi") == ["birds"]
    assert await values(client, prompt, "collection", "x") == []
    assert await values(client, prompt, "tone", "") == ["brief"], "what counts if it is not given"
    assert await values(client, prompt, "question", "any") == []


@pytest.mark.parametrize(
    ("ref", "name", "sentence"),
    [
        (PromptReference(name="serch_in"), "tone", "There is no prompt 'serch_in'; the nearest is 'search_in'."),
        (PromptReference(name="search_in"), "ton", "There is no argument 'ton'; the nearest is 'tone'."),
        (ResourceTemplateReference(uri="toolkit://chunk/{id}"), "id", "the nearest is 'toolkit://chunks/{id}'."),
        (ResourceTemplateReference(uri="toolkit://chunks/{id}"), "di", "There is no argument 'di'; there is 'id'."),
    ],
)
async def test_what_cannot_be_completed_is_told_with_the_nearest(
    client: Client, ref: PromptReference | ResourceTemplateReference, name: str, sentence: str
) -> None:
    with pytest.raises(MCPError) as raised:
        await client.complete(ref, {"name": name, "value": ""})
    assert raised.value.code == INVALID_PARAMS
    assert sentence in raised.value.message


async def test_a_list_says_how_long_it_holds_and_for_whom(client: Client) -> None:
    if client.protocol_version != "2026-07-28":
        pytest.skip("only from 2026-07-28 on")
    prompts, resources = await client.list_prompts(), await client.list_resources()
    assert (prompts.ttl_ms, prompts.cache_scope) == (10_000, "public")
    assert (resources.ttl_ms, resources.cache_scope) == (5_000, "private")
    assert (await client.read_resource("toolkit://usage")).cache_scope == "private"

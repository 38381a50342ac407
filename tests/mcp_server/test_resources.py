"""What is listed and read, beyond one page or one person."""

import json
from collections.abc import AsyncIterator

import pytest
from mcp import Client, MCPError
from mcp.types import ResourceTemplateReference, TextResourceContents

from mcp_server import pages, reading
from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.reading import MOST, read
from mcp_server.resources import MOST_PAGES, MOST_SESSIONS
from mcp_server.server import create_server
from toolkit.errors import NotFound
from toolkit.search.documents import Document
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit


@pytest.fixture
async def tk() -> AsyncIterator[Toolkit]:
    async with Toolkit.open(settings=Settings("sqlite://")) as opened:
        yield opened


def client_of(tk: Toolkit, offer: Offer | None = None) -> Client:
    return Client(create_server(House(lambda: tk), offer))


def texts(result: object) -> list[str]:
    return [content.text for content in getattr(result, "contents", ()) if isinstance(content, TextResourceContents)]


async def test_pages_of_documents_are_newest_first_and_end(tk: Toolkit) -> None:
    count = pages.SIZE * MOST_PAGES + 10
    await tk.documents.ingest([Document(f"{number:04}", "Text.") for number in range(count)])
    for _ in range(MOST_SESSIONS + 2):
        await tk.sessions.create()
    names: list[str] = []
    cursor, asked = None, 0
    async with client_of(tk) as client:
        while asked == 0 or cursor:
            listed = await client.list_resources(cursor=cursor)
            cursor, asked = listed.next_cursor, asked + 1
            names += [resource.name for resource in listed.resources]
            if asked == 1:  # what comes later stands before what was given already
                await tk.documents.ingest(Document("new", "Text."))
    assert asked == MOST_PAGES
    documents = [name for name in names if name.isdigit()]
    assert len(documents) == len(set(documents)) == pages.SIZE * MOST_PAGES
    assert names[0] == "usage"
    assert sum(name.startswith("session ") for name in names) == MOST_SESSIONS


async def test_a_long_document_is_read_in_parts_that_together_are_the_whole(tk: Toolkit) -> None:
    whole = "\n".join(f"Line {number} of many." for number in range(1, 12_000)) + "\n" + "x" * (MOST + 5)
    await tk.documents.ingest(Document("long", whole))
    [document] = await tk.documents.recent()
    uri, parts = f"{reading.DOCUMENTS}{document.id}", []
    while True:
        result = await read(tk, uri, None)
        text, *more = texts(result)
        assert len(text) <= MOST
        parts.append(text)
        if not more:
            break
        uri = result.contents[1].uri
        assert more[0].endswith(uri)
    assert len(parts) > 3
    assert all(part.endswith("\n") for part in parts[:2])
    assert "".join(parts) == (await tk.documents.document(document.id)).text


async def test_a_long_session_is_read_from_its_end_back_to_its_beginning(tk: Toolkit) -> None:
    session = await tk.sessions.create(title="Long")
    for number in range(3):
        await tk.complete(f"{number} " + "word " * 10_000, session=session.id, model="offline")
    said = [message.text for message in await tk.sessions.messages(session.id)]
    uri: str | None = f"{reading.SESSIONS}{session.id}"
    found: list[str] = []
    while uri:
        told = json.loads(texts(await read(tk, uri, None))[0])
        assert told["title"] == "Long"
        assert len(json.dumps(told["messages"])) <= 2 * MOST
        found = [message["text"] for message in told["messages"]] + found
        uri = told["earlier"]
    assert found == said


async def test_a_message_that_is_longer_than_a_part_is_cut_and_says_so(tk: Toolkit) -> None:
    session = await tk.sessions.create()
    await tk.complete("x" * (MOST + 1), session=session.id, model="offline")
    told = json.loads(texts(await read(tk, f"{reading.SESSIONS}{session.id}?before=1", None))[0])
    assert told["messages"] == [{"role": "user", "text": "x" * MOST, "cut": True}]
    assert told["earlier"] is None


async def test_what_is_somebody_elses_is_neither_listed_nor_read(tk: Toolkit) -> None:
    await tk.documents.ingest(Document("diary", "Secret."), owner="ada")
    session = await tk.sessions.create(owner="ada")
    [document] = await tk.documents.recent(owner="ada")
    assert await tk.documents.recent(owner="bob") == []
    assert await tk.documents.recent(owner="bob", matching="diary") == []
    for own in (
        f"{reading.DOCUMENTS}{document.id}",
        f"{reading.CHUNKS}{document.id}-1",
        f"{reading.SESSIONS}{session.id}",
    ):
        assert await read(tk, own, "ada")
        with pytest.raises(NotFound):
            await read(tk, own, "bob")


async def test_who_is_not_offered_a_tool_does_not_get_its_answers_as_resources(tk: Toolkit) -> None:
    await tk.documents.ingest(Document("diary", "Secret."))
    [document] = await tk.documents.recent()
    async with client_of(tk, Offer.of("list_sessions,usage_report")) as client:
        assert [resource.uri for resource in (await client.list_resources()).resources] == ["toolkit://usage"]
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource(f"{reading.DOCUMENTS}{document.id}")
    async with client_of(tk, Offer.of("list_models")) as client:
        assert client.server_capabilities.resources is None


async def test_prompts_are_listed_in_pages(tk: Toolkit) -> None:
    for number in range(pages.SIZE):
        await tk.prompts.add(f"prompt{number:03}", "Say hello.")
    names: list[str] = []
    cursor = None
    async with client_of(tk) as client:
        while not names or cursor:
            listed = await client.list_prompts(cursor=cursor)
            names, cursor = names + [prompt.name for prompt in listed.prompts], listed.next_cursor
    assert len(names) > pages.SIZE
    assert names == sorted(set(names))


async def test_a_broken_database_is_told_by_the_list_in_words_and_hides_no_prompt_of_a_file() -> None:
    house = House(lambda: Toolkit.open(settings=Settings("sqlite:////proc/no/such.db")))
    async with Client(create_server(house)) as client:
        assert "review_code" in [prompt.name for prompt in (await client.list_prompts()).prompts]
        with pytest.raises(MCPError, match="/proc/no") as raised:
            await client.list_resources()
        assert "Traceback" not in raised.value.message


async def test_more_than_a_hundred_values_are_never_completed(tk: Toolkit) -> None:
    await tk.documents.ingest([Document(f"guide/{number}", "Text.") for number in range(120)])
    async with client_of(tk) as client:
        found = await client.complete(
            ResourceTemplateReference(uri="toolkit://documents/{id}"), {"name": "id", "value": "guide"}
        )
        assert (len(found.completion.values), found.completion.total, found.completion.has_more) == (100, None, True)
        found = await client.complete(
            ResourceTemplateReference(uri="toolkit://documents/{id}"), {"name": "id", "value": "guide/11"}
        )
        assert (len(found.completion.values), found.completion.total) == (11, 11)

"""Ten tasks that an agent completes with what the server tells it: names, schemas, instructions, results and errors."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from mcp import Client

from tests.mcp_server.agent import Plan, Want, converse
from tests.mcp_server.serving import held, stdio
from toolkit.toolkit import Toolkit

pytestmark = pytest.mark.asyncio(loop_scope="module")

KINGFISHER = "The kingfisher nests in a tunnel that it digs in the bank of a river."
CHUNK = re.compile(r"\[(\w+-\d+)\] (\S+)")  # how a hit begins, and how a citation ends


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """A host of `toolkit-mcp` with every tool, two models that say what they were told to, and a document."""
    url = f"sqlite:///{tmp_path_factory.mktemp('agent') / 'toolkit.db'}"
    async with Toolkit.open(url) as tk:
        for priority, name in ((1, "ada"), (2, "bob")):
            config = {"say": [f"I am {name}: tides come from the moon, and kingfishers nest in tunnels [1]."]}
            await tk.models.add("scripted", name, name=name, priority=priority, config=config)
    everything = stdio(url, "--tools", "default,search,models,sessions,search-admin")
    async with held(Client(everything)) as connected:
        await connected.call_tool("ingest", {"text": KINGFISHER, "title": "kingfisher.md", "collection": "birds"})
        yield connected


def looked_up(question: str) -> Plan:
    hits = yield Want("search documents for passages", {"the question": question})
    chunk, source = CHUNK.findall(hits)[0]
    passage = yield Want("read a chunk in full", {"chunk id that a hit gives": chunk})
    return f"{passage.strip().splitlines()[-1]} ({source})"


async def test_it_finds_a_passage_and_quotes_it_with_its_source(client: Client) -> None:
    told = await converse(client, "Where do kingfishers nest?", looked_up("Where does the kingfisher nest?"))
    assert KINGFISHER in told.answer
    assert "kingfisher.md" in told.answer
    assert told.errors == []


async def test_it_adds_a_text_and_finds_it(client: Client) -> None:
    note = "The wren is the loudest bird for its size."

    def plan() -> Plan:
        yield Want("add a text", {"a text to keep": note, "the text's name title": "wren.md"})
        return (yield from looked_up("Which bird is the loudest for its size?"))

    told = await converse(client, f"Remember this, and tell me what you know: {note}", plan())
    assert note in told.answer
    assert "wren.md" in told.answer


async def test_it_has_a_question_answered_and_checks_what_is_cited(client: Client) -> None:
    def plan() -> Plan:
        question = "Where does the kingfisher nest?"
        answer = yield Want("model answer from ingested documents citing", {"the question in plain words": question})
        [cited] = set(re.findall(r"^\[1\] (\S+-\d+) ", answer, re.MULTILINE))
        passage = yield Want("read a chunk that ask cites in full", {"chunk id": cited})
        return f"{answer}\nIt stands there: {KINGFISHER in passage}"

    told = await converse(client, "Where do kingfishers nest? Is that so?", plan())
    assert "[1]" in told.answer
    assert told.answer.endswith("It stands there: True")


async def test_it_goes_on_with_a_conversation(client: Client) -> None:
    def plan() -> Plan:
        made = yield Want("create a conversation", {"what it is about": "tides"})
        session = made.split()[0]
        for said in ("What moves the tides?", "Are you sure?"):
            yield Want("ask another language model", {"what to say": said, "session to continue": session})
        return (yield Want("read what was said in a session", {"id of the session": session}))

    told = await converse(client, "Discuss the tides with another model.", plan())
    for said in ("What moves the tides?", "Are you sure?", "tides come from the moon"):
        assert said in told.answer
    assert told.errors == []


async def test_it_compares_two_models_that_it_was_told_of(client: Client) -> None:
    def plan() -> Plan:
        listed = yield Want("list models that can be used")
        names = re.findall(r"^\d+ (\S+) \(", listed, re.MULTILINE)[:2]
        asked = {"what all of them are asked": "Who are you?", "names provider model": names}
        return (yield Want("ask several models the same, compare their answers", asked))

    told = await converse(client, "What do the two first models say of themselves?", plan())
    assert "I am ada" in told.answer
    assert "I am bob" in told.answer


async def test_it_deletes_a_document_only_once_its_user_has_agreed(client: Client) -> None:
    asked: list[str] = []

    def user(question: str) -> str:
        asked.append(question)
        return "Yes."

    def plan() -> Plan:
        yield Want("add a text", {"a text to keep": "The dodo is extinct.", "the text's name title": "dodo.md"})
        hits = yield Want("search documents for passages", {"the question": "Is the dodo extinct?"})
        document = CHUNK.findall(hits)[0][0].rpartition("-")[0]
        deleted = yield Want("remove a document that shall be forgotten", {"part of a chunk id": document})
        left = yield Want("search documents for passages", {"the question": "dodo"})
        return f"{deleted}\nLeft: {left}"

    told = await converse(client, "Forget what you know of the dodo.", plan(), user=user)
    assert len(asked) == 1
    assert "dodo.md" not in told.answer.partition("Left: ")[2]
    assert [error for error in told.errors if "ask the user" not in error] == []


async def test_it_follows_a_cursor_to_the_end(client: Client) -> None:
    def plan() -> Plan:
        for n in range(7):
            yield Want(
                "add a text",
                {
                    "a text to keep": f"Petrel number {n} flies over the sea.",
                    "the text's name title": f"petrel-{n}.md",
                    "the set it belongs to": "petrels",
                },
            )
        seen: list[str] = []
        wish = {"the question": "petrel", "where to look collection": "petrels", "how many hits": 3}
        hits = yield Want("search documents for passages", wish)
        while True:
            seen += [source.partition(":")[0] for _, source in CHUNK.findall(hits)]
            cursor = re.search(r"cursor[=: ]+[\"'`]?([\w-]+)", hits)
            if not cursor:
                return " ".join(seen)
            hits = yield Want("search documents for passages", {**wish, "as the hits before gave cursor": cursor[1]})

    told = await converse(client, "Which petrels are there?", plan())
    assert sorted(told.answer.split()) == [f"petrel-{n}.md" for n in range(7)]
    assert told.errors == []


async def test_it_recovers_from_an_argument_that_does_not_exist(client: Client) -> None:
    def plan() -> Plan:
        return (yield Want(name="semantic_search", given={"question": "Where does the kingfisher nest?"}))

    told = await converse(client, "Where do kingfishers nest?", plan())
    assert len(told.errors) == 1
    assert KINGFISHER in told.answer
    assert told.calls == ["semantic_search", "semantic_search"]


async def test_it_recovers_from_a_tool_that_does_not_exist(client: Client) -> None:
    def plan() -> Plan:
        return (yield Want(name="search_semantic", given={"query": "Where does the kingfisher nest?"}))

    told = await converse(client, "Where do kingfishers nest?", plan())
    assert len(told.errors) == 1
    assert KINGFISHER in told.answer
    assert told.calls == ["search_semantic", "semantic_search"]


async def test_it_says_what_was_used(client: Client) -> None:
    def plan() -> Plan:
        yield Want("ask another language model", {"what to say": "Hello."})
        return (yield Want("report calls tokens cost of all models", {"what to group by": "model"}))

    told = await converse(client, "What have the models cost?", plan())
    assert re.search(r"ada: \d+ calls", told.answer)
    assert told.errors == []

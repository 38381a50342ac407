"""Destructive calls, about which a host asks its user: on each transport, in each era of the protocol."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from mcp import Client
from mcp.client.session import ClientRequestContext
from mcp.types import CallToolResult, ElicitRequestFormParams, ElicitResult, ErrorData, InputRequiredResult

from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.server import create_server
from tests.mcp_server.serving import ERAS, MISBEHAVING, held, stdio, text_of
from toolkit.search.documents import Document
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

pytestmark = pytest.mark.asyncio(loop_scope="module")
LEGACY, MODERN = ERAS
YES = ElicitResult(action="accept", content={"confirm": True})


class User:
    """Gives the host's questions one answer after the other, and remembers them."""

    def __init__(self) -> None:
        self.asked: list[ElicitRequestFormParams] = []
        self.answer: ElicitResult | ErrorData = YES

    async def __call__(self, context: ClientRequestContext, params: Any) -> ElicitResult | ErrorData:  # noqa: ARG002 - the SDK's
        self.asked.append(params)
        return self.answer


@pytest_asyncio.fixture(
    scope="module", loop_scope="module", params=[f"{where} {era}" for where in ("stdio", "http") for era in ERAS]
)
async def host(
    request: pytest.FixtureRequest, database: str, settings: dict[str, str]
) -> AsyncIterator[tuple[Client, User]]:
    """A host that can ask its user."""
    where, era = request.param.split()
    server = (
        stdio(database, command=MISBEHAVING, env=settings) if where == "stdio" else request.getfixturevalue("http_url")
    )
    user = User()
    async with held(Client(server, mode=ERAS[era], elicitation_callback=user)) as client:
        assert client.protocol_version == era
        yield client, user


async def shred(client: Client, marks: Path, **more: Any) -> CallToolResult:
    return await client.call_tool("shred", {"marks": str(marks), **more})


async def test_the_user_is_asked_once_what_is_to_be_done_and_agrees(host: tuple[Client, User], tmp_path: Path) -> None:
    client, user = host
    user.asked, user.answer = [], YES
    marks = tmp_path / "marks"
    result = await shred(client, marks)
    assert text_of(result) == "shredded"
    assert marks.exists()
    [asked] = user.asked
    assert asked.message == f'Shred? Write over the file `marks`.\nmarks: "{marks}"'
    assert asked.requested_schema["required"] == ["confirm"]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (ElicitResult(action="decline"), "The user does not want shred to be called so; nothing was done."),
        (ElicitResult(action="accept", content={"confirm": False}), "The user does not want shred"),
        (ElicitResult(action="accept", content={}), "The user does not want shred"),
        (ElicitResult(action="cancel"), "The user closed the question whether to call shred without an answer"),
    ],
)
async def test_whoever_declines_or_goes_away_has_nothing_done_even_if_the_model_says_otherwise(
    host: tuple[Client, User], tmp_path: Path, answer: ElicitResult, sentence: str
) -> None:
    client, user = host
    user.answer = answer
    result = await shred(client, tmp_path / "marks", confirm=True)
    assert result.is_error
    assert text_of(result).startswith(sentence)
    assert not (tmp_path / "marks").exists()


async def test_nobody_is_asked_about_a_call_that_is_wrong(host: tuple[Client, User], tmp_path: Path) -> None:
    client, user = host
    user.asked, user.answer = [], YES
    result = await client.call_tool("shred", {"mark": str(tmp_path / "marks")})
    assert "`mark` is unknown, use `marks`" in text_of(result)
    assert user.asked == []


async def test_where_the_host_fails_to_ask_the_models_word_counts(tmp_path: Path) -> None:
    user = User()
    user.answer = ErrorData(code=-1, message="No window is open.")
    async with Client(server(), mode=ERAS[LEGACY], elicitation_callback=user) as client:
        refused = await shred(client, tmp_path / "marks")
        assert "could not ask its user (No window is open)" in text_of(refused)
        assert "confirm=true" in text_of(refused)
        assert not (tmp_path / "marks").exists()
        assert not (await shred(client, tmp_path / "marks", confirm=True)).is_error
    assert (tmp_path / "marks").exists()


async def test_an_answer_holds_for_the_call_about_which_was_asked_and_for_no_other(tmp_path: Path) -> None:
    async with Client(server(), mode=ERAS[MODERN], elicitation_callback=User()) as client:
        arguments = {"marks": str(tmp_path / "mine")}
        waiting = await client.session.call_tool("shred", arguments, allow_input_required=True)
        assert isinstance(waiting, InputRequiredResult)
        answers = dict.fromkeys(waiting.input_requests or {}, YES)
        for other in ({"marks": str(tmp_path / "yours")}, {**arguments, "confirm": True}):
            result = await client.session.call_tool(
                "shred",
                other,
                input_responses={**answers},
                request_state=waiting.request_state,
                allow_input_required=True,
            )
            assert isinstance(result, CallToolResult)
            assert result.is_error
        assert not (tmp_path / "mine").exists()
        assert not (tmp_path / "yours").exists()


@pytest.mark.parametrize(("other", "done"), [("x" * 40, True), ("y" * 40, False)])
async def test_an_answer_holds_in_every_replica_that_has_the_same_secret(
    other: str, done: bool, tmp_path: Path
) -> None:
    asking, hearing = (server(TOOLKIT_SECRET_KEY=secret) for secret in ("x" * 40, other))
    arguments = {"marks": str(tmp_path / "marks")}
    async with Client(asking, mode=ERAS[MODERN], elicitation_callback=User()) as client:
        waiting = await client.session.call_tool("shred", arguments, allow_input_required=True)
        assert isinstance(waiting, InputRequiredResult)
    async with Client(hearing, mode=ERAS[MODERN], elicitation_callback=User()) as client:
        result = await client.session.call_tool(
            "shred",
            arguments,
            input_responses=dict.fromkeys(waiting.input_requests or {}, YES),
            request_state=waiting.request_state,
            allow_input_required=True,
        )
    assert isinstance(result, CallToolResult)
    assert (not result.is_error, (tmp_path / "marks").exists()) == (done, done)


@pytest.mark.parametrize("era", ERAS)
async def test_a_refused_call_is_kept_in_the_ledger_as_such_and_a_collection_stays(era: str) -> None:
    user = User()
    user.answer = ElicitResult(action="decline")
    tk = Toolkit.open("sqlite://")
    async with tk:
        await tk.ingest(Document("a", "A heron."))
        made = create_server(House(lambda: tk), Offer.of("search-admin"))
        async with Client(made, mode=ERAS[era], elicitation_callback=user) as client:
            assert (await client.call_tool("delete_collection", {"collection": "default"})).is_error
            assert [each.name for each in await tk.documents.collections()] == ["default"]
            async with asyncio.timeout(20):  # the ledger writes beside the call
                while not (kept := await tk.db.fetch_all("SELECT tool, status FROM tool_calls")):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.01)
            assert [(row["tool"], row["status"]) for row in kept] == [("delete_collection", "refused")]
            user.answer = YES
            assert not (await client.call_tool("delete_collection", {"collection": "default"})).is_error
            assert await tk.documents.collections() == []


def server(**environ: str) -> Any:
    """A server in this process, with one destructive tool of the user's own."""
    tk = Toolkit.open(settings=Settings("sqlite://", environ=environ))

    @tk.tools.tool(destructive=True)
    def shred(marks: str) -> str:
        """Write over the file `marks`."""
        Path(marks).write_text("shredded", encoding="utf-8")
        return "shredded"

    return create_server(House(lambda: tk), Offer.of("shred"))

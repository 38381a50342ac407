"""The house: the rooms together, over each database, with the real SDKs against a server that speaks their wire."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import asyncpg
import pytest

import toolkit
from toolkit import Document, Toolkit, stamps
from toolkit.errors import AllModelsFailed, DatabaseFull, DatabaseUnavailable, NotFound, SessionExpired
from toolkit.settings import Settings
from toolkit.stamps import now
from toolkit.testing.vendors import Fault, VendorServer


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


@pytest.fixture
async def tk(database_url: str, vendors: VendorServer) -> AsyncIterator[Toolkit]:
    """A toolkit with two vendors: openai is asked first, then anthropic."""
    async with Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url=database_url)) as opened:
        yield opened


def test_every_public_name_is_there() -> None:
    assert toolkit.__all__ == sorted(toolkit.__all__)
    for name in toolkit.__all__:
        assert getattr(toolkit, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = toolkit.Nothing


async def test_a_sick_vendor_is_passed_over_and_the_reply_says_so(tk: Toolkit, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(503))
    vendors.say("Paris.", vendor="anthropic")

    reply = await tk.complete("What is the capital of France?", user="ada", origin="quiz")

    assert reply.text == "Paris."
    assert [(a.provider, a.error, a.status) for a in reply.attempts][-2:] == [
        ("openai", "ProviderUnavailable", 503),
        ("anthropic", None, None),
    ]
    calls = await tk.usage.calls(call_id=reply.call_id)
    assert {(c.attempt.provider, c.status, c.user, c.origin) for c in calls} == {
        ("openai", "error", "ada", "quiz"),
        ("anthropic", "ok", "ada", "quiz"),
    }
    assert reply.cost_usd is not None
    assert reply.cost_usd > 0


async def test_a_stream_that_breaks_off_is_finished_by_the_next_vendor(tk: Toolkit, vendors: VendorServer) -> None:
    vendors.say("one two three four five six", vendor="openai")
    vendors.fail("openai", Fault.cut(after=3))
    vendors.say(" four five six", vendor="anthropic")

    deltas = [delta async for delta in tk.stream("Count to six")]

    assert "".join(d.text for d in deltas) == "one two three four five six"
    assert deltas[-1].reply is not None
    assert deltas[-1].reply.text == "one two three four five six"


async def test_a_session_keeps_question_and_answer_and_a_model_is_told_them(tk: Toolkit, vendors: VendorServer) -> None:
    session = await tk.sessions.create(user="ada")
    vendors.say("Hello Ada.", "You are Ada.")

    await tk.complete("I am Ada.", session=session.id)
    reply = await tk.complete("Who am I?", session=session.id)

    assert reply.session_id == session.id
    assert [(m.role, m.text) for m in await tk.sessions.messages(session.id)] == [
        ("user", "I am Ada."),
        ("assistant", "Hello Ada."),
        ("user", "Who am I?"),
        ("assistant", "You are Ada."),
    ]
    assert [m["content"] for m in vendors.requests[-1].body["messages"]][:2] == ["I am Ada.", "Hello Ada."]


async def test_a_turn_that_nobody_answered_leaves_nothing_in_its_session(tk: Toolkit, vendors: VendorServer) -> None:
    session = await tk.sessions.create()
    vendors.fail("openai", Fault.status(401))
    vendors.fail("anthropic", Fault.status(401))

    with pytest.raises(AllModelsFailed) as failure:
        await tk.complete("Anyone?", session=session.id)

    assert [a.error for a in failure.value.attempts] == ["AuthenticationFailed", "AuthenticationFailed"]
    assert await tk.sessions.messages(session.id) == []


async def test_a_registered_function_is_called_by_the_model_and_stays_callable(
    tk: Toolkit, vendors: VendorServer
) -> None:
    @tk.tool(read_only=True)
    def double(number: int) -> int:
        """Double a number.

        Args:
            number: what to double.
        """
        return 2 * number

    vendors.call_tool("double", {"number": 21}, vendor="openai")
    vendors.say("It is 42.", vendor="openai")

    reply = await tk.complete("What is twice 21?", tools=["double"])

    assert double(2) == 4
    assert reply.text == "It is 42."
    assert "42" in str(vendors.requests[-1].body["messages"][-1])


async def test_an_answer_cites_the_passages_that_a_vendor_was_given(
    tk: Toolkit, vendors: VendorServer, tmp_path: Path
) -> None:
    (tmp_path / "ports.md").write_text("# Ports\n\nThe harbour of Visby opens at seven.\n", encoding="utf-8")
    await tk.ingest(tmp_path / "ports.md")
    session = await tk.sessions.create()
    vendors.say("At seven [1].", vendor="openai")

    answer = await tk.answer("When does the harbour open?", session=session.id)

    assert answer.text == "At seven [1]."
    assert [(c.number, c.lines) for c in answer.citations] == [(1, (1, 3))]
    assert "opens at seven" in str(vendors.requests[-1].body["messages"])
    stored = await tk.sessions.messages(session.id)
    assert stored[0].text == "When does the harbour open?", "the session keeps the question without the passages"


async def test_without_a_key_questions_are_answered_from_the_documents(database_url: str, tmp_path: Path) -> None:
    (tmp_path / "ports.md").write_text("# Ports\n\nThe harbour of Visby opens at seven.\n", encoding="utf-8")
    async with Toolkit.open(settings=Settings.from_env({}, database_url=database_url)) as tk:
        await tk.ingest(tmp_path)
        answer = await tk.answer("When does the harbour of Visby open?")
        chat = await tk.complete("Tell me a joke.")

    assert "The harbour of Visby opens at seven [1]." in answer.text
    assert answer.citations[0].source.endswith("ports.md")
    assert answer.reply.model == "offline"
    assert "OPENAI_API_KEY" in chat.text


async def test_vendors_that_all_fail_are_not_replaced_by_the_offline_model_in_a_chat(
    tk: Toolkit, vendors: VendorServer
) -> None:
    vendors.fail("openai", Fault.status(401))
    vendors.fail("anthropic", Fault.status(401))

    with pytest.raises(AllModelsFailed):
        await tk.complete("Tell me a joke.")


async def test_tools_are_listed_while_nothing_is_open(tmp_path: Path) -> None:
    file = tmp_path / "toolkit.db"
    tk = Toolkit.open(f"sqlite:///{file}")
    assert [t.name for t in tk.tools.list(preset="default")] == [
        "semantic_search",
        "get_chunk",
        "list_collections",
        "ingest",
        "ask",
        "chat",
    ]
    assert not file.exists()
    await tk.close()


async def test_a_database_that_cannot_be_opened_is_tried_again_by_the_next_call(tmp_path: Path) -> None:
    file = tmp_path / "toolkit.db"
    file.write_text("this is not a database, although it is long enough to be looked at" * 20, encoding="utf-8")
    tk = Toolkit.open(f"sqlite:///{file}")
    with pytest.raises(DatabaseUnavailable):
        await tk.start()
    assert (await tk.health())["status"] == "unready"

    file.unlink()

    await tk.start()
    assert (await tk.health())["status"] == "ready"
    await tk.close()


async def test_a_borrowed_pool_is_left_open_and_a_schema_of_its_own_is_used(postgres_dsn: str) -> None:
    async with asyncpg.create_pool(postgres_dsn, min_size=1, max_size=3) as pool:
        async with Toolkit.borrow(pool, schema="borrower", settings=Settings.from_env({})) as tk:
            session = await tk.sessions.create()
        assert await pool.fetchval("SELECT id FROM borrower.sessions") == session.id
        await pool.execute("DROP SCHEMA borrower CASCADE")


async def test_an_address_wins_over_that_of_the_settings(tmp_path: Path) -> None:
    settings = Settings.from_env({}, database_url=f"sqlite:///{tmp_path}/other.db")
    async with Toolkit.open("sqlite://", settings=settings) as tk:
        assert tk.settings.database_url == "sqlite://"
        assert (await tk.db.fetch_all("PRAGMA database_list"))[0]["file"] == ""


async def test_health_names_the_chain_that_would_be_tried(tk: Toolkit) -> None:
    health = await tk.health()
    assert health["status"] == "ready"
    assert health["checks"]["models"]["chain"][-1] == "offline"
    assert len(health["checks"]["models"]["chain"]) == 3


async def test_health_tells_of_a_model_that_is_left_in_peace_for_how_long_and_why(
    tk: Toolkit, vendors: VendorServer
) -> None:
    vendors.fail("openai", Fault.status(503, "The engine is overheated."))
    for _ in range(2):
        await tk.complete("Anyone?")
    asked = len(vendors.requests)
    await tk.complete("Anyone?")

    models = json.loads(json.dumps(await tk.health()))["checks"]["models"]
    (resting,) = models["resting"]
    assert models["ok"]
    assert models["message"] == "Left in peace for a while, because they failed: gpt-6-luna."
    assert (resting["model"], resting["state"], resting["failures"]) == ("gpt-6-luna", "open", 3)
    assert "overheated" in resting["message"]
    assert datetime.fromisoformat(resting["until"]) > now()
    assert [request.vendor for request in vendors.requests[asked:]] == ["anthropic"]


async def test_a_ledger_that_cannot_write_breaks_no_answer_and_is_told_by_health(
    tk: Toolkit, vendors: VendorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise DatabaseFull("There is no space left.")

    vendors.say("Still here.")
    monkeypatch.setattr(tk.db, "write", full)

    reply = await tk.complete("Anyone?")
    health = await tk.health()

    assert reply.text == "Still here."
    assert health["status"] == "ready"
    assert health["checks"]["ledger"] == {"ok": False, "milliseconds": 0.0, "message": "There is no space left."}


async def test_texts_are_embedded_by_the_model_that_is_named(tk: Toolkit, vendors: VendorServer) -> None:
    one, other, again = await tk.embed(["a boat", "a bird", "a boat"], model="openai/text-embedding-3-small")
    assert one == again != other
    assert [request.path for request in vendors.requests] == ["/v1/embeddings"]


async def test_a_chain_without_an_enabled_model_is_not_ready(tk: Toolkit) -> None:
    for model in await tk.models.list():
        await tk.models.set(model.name, enabled=False)
    health = await tk.health()
    assert health["status"] == "unready"
    assert "toolkit models enable" in health["checks"]["models"]["message"]


async def test_two_toolkits_on_one_database_see_each_others_sessions(database_url: str) -> None:
    settings = Settings.from_env({}, database_url=database_url)
    async with Toolkit.open(settings=settings) as one, Toolkit.open(settings=settings) as other:
        session = await one.sessions.create(title="shared")
        assert (await other.sessions.get(session.id)).title == "shared"


async def test_many_chats_at_once_are_all_kept(tk: Toolkit) -> None:
    sessions = [await tk.sessions.create() for _ in range(8)]
    replies = await asyncio.gather(*(tk.complete(f"Question {n}", session=sessions[n % 8].id) for n in range(32)))
    kept = [len(await tk.sessions.messages(session.id)) for session in sessions]
    assert len(replies) == 32
    assert kept == [8] * 8


async def test_the_tools_say_what_the_methods_say(tk: Toolkit, vendors: VendorServer) -> None:
    made = await tk.tools.call("create_session", {"title": "by tool"})
    vendors.fail("openai", Fault.status(429, headers={"retry-after": "3600"}))
    vendors.say("Yes.", vendor="anthropic")
    chat = await tk.tools.call("chat", {"message": "Well?", "session": made.data["id"]})
    usage = await tk.tools.call("usage_report", {"by": "provider"})
    read = await tk.tools.call("get_session", {"session": made.data["id"]})
    listed = await tk.tools.call("list_sessions", {})
    models = await tk.tools.call("list_models", {})

    assert chat.data["text"] == "Yes."
    assert [a["ok"] for a in chat.data["attempts"]] == [False, True]
    assert "RateLimited" in chat.text
    assert {(row["key"], row["failures"]) for row in usage.data["rows"]} == {("openai", 1), ("anthropic", 0)}
    assert [m["text"] for m in read.data["messages"]] == ["Well?", "Yes."]
    assert "user: Well?\nassistant: Yes." in read.text
    assert [s["title"] for s in listed.data["sessions"]] == ["by tool"]
    assert [m["provider"] for m in models.data["models"]] == ["openai", "anthropic", "offline"]


async def test_the_tool_ask_names_the_chunks_that_its_answer_rests_on(tk: Toolkit, vendors: VendorServer) -> None:
    await tk.ingest(Document("ports.md", "# Ports\n\nThe harbour of Visby opens at seven.\n", kind="markdown"))
    vendors.say("At seven [1].", vendor="openai")

    result = await tk.tools.call("ask", {"question": "When does the harbour open?"})

    [cited] = result.data["citations"]
    chunk = await tk.tools.call("get_chunk", {"chunk_id": cited["chunk_id"]})
    assert result.data["answer"] == "At seven [1]."
    assert "The harbour of Visby opens at seven." in chunk.text
    assert f"[1] {cited['chunk_id']} ports.md:1-3" in result.text


async def test_a_session_is_extended_and_deleted_by_tool(tk: Toolkit) -> None:
    session = await tk.sessions.create(ttl=60)
    extended = await tk.tools.call("extend_session", {"session": session.id, "ttl_seconds": 7200})
    assert extended.data["ttl_seconds"] == 7200
    await tk.tools.call("delete_session", {"session": session.id})
    with pytest.raises(NotFound):
        await tk.sessions.get(session.id)


async def test_an_expired_session_is_refused_before_a_model_is_asked(tk: Toolkit, vendors: VendorServer) -> None:
    session = await tk.sessions.create(ttl=60)
    with stamps.freeze(session.expires_at), pytest.raises(SessionExpired, match="expired at"):
        await tk.complete("Still there?", session=session.id)
    assert vendors.requests == []

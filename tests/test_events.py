"""What the rooms tell: each change exactly once, to listeners in any process, and never what was said."""

import asyncio
import json
import re
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from notebooks import connection
from toolkit import Document, Toolkit, open_sync, stamps
from toolkit.db.feed import Event
from toolkit.errors import AllModelsFailed, Conflict, NotFound
from toolkit.settings import Settings
from toolkit.testing.vendors import Fault, VendorServer

ROOT = Path(__file__).parent.parent
EXAMPLES = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "events.md").read_text(encoding="utf-8"), re.DOTALL)
ANOTHER_PROCESS = """
import sys
from toolkit import open_sync
with open_sync(sys.argv[1]) as tk:
    tk.events.publish("cache.invalidate", "prices", {"n": 1})
    session = tk.sessions.create()
    tk.complete("hello", model="offline", session=session.id)
    print(session.id)
"""


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


@pytest.fixture
async def tk(database_url: str, vendors: VendorServer) -> AsyncIterator[Toolkit]:
    """A toolkit with two vendors: openai is asked first, then anthropic."""
    async with Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url=database_url)) as opened:
        yield opened


async def told(tk: Toolkit, since: str) -> list[Event]:
    """Everything after `since`, up to now."""
    end = stamps.new_id()
    await tk.events.publish("test.end", end)
    events: list[Event] = []
    async with asyncio.timeout(30), aclosing(tk.events.subscribe(after=since)) as feed:
        async for event in feed:
            if event.subject == end:
                return events
            if event.kind != "test.end":
                events.append(event)
    raise AssertionError("the feed ended")


def brief(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.subject) for event in events]


async def test_a_turn_in_a_session_is_told_with_who_asked_and_what_it_cost_but_not_what_was_said(
    tk: Toolkit, vendors: VendorServer
) -> None:
    start = await tk.events.last()
    session = await tk.sessions.create(user="ada", context={"secret": "heron"}, title="heron")
    vendors.fail("openai", Fault.status(503))
    vendors.say("The heron fishes.", vendor="anthropic")
    reply = await tk.complete("Where is the heron?", session=session.id, user="ada", origin="quiz")
    await tk.sessions.delete(session.id)

    events = await told(tk, start)
    kinds = [event.kind for event in events]
    assert kinds[0] == "session.created"
    assert set(kinds[1:-3]) == {"generation.failed"}
    assert kinds[-3:] == ["generation.completed", "session.updated", "session.deleted"]
    assert {event.subject for event in events} == {session.id}
    assert "heron" not in json.dumps([event.body for event in events])

    failed, completed, updated, deleted = (event.body for event in events[-4:])
    assert failed["error"] == "ProviderUnavailable"
    assert (failed["provider"], failed["call_id"]) == ("openai", reply.call_id)
    assert completed == {
        "call_id": reply.call_id,
        "attempt": len(reply.attempts),
        "model": reply.model,
        "provider": "anthropic",
        "session_id": session.id,
        "user": "ada",
        "origin": "quiz",
        "input_tokens": reply.usage.input_tokens,
        "output_tokens": reply.usage.output_tokens,
        "cost_usd": reply.cost_usd,
        "milliseconds": reply.attempts[-1].milliseconds,
    }
    assert updated == {"messages": 2, "call_id": reply.call_id}
    assert deleted == {"expired": False}


async def test_a_question_without_a_session_is_told_under_its_call_streamed_or_not(tk: Toolkit) -> None:
    start = await tk.events.last()
    reply = await tk.complete("a")
    last = [delta async for delta in tk.stream("b")][-1]
    assert last.reply
    assert brief(await told(tk, start)) == [
        ("generation.completed", reply.call_id),
        ("generation.completed", last.reply.call_id),
    ]


async def test_an_answer_that_nobody_gave_is_told_as_failed_only(tk: Toolkit, vendors: VendorServer) -> None:
    start = await tk.events.last()
    for vendor in ("openai", "anthropic"):
        vendors.fail(vendor, Fault.status(401))
    with pytest.raises(AllModelsFailed):
        await tk.complete("a", model="openai/gpt-4o-mini")
    events = await told(tk, start)
    assert {(event.kind, event.body["error"]) for event in events} == {("generation.failed", "AuthenticationFailed")}


async def test_cancelled_questions_and_embeddings_are_in_the_ledger_and_not_in_the_feed(
    tk: Toolkit, vendors: VendorServer
) -> None:
    start = await tk.events.last()
    vendors.fail("openai", Fault.hang())
    asking = asyncio.create_task(tk.complete("a"))
    while not vendors.requests:  # noqa: ASYNC110 - the vendor is the work
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait({asking})
    vendors.recover("openai")
    await tk.embed(["a"], model="openai/text-embedding-3-small")
    assert {(call.kind, call.status) for call in await tk.usage.calls()} == {("chat", "cancelled"), ("embed", "ok")}
    assert await told(tk, start) == []


async def test_a_caller_with_a_very_long_name_keeps_his_row(tk: Toolkit) -> None:
    start = await tk.events.last()
    await tk.complete("a", user="u" * 100_000)
    assert tk.usage.last_failure is None
    assert [len(event.body["user"]) for event in await told(tk, start)] == [500]


async def test_every_session_that_is_swept_is_told_once_and_one_that_stays_is_not(tk: Toolkit) -> None:
    with stamps.freeze(stamps.now() - timedelta(days=1)):
        gone = [(await tk.sessions.create(ttl=1)).id for _ in range(5)]
    stays = await tk.sessions.create()
    start = await tk.events.last()
    assert sum(await asyncio.gather(tk.sessions.sweep(), tk.sessions.sweep())) == 5
    events = await told(tk, start)
    assert sorted(event.subject for event in events) == sorted(gone)
    assert {(event.kind, event.body["expired"]) for event in events} == {("session.deleted", True)}
    assert await tk.sessions.get(stays.id)


async def test_a_fork_is_told_with_the_session_it_comes_from_and_what_fails_is_not_told(tk: Toolkit) -> None:
    session = await tk.sessions.create()
    start = await tk.events.last()
    fork = await tk.sessions.fork(session.id)
    await tk.sessions.delete(session.id)
    for refused in (tk.sessions.delete(session.id), tk.sessions.append(session.id, ()), tk.sessions.fork(session.id)):
        with pytest.raises(NotFound):
            await refused
    events = await told(tk, start)
    assert brief(events) == [("session.created", fork.id), ("session.deleted", session.id)]
    assert events[0].body == {"parent_id": session.id}


async def test_every_change_of_a_model_is_told_by_its_name(tk: Toolkit) -> None:
    start = await tk.events.last()
    first = await tk.models.add("openai", "a", name="first", default=True)
    second = await tk.models.add("openai", "b", name="second", default=True)  # which takes it from the first
    with pytest.raises(Conflict):
        await tk.models.add("openai", "c", name="second")
    await tk.models.set("second", priority=5)
    await tk.models.set("second", priority=5)  # which changes nothing
    await tk.models.set("second", new_name="third")
    await tk.models.remove("third")
    assert [(e.kind, e.subject, e.body) for e in await told(tk, start)] == [
        ("model.updated", "first", {"action": "add", "id": first.id, "was": None}),
        ("model.updated", "first", {"action": "set", "id": first.id, "was": "first"}),
        ("model.updated", "second", {"action": "add", "id": second.id, "was": None}),
        ("model.updated", "second", {"action": "set", "id": second.id, "was": "second"}),
        ("model.updated", "third", {"action": "set", "id": second.id, "was": "second"}),
        ("model.updated", "third", {"action": "remove", "id": second.id, "was": "third"}),
    ]


async def test_the_models_that_the_environment_names_are_told_once(database_url: str) -> None:
    for _ in range(2):
        async with Toolkit.open(settings=Settings.from_env({"OPENAI_API_KEY": "x"}, database_url=database_url)) as tk:
            events = await told(tk, "0")
            models = await tk.models.list()
    assert sorted(event.subject for event in events) == sorted(model.name for model in models)
    assert {event.body["action"] for event in events} == {"seed"}


async def test_documents_that_come_change_and_go_are_told_and_those_that_stay_are_not(
    tk: Toolkit, tmp_path: Path
) -> None:
    start = await tk.events.last()
    folder = tmp_path / "docs"
    folder.mkdir()
    for letter in "abc":
        (folder / f"{letter}.md").write_text(f"The heron {letter} fishes.\n")
    await tk.ingest(folder, collection="birds")
    (folder / "a.md").write_text("Another text.\n")
    (folder / "b.md").unlink()
    await tk.ingest(folder, collection="birds")
    name = 'it\'s "quoted" \\ ü'
    await tk.ingest(Document("note", "Text.\n"), collection=name)
    (own,) = [e.subject for e in await told(tk, start) if e.body["source"] == "note"]
    await tk.documents.remove_document(own)
    with pytest.raises(NotFound):
        await tk.documents.remove_document(own)
    await tk.documents.remove_collection("birds")

    events = await told(tk, start)
    assert "fishes" not in json.dumps([event.body for event in events])
    assert sorted(map(_document, events[:3])) == [("document.added", f"docs/{letter}.md") for letter in "abc"]
    assert [_document(event) for event in events[3:7]] == [
        ("document.changed", "docs/a.md"),
        ("document.removed", "docs/b.md"),
        ("document.added", "note"),
        ("document.removed", "note"),
    ]
    assert sorted(map(_document, events[7:])) == [("document.removed", f"docs/{letter}.md") for letter in "ac"]
    assert {event.body["collection"] for event in events[5:7]} == {name}
    assert len({event.subject for event in events}) == 4


def _document(event: Event) -> tuple[str, str]:
    return event.kind, event.body["source"]


async def test_what_another_process_does_is_told_here(database_url: str) -> None:
    async with Toolkit.open(settings=Settings.from_env({}, database_url=database_url)) as tk:
        start = await tk.events.last()
        async with aclosing(tk.events.subscribe(after=start)) as feed:
            other = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", ANOTHER_PROCESS, database_url), stdout=subprocess.PIPE, cwd=ROOT
            )
            async with asyncio.timeout(60):
                events = [await anext(feed) for _ in range(4)]
            session_id = (await other.communicate())[0].decode().strip()
    assert events[0].body == {"n": 1}
    assert brief(events) == [
        ("cache.invalidate", "prices"),
        ("session.created", session_id),
        ("generation.completed", session_id),
        ("session.updated", session_id),
    ]


async def test_a_subscription_ends_when_the_toolkit_is_closed(database_url: str) -> None:
    async with Toolkit.open(database_url) as tk:
        listening = asyncio.create_task(_all_of(tk))
        await asyncio.sleep(0.05)
    async with asyncio.timeout(20):
        assert await listening == []


async def _all_of(tk: Toolkit) -> list[Event]:
    return [event async for event in tk.events.subscribe("none.*")]


def test_a_script_without_await_gets_events_in_a_plain_loop_and_its_end(tmp_path: Path) -> None:
    heard: list[list[Any]] = []

    with open_sync(f"sqlite:///{tmp_path / 'x.db'}") as tk:
        start = tk.events.last()
        session = tk.sessions.create()
        for event in tk.events.subscribe("session.*", after=start):
            assert (event.kind, event.subject) == ("session.created", session.id)
            break
        listener = threading.Thread(target=lambda: heard.append(list(tk.events.subscribe(after=start))))
        listener.start()
        for _ in range(3):
            tk.sessions.delete(tk.sessions.create().id)
        seen = len(list(zip(range(7), tk.events.subscribe("session.*", after=start), strict=False)))
    listener.join(20)
    assert seen == 7
    assert not listener.is_alive(), "closing the toolkit ends the loop"


async def test_a_cell_gets_events_with_await_and_leaves_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connection, "_open", {})
    tk = await connection.connect(f"sqlite:///{tmp_path / 'x.db'}")
    start = await tk.events.last()
    session = await tk.sessions.create()
    async with asyncio.timeout(30):
        async for event in tk.events.subscribe(after=start):
            assert event.subject == session.id
            break
    await tk.close()


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_the_examples_in_the_docs_run_as_they_stand_there(number: int, tmp_path: Path) -> None:
    environ = {
        "TOOLKIT_DATABASE_URL": f"sqlite:///{tmp_path / 'x.db'}",
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", EXAMPLES[number]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environ,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "offline" in done.stdout

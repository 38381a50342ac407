"""Conversations as text: what goes out comes back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.hostile import objects, texts
from tests.sessions.said import LATER, NOON, TURN, begun, said
from toolkit.db import Database, open_database
from toolkit.db.keepable import keepable
from toolkit.errors import ConfigError
from toolkit.messages import Image, Message, ToolCall
from toolkit.sessions import jsonl, markdown, transfer
from toolkit.sessions.session import Session, Summary
from toolkit.sessions.store import Format, Sessions
from toolkit.sessions.transfer import Kept, Said
from toolkit.settings import Settings
from toolkit.stamps import freeze

# What may be taken for a part of our own Markdown, and what some readers take for the end of a line.
ODD = (
    *("## User", "## Tool\n", "\\## Assistant", "\\\\## System ", "## User\t", "## Users", "*pinned*\n", "# A", "---"),
    *("```json tool-call", "\\```json tool-call\n", "```json tool-call\u00a0", "```", "```\n{}\n```", "--> ", "%20"),
    *('Result of call "c"\n', "![image](<x>)\n", "<!-- toolkit session {} -->\n", "é🙂", " "),
    *("\n", "\n\n", "\r\n", "\r", "\u2028", "\x85"),
)
lines = st.lists(st.sampled_from(ODD) | texts, max_size=6).map("".join)
messages = st.lists(
    st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        text=lines,
        images=st.lists(st.builds(Image, lines), max_size=2).map(tuple),
        tool_calls=st.lists(st.builds(ToolCall, lines, lines, objects), max_size=2).map(tuple),
        tool_call_id=st.none() | lines.filter(bool),
        opaque=objects,
        pinned=st.booleans(),
        stopped=st.booleans(),
    ),
    max_size=5,
)
titles = st.none() | lines.filter(bool)


def kept_as(message: Message) -> Message:
    return Message.from_json(keepable(message.to_json()))


async def carried(sessions: Sessions, session: Session, format_: Format, **more: Any) -> tuple[Session, list[Message]]:
    """The session that is made of another's text."""
    made = await sessions.import_(await sessions.export(session.id, format=format_), format=format_, **more)
    return await sessions.read(made.id)


async def test_json_lines_bring_back_all_there_is_to_a_session(sessions: Sessions, db: Database) -> None:
    session = await begun(sessions)
    with freeze(LATER):
        await sessions.append(session.id, said("more"), call_id="q2", ttl=60, begun_at=NOON)
        await sessions.pin(session.id, 1)
        await sessions.set_summary(session.id, 4, "It was about one.")
        read = await sessions.read(session.id)
        made, again = await carried(sessions, session, "jsonl")
        assert (await sessions.export(made.id)).split("\n")[1:] == (await sessions.export(session.id)).split("\n")[1:]
    assert again == read[1]
    assert (made.title, made.user, made.origin, made.context) == ("T", "ada", "app", {"project": ["ä", 1]})
    assert (made.summary, made.ttl_seconds) == (Summary(4, "It was about one."), 60)
    assert (made.parent_id, made.parent_at) == (None, None)
    assert made.id != session.id
    assert made.expires_at > made.created_at > LATER
    select = "SELECT position, role, call_id, created_at FROM messages WHERE session_id = :id ORDER BY position"
    assert await db.fetch_all(select, id=made.id) == await db.fetch_all(select, id=session.id)


@pytest.mark.parametrize("format_", ["jsonl", "markdown"])
async def test_a_session_in_which_nothing_was_said_comes_back(sessions: Sessions, format_: Format) -> None:
    session = await sessions.create()
    made, again = await carried(sessions, session, format_)
    assert again == []
    assert (made.title, made.user, made.context) == (None, None, {})


async def test_whose_it_becomes_and_how_long_it_lives_can_be_said(sessions: Sessions) -> None:
    session = await sessions.create(user="ada", origin="app", ttl=50)
    made, _ = await carried(sessions, session, "jsonl", user="eve", origin="other", ttl=99)
    assert (made.user, made.origin, made.ttl_seconds) == ("eve", "other", 99)


async def test_markdown_reads_well(sessions: Sessions) -> None:
    session = await sessions.create(title="A plan", user="a--b")
    await sessions.append(session.id, [*TURN[:-1], Message("assistant", "It is\n\n## User\n\none.", pinned=True)])
    text = await sessions.export(session.id, format="markdown")
    head, _, said_ = text.partition("-->\n\n")
    assert head.startswith("# A plan\n\n<!-- toolkit session {")
    assert "--" not in head.partition("<!--")[2]
    assert said_ == (
        "## User\n![image](<https://example.org/a.png>)\n\none?\n\n"
        "## Assistant\n\n"
        '```json tool-call\n{\n  "id": "c1",\n  "name": "add",\n  "arguments": {\n    "a": 1\n  }\n}\n```\n\n'
        '## Tool\nResult of call "c1"\n\n1\n\n'
        "## Assistant\n*pinned*\n\nIt is\n\n\\## User\n\none.\n"
    )


@given(title=titles, user=titles, context=objects, kept=messages)
@settings(max_examples=300, deadline=None, derandomize=True, database=None)
def test_both_formats_give_back_what_they_were_given(
    title: str | None, user: str | None, context: dict[str, Any], kept: list[Message]
) -> None:
    session = Session(
        "i", keepable(title), keepable(user), None, keepable(context), 60, NOON, NOON, LATER, None, None
    )  # fmt: skip
    whole = Kept(session, [Said(kept_as(message), f"q{n}", NOON) for n, message in enumerate(kept)])

    read = jsonl.read(jsonl.write(whole))
    assert list(read.messages) == whole.messages
    assert (read.header.title, read.header.user, read.header.context or {}) == (
        session.title,
        session.user,
        session.context,
    )
    assert len(jsonl.write(whole).splitlines()) == 1 + len(kept)

    read = markdown.read(markdown.write(whole))
    assert [s.message for s in read.messages] == [replace(s.message, opaque={}) for s in whole.messages]
    assert (read.header.title, read.header.user, read.header.context or {}) == (
        session.title,
        session.user,
        session.context,
    )


@given(kept=messages, title=titles)
@settings(max_examples=15, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
async def test_hostile_texts_go_through_a_database_and_back(
    any_url: str, kept: list[Message], title: str | None
) -> None:
    db = open_database(Settings(any_url))
    sessions = Sessions(db)
    session = await sessions.create(title=keepable(title))
    await sessions.append(session.id, kept)
    before = await sessions.messages(session.id)
    made, again = await carried(sessions, session, "jsonl")
    assert (made.title, again) == (session.title, before)
    made, again = await carried(sessions, session, "markdown")
    assert (made.title, again) == (session.title, [replace(message, opaque={}) for message in before])
    await db.close()


async def test_markdown_that_a_person_wrote_can_be_read(sessions: Sessions) -> None:
    text = "\ufeff# My plan\r\n\r\n## User\r\nHello\r\nthere\r\n\r\n## Assistant\r\n\r\nHi"
    made = await sessions.import_(text, format="markdown", user="ada")
    assert (made.title, made.user) == ("My plan", "ada")
    assert await sessions.messages(made.id) == [Message("user", "Hello\nthere"), Message("assistant", "Hi")]


HEAD = '{"session": {"version": 1}}\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Line 1 cannot be imported: the text is empty"),
        ("\n\n", "Line 1 cannot be imported: the text is empty"),
        ("nope", "Line 1 cannot be imported: it is no JSON"),
        ("[]", "Line 1 cannot be imported: it must be a JSON object"),
        ('{"role": "user"}', 'Line 1 cannot be imported: it must be the session: {"session"'),
        ('{"session": {}}', "Line 1 cannot be imported: version: field required"),
        ('{"session": 3}', "Line 1 cannot be imported: "),
        ('{"session": {"version": 2, "new": 1}}', "it is of version 2, and this toolkit reads version 1"),
        ('{"session": {"version": 1, "user": 3}}', "Line 1 cannot be imported: user: input should be a valid string"),
        ('{"session": {"version": 1, "messages": 2}}\n{"role": "user"}\n', "the text ends after 1 of 2 messages"),
        ('{"session": {"version": 1, "summary": {"until": 1, "text": ""}}}', "the summary speaks of 1 messages"),
        (HEAD + '\n{"role": "user"}\n{"role": "boss"}', "Line 4 cannot be imported: role: input should be 'system'"),
        (HEAD + '{"role": "user", "x": 1}', "Line 2 cannot be imported: x: extra inputs are not permitted"),
        (HEAD + '{"role": "user", "text": null}', "Line 2 cannot be imported: text: "),
        (
            HEAD + '{"role": "user", "tool_calls": [{"id": "1"}]}',
            r"Line 2 cannot be imported: tool_calls\.0\.name: field",
        ),
        (HEAD + '{"role": "user", "created_at": "noon"}', "Line 2 cannot be imported: created_at: "),
        (HEAD + '{"role": "user", "created_at": "2026-01-01T00:00:00"}', "Line 2 cannot be imported: created_at: "),
        (HEAD + "[" * 100_000, "Line 2 cannot be imported: its JSON is nested too deeply"),
        (HEAD + '{"role": "user", "text": ' + "9" * 5000 + "}", "Line 2 cannot be imported: its JSON is nested"),
    ],
)
async def test_json_lines_that_cannot_be_read_say_which(
    sessions: Sessions, db: Database, text: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        await sessions.import_(text)
    assert await db.fetch_all("SELECT * FROM sessions") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (" \n", "Line 1 cannot be imported: the text is empty"),
        ("# A\n\nhello\n\n## User\n", "Line 3 cannot be imported: there is text before the first heading"),
        ('<!-- toolkit session {"version": 7} -->\n', "Line 1 cannot be imported: it is of version 7"),
        ("<!-- toolkit session {nope} -->\n", "Line 1 cannot be imported: it is no JSON"),
        ("# A\n## Assistant\n\nx\n\n```json tool-call\n{}\n```\n", "Line 7 cannot be imported: id: field required"),
        ("# A\n## Assistant\n\n```json tool-call\n{\n  x}\n```\n", "Line 6 cannot be imported: it is no JSON"),
        ("# A\n## Assistant\n\n```json tool-call\n{}", "Line 4 cannot be imported: the tool call has no end"),
        ('## Tool\nResult of call "\\x"\n\n1', "Line 2 cannot be imported: it is no JSON"),
        (
            '## Assistant\n\n```json tool-call\n{"id": "", "name": "", "arguments": {}}\n```\nmore',
            "Line 6 cannot be imported: after a tool call there may only be",
        ),
    ],
)
async def test_markdown_that_cannot_be_read_says_where(
    sessions: Sessions, db: Database, text: str, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        await sessions.import_(text, format="markdown")
    assert await db.fetch_all("SELECT * FROM sessions") == []


async def test_a_text_that_is_too_long_is_refused(sessions: Sessions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfer, "LONGEST", 10)
    with pytest.raises(ConfigError, match=r"at most 10 characters \(got 11\)"):
        await sessions.import_("x" * 11)
    for module, text in ((jsonl, HEAD + '{"role": "user"}\n' * 3), (markdown, "## User\n" * 3)):
        monkeypatch.setattr(module, "MOST_MESSAGES", 2)
        with pytest.raises(ConfigError, match="a session may have at most 2 messages"):
            module.read(text)


async def test_another_format_is_refused(sessions: Sessions) -> None:
    session = await sessions.create()
    for refused in (
        sessions.export(session.id, format="xml"),  # type: ignore[arg-type] # on purpose
        sessions.import_("x", format="xml"),  # type: ignore[arg-type]
    ):
        with pytest.raises(ConfigError, match="'xml' is no format of a session; use jsonl or markdown"):
            await refused

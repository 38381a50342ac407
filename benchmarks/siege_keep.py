"""What the replicas and the database say was said, beside what clients were told."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import httpx2

from benchmarks.siege_clients import Book
from benchmarks.siege_vendor import TOKEN, answer, question
from toolkit.db import as_json
from toolkit.messages import Message
from toolkit.settings import Settings
from toolkit.toolkit import Toolkit

_PAGE: Final = 200

Told: TypeAlias = Mapping[str, Sequence[tuple[str, str]]]
"""By session: role and text of all messages, as a replica tells them."""


@dataclass(frozen=True, slots=True)
class Said:
    """One message."""

    role: str
    text: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What the database has.

    Attributes:
        sessions: their messages, in order.
        answers: how many answers the ledger has, by call.
    """

    sessions: dict[str, list[Said]]
    answers: Counter[str]


async def read_back(urls: Sequence[str], sessions: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Every session, as the replicas in turn tell it."""
    told: dict[str, list[tuple[str, str]]] = {}
    async with httpx2.AsyncClient(timeout=60) as client:
        for number, session in enumerate(sessions):
            base = urls[number % len(urls)]
            page = await client.get(f"{base}/v1/sessions/{session}/messages", params={"limit": _PAGE})
            page.raise_for_status()
            said: dict[str, Any] = page.json()
            if said["cursor"]:
                raise RuntimeError(f"Session {session} is longer than anybody has spoken.")
            told[session] = [(each["role"], each["content"]) for each in said["messages"]]
    return told


async def read_database(database: str) -> Kept:
    """Every message, and every answer of the ledger."""
    kept = Kept({}, Counter())
    async with Toolkit.open(settings=Settings(database)) as tk:
        for session in await tk.db.fetch_all("SELECT id FROM sessions"):
            kept.sessions[session["id"]] = []
        for row in await tk.db.fetch_all("SELECT * FROM messages ORDER BY session_id, position"):
            message = Message.from_json(as_json(row["body"]))
            kept.sessions[row["session_id"]].append(Said(message.role, message.text, row["call_id"]))
        for row in await tk.db.fetch_all("SELECT call_id FROM calls WHERE status = 'ok'"):
            kept.answers[row["call_id"]] += 1
    return kept


def complaints(book: Book, kept: Kept, told: Told) -> list[str]:
    """What is not as it must be."""
    found = [complaint for session, said in kept.sessions.items() for complaint in _of_session(session, said)]
    turns = Counter((session, each.call_id) for session, said in kept.sessions.items() for each in said)
    for each in book.acknowledged:
        if each.session and turns[each.session, each.call_id] != 2:
            found.append(f"the turn about {each.token} has {turns[each.session, each.call_id]} messages instead of 2")
        if kept.answers[each.call_id] != 1:
            found.append(f"the ledger has {kept.answers[each.call_id]} answers about {each.token}")
    for session in book.sessions:
        here = [(said.role, said.text) for said in kept.sessions.get(session, [])]
        if here != list(told.get(session, [])):
            found.append(f"session {session} is told otherwise than it is kept")
    return found


def _of_session(session: str, said: Sequence[Said]) -> list[str]:
    """Every turn is a question and its answer, also those that nobody heard of, and none is there twice."""
    found = []
    tokens = Counter[str]()
    for asked, answered in zip(said[::2], said[1::2], strict=False):
        token = TOKEN.search(asked.text)
        name = token[0] if token else ""
        tokens[name] += 1
        turn = [(asked.role, asked.text), (answered.role, answered.text)]
        if turn != [("user", question(name)), ("assistant", answer(name))] or asked.call_id != answered.call_id:
            found.append(f"session {session} has a wrong turn: {turn}")
    if len(said) % 2:
        found.append(f"session {session} ends in the middle of a turn")
    return [*found, *(f"the turn about {name} is there {count} times" for name, count in tokens.items() if count > 1)]

"""Whose sessions a person whose name is proven may see: their own, and nobody can tell that there are others."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import pytest

from tests.sessions.said import LATER, NOON, begun, said
from toolkit.db import Database
from toolkit.errors import NotFound, SessionExpired
from toolkit.sessions.session import Session
from toolkit.sessions.store import Sessions
from toolkit.stamps import freeze

UNKNOWN = "01890000-0000-7000-8000-000000000000"
Call: TypeAlias = Callable[[Sessions, str, str | None], Awaitable[Any]]

# What is asked about one session by its id.
ABOUT_ONE: dict[str, Call] = {
    "get": lambda s, id_, owner: s.get(id_, owner=owner),
    "messages": lambda s, id_, owner: s.messages(id_, owner=owner),
    "read": lambda s, id_, owner: s.read(id_, owner=owner),
    "update": lambda s, id_, owner: s.update(id_, title="x", context={}, owner=owner),
    "rename": lambda s, id_, owner: s.rename(id_, "x", owner=owner),
    "extend": lambda s, id_, owner: s.extend(id_, ttl=10, owner=owner),
    "begin_turn": lambda s, id_, owner: s.begin_turn(id_, turn_id="t", seconds=1, owner=owner),
    "append": lambda s, id_, owner: s.append(id_, said("x"), ttl=60, owner=owner),
    "pin": lambda s, id_, owner: s.pin(id_, 1, owner=owner),
    "set_summary": lambda s, id_, owner: s.set_summary(id_, 1, "x", owner=owner),
    "fork": lambda s, id_, owner: s.fork(id_, owner=owner),
    "branches": lambda s, id_, owner: s.branches(id_, owner=owner),
    "export": lambda s, id_, owner: s.export(id_, owner=owner),
    "delete": lambda s, id_, owner: s.delete(id_, owner=owner),
}
MAKING = {"create", "scope", "import_"}
MANY = {"list", "search"}
NOBODYS = {
    "renew_turn": "only who has the turn knows its id",
    "end_turn": "only who has the turn knows its id",
    "sweep": "forgets by time, whosever it is",
    "count_before": "counts by time, whosever it is",
    "prune": "forgets by time, whosever it is",
}


def test_every_method_takes_an_owner() -> None:
    public = {name for name, _ in inspect.getmembers(Sessions, inspect.isroutine) if not name.startswith("_")}
    assert public == {*ABOUT_ONE, *MAKING, *MANY, *NOBODYS}, "say here, and prove, what a new method does for an owner"
    for name in public - set(NOBODYS):
        owner = inspect.signature(getattr(Sessions, name)).parameters["owner"]
        assert (owner.kind, owner.default) == (owner.KEYWORD_ONLY, None), name


async def everything(db: Database) -> list[Any]:
    tables = ("sessions", "messages", "events")
    return [await db.fetch_all(f"SELECT * FROM {table}") for table in tables]


@pytest.mark.parametrize("name", ABOUT_ONE)
@pytest.mark.parametrize("user", ["ada", None, ""])
@pytest.mark.parametrize("expired", [False, True])
async def test_another_persons_session_is_as_good_as_none(
    sessions: Sessions, db: Database, name: str, user: str | None, *, expired: bool
) -> None:
    call = ABOUT_ONE[name]
    with freeze(NOON):
        session = await sessions.create(user=user)
        await sessions.append(session.id, said("secret"))
    before = await everything(db)
    with freeze(LATER if expired else NOON):
        with pytest.raises(NotFound) as none:
            await call(sessions, UNKNOWN, "eve")
        with pytest.raises(NotFound) as hidden:
            await call(sessions, session.id, "eve")
    assert type(hidden.value) is type(none.value) is NotFound
    assert str(hidden.value) == str(none.value).replace(UNKNOWN, session.id)
    assert await everything(db) == before


@pytest.mark.parametrize("name", ABOUT_ONE)
async def test_ones_own_session_can_be_used_with_and_without_a_name(sessions: Sessions, name: str) -> None:
    for owner in ("ada", None):
        session = await sessions.create(user="ada")
        await sessions.append(session.id, said("x"))
        await ABOUT_ONE[name](sessions, session.id, owner)


@pytest.mark.parametrize("name", sorted(set(ABOUT_ONE) - {"delete", "set_summary"}))
async def test_ones_own_expired_session_says_when(sessions: Sessions, name: str) -> None:
    session = await begun(sessions)
    with freeze(LATER), pytest.raises(SessionExpired, match=r"expired at 2026-03-01T12:01:00"):
        await ABOUT_ONE[name](sessions, session.id, "ada")


async def test_ones_own_expired_session_can_be_deleted(sessions: Sessions, db: Database) -> None:
    session = await begun(sessions)
    with freeze(LATER):
        await sessions.delete(session.id, owner="ada")
    assert await db.fetch_all("SELECT id FROM sessions") == []


async def test_what_a_person_makes_is_theirs_whatever_is_said(sessions: Sessions) -> None:
    made: list[Session] = [await sessions.create(user="ada", owner="eve")]
    text = await sessions.export((await sessions.create(user="ada")).id)
    made.append(await sessions.import_(text, user="ada", owner="eve"))
    async with sessions.scope(user="ada", owner="eve") as session:
        made.append(session)
    assert [each.user for each in made] == ["eve"] * 3


async def test_lists_and_searches_show_a_person_their_own_only(sessions: Sessions) -> None:
    for user in ("ada", "eve", None):
        await sessions.append((await sessions.create(user=user)).id, said("copper"))
    assert {s.user for s in await sessions.list()} == {"ada", "eve", None}
    assert [s.user for s in await sessions.list(owner="eve")] == ["eve"]
    assert [s.user for s in await sessions.list(owner="eve", search="copper")] == ["eve"]
    assert await sessions.list(owner="eve", user="ada") == []
    assert [m.session.user for m in await sessions.search("copper", owner="eve")] == ["eve"]
    assert await sessions.search("copper", owner="eve", user="ada") == []


async def test_branches_show_a_person_their_own_only(sessions: Sessions, db: Database) -> None:
    session = await sessions.create(user="ada")
    mine, other = await sessions.fork(session.id), await sessions.fork(session.id)
    await db.execute("UPDATE sessions SET user_id = 'eve' WHERE id = :id", id=other.id)
    assert [s.id for s in await sessions.branches(session.id, owner="ada")] == [mine.id]
    assert {s.id for s in await sessions.branches(session.id)} == {mine.id, other.id}

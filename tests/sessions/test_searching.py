"""What was said, found again, whatever its letters and its case."""

import sys
from datetime import timedelta
from typing import Any

import pytest

from tests.sessions.said import LATER, NOON, said
from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound
from toolkit.messages import Message
from toolkit.sessions.searching import small
from toolkit.sessions.session import Session
from toolkit.sessions.store import Sessions
from toolkit.stamps import freeze


async def with_text(sessions: Sessions, *texts: str, user: str | None = None, title: str | None = None) -> Session:
    session = await sessions.create(user=user, title=title)
    return await sessions.append(session.id, said(*texts))


async def places(sessions: Sessions, text: str) -> list[int]:
    return [found.position for found in await sessions.search(text)]


async def test_a_text_is_found_with_its_session_place_speaker_and_surroundings(sessions: Sessions) -> None:
    session = await sessions.create(user="ada", origin="app")
    answer = Message("assistant", f"{'before ' * 20}the\nCopper cable{' after' * 20}")
    session = await sessions.append(session.id, [*said("hm"), answer])
    (found,) = await sessions.search("copper")
    assert (found.session, found.position, found.role) == (session, 2, "assistant")
    assert "before the Copper cable after" in found.excerpt
    assert found.excerpt.startswith("…")
    assert found.excerpt.endswith("…")
    assert len(found.excerpt) < 150
    (found,) = await sessions.search("hm")
    assert found.excerpt == "hm"


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [
        ("Grüße aus ULM", "GRÜSSE aus ulm".replace("SS", "ẞ")),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευς"),
        ("Привет, Мир", "ПРИВЕТ, мир"),
        ("20 \u212a (Kelvin)", "20 k"),
        ("你好，世界", "好，世"),
        ("a🙂b👩‍👩‍👧c", "🙂b👩"),
        ("İstanbul", "İSTANBUL"),
        ("100% sure_thing", "0% SURE_"),
        ('it\'s "so" \\ here', '\'s "so" \\ H'),
        ("a\tb\nc", "A\tb\nC"),
        ("[x] ^ - ]*?", "] ^ - ]*?"),
        ("$1 ***:d (?i) {2}", "***:D (?I) {2}"),
        ("' OR 1=1 --", "or 1=1 --"),
        ("a\0b", "a\0B"),
        ("\ud800x", "\ud800X"),
    ],
)
async def test_any_text_is_found_whatever_its_case(sessions: Sessions, kept: str, wanted: str) -> None:
    await with_text(sessions, "x y z", kept, "ｎｏｎｅ")
    assert await places(sessions, wanted) == [2]


@pytest.mark.parametrize("wanted", ["%", "_", "*", "?", "[a-z]", ".", "a.c", "ab|c", "^a", "c$", "\\", "abcd"])
async def test_no_character_has_a_meaning_of_its_own(sessions: Sessions, wanted: str) -> None:
    await with_text(sessions, "abc")
    assert await sessions.search(wanted) == []


async def test_five_thousand_lines_are_found_whole_or_not_at_all(sessions: Sessions) -> None:
    lines = [f"line {n} of the LOG\n" for n in range(5000)]
    await with_text(sessions, "".join(lines), "".join(lines[:-1]), "".join(lines) + "end")
    assert await places(sessions, "".join(lines).lower()) == [1, 3]
    (found,) = await sessions.search("of the log\nend")
    assert found.excerpt.startswith("…")
    assert "line 4999 of the LOG end" in found.excerpt


def test_small_letters_stand_where_the_letters_stood() -> None:
    letters = [chr(n) for n in range(1, sys.maxunicode + 1) if not 0xD800 <= n < 0xE000]
    assert all(len(small(letter)) == 1 for letter in letters)
    assert small("".join(letters)) == "".join(map(small, letters))


async def test_every_letter_is_found_by_its_small_form_and_its_capital(sessions: Sessions) -> None:
    letters = [chr(n) for n in range(0x20, 0x1_FFFF) if not 0xD800 <= n < 0xE000]
    cased = [c for c in letters if len(c.lower()) == len(c.upper()) == 1 and c.lower() != c.upper()]
    await with_text(sessions, "".join(cased[:700]), "".join(cased[700:]).swapcase())
    for letter in [*cased[:700:50], *"kKsS\u212aσςΣ", *cased[700::150]]:
        assert await places(sessions, letter.lower()), letter
        assert await places(sessions, letter), letter


async def test_what_was_used_last_comes_first_and_a_session_in_the_order_of_talking(sessions: Sessions) -> None:
    old, new = await with_text(sessions, "copper 1", "x", "copper 3"), await with_text(sessions, "copper")
    found = await sessions.search("copper")
    assert [(f.session.id, f.position) for f in found] == [(new.id, 1), (old.id, 1), (old.id, 3)]
    await sessions.append(old.id, said("copper 4"))
    found = await sessions.search("copper", limit=2)
    assert [(f.session.id, f.position) for f in found] == [(old.id, 1), (old.id, 3)]


async def test_only_what_a_person_or_a_model_said_is_found_unless_others_are_named(sessions: Sessions) -> None:
    session = await sessions.create()
    roles = ("system", "user", "assistant", "tool")
    await sessions.append(session.id, [Message(role, "copper") for role in roles])  # type: ignore[arg-type] # a Role
    assert await places(sessions, "copper") == [2, 3]
    found = await sessions.search("copper", roles=["tool", "system"])
    assert [(f.position, f.role) for f in found] == [(1, "system"), (4, "tool")]


async def test_a_search_looks_where_it_is_told_and_not_into_what_expired(sessions: Sessions) -> None:
    with freeze(NOON):
        await sessions.append((await sessions.create(user="ada", origin="a")).id, said("copper"))
        await sessions.append((await sessions.create(user="eve", origin="b")).id, said("copper"))
        assert [f.session.user for f in await sessions.search("copper", user="ada")] == ["ada"]
        assert [f.session.user for f in await sessions.search("copper", origin="b")] == ["eve"]
        assert [s.user for s in await sessions.list(origin="b")] == ["eve"]
    with freeze(LATER):
        assert await sessions.search("copper") == []
        assert await sessions.list(search="copper") == []


async def test_sessions_are_listed_by_what_was_said_or_their_title(sessions: Sessions) -> None:
    with freeze(NOON):
        titled = await with_text(sessions, "x", title="The Copper plan")
        spoken = await with_text(sessions, "some COPPER, more copper")
        await with_text(sessions, "tin")
        assert [s.id for s in await sessions.list(search="copper")] == [spoken.id, titled.id]
        (first,) = await sessions.list(search="copper", limit=1)
        assert [s.id for s in await sessions.list(search="copper", limit=1, after=first.cursor)] == [titled.id]


async def test_nothing_to_look_for_and_no_limit_are_refused(sessions: Sessions) -> None:
    for refused in (sessions.search(""), sessions.list(search="")):
        with pytest.raises(ConfigError, match="There is nothing to look for"):
            await refused
    with pytest.raises(ConfigError, match="`limit` must be at least 1"):
        await sessions.search("x", limit=0)
    for roles in (["boss"], "tools"):
        with pytest.raises(ConfigError, match=r"There is no role '(boss|tools)'; there are 'system'"):
            await sessions.search("x", roles=roles)  # type: ignore[arg-type]


async def test_a_single_role_is_no_list_of_letters_and_a_huge_limit_means_all(sessions: Sessions) -> None:
    session = await with_text(sessions, "copper")
    session = await sessions.append(session.id, [Message("assistant", "copper")])
    assert [found.role for found in await sessions.search("copper", roles="user", limit=10**30)] == ["user"]  # type: ignore[arg-type]
    assert [listed.id for listed in await sessions.list(limit=10**30)] == [session.id]


@pytest.mark.parametrize("no_id", [None, 5, b"x", ""])
async def test_what_is_no_id_names_no_session(sessions: Sessions, no_id: Any) -> None:
    with pytest.raises(NotFound, match="There is no session"):
        await sessions.get(no_id)


async def test_many_sessions_are_searched_to_the_last(sessions: Sessions, db: Database) -> None:
    with freeze(NOON):
        first = await with_text(sessions, "copper")
    copy = """
        INSERT INTO sessions (id, context, ttl_seconds, created_at, used_at, expires_at)
        VALUES (:id, :context, 60, :at, :at, :until)
        """
    at = NOON + timedelta(seconds=1)
    for n in range(1100):
        await db.execute(copy, id=f"01890000-0000-7000-8000-{n:012d}", context={}, at=at, until=LATER)
    with freeze(NOON):
        assert [f.session.id for f in await sessions.search("copper")] == [first.id]
        assert len(await sessions.list(limit=2000)) == 1101


async def test_pages_of_a_list_have_each_session_once(sessions: Sessions) -> None:
    with freeze(NOON):
        made = [(await sessions.create()).id for _ in range(7)]
        after, listed = None, list[str]()
        while page := await sessions.list(limit=3, after=after):
            listed += [session.id for session in page]
            after = page[-1].cursor
    assert listed == made[::-1]


@pytest.mark.parametrize("cursor", ["", "x", "2026-03-32T12:00:00+00:00/01890000-0000-7000-8000-000000000000", "a\0"])
async def test_a_place_that_is_none_is_refused(sessions: Sessions, cursor: str) -> None:
    with pytest.raises(ConfigError, match="is no place in a list of sessions"):
        await sessions.list(after=cursor)

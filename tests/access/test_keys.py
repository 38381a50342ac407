"""API keys, on every database."""

import hmac
from datetime import timedelta

import pytest

from toolkit.access import key, keys
from toolkit.access.keys import ApiKeys
from toolkit.db import Database
from toolkit.errors import ConfigError, Conflict, DatabaseUnavailable, NotFound
from toolkit.stamps import now


async def test_a_key_is_found_by_its_secret_alone_and_the_secret_is_kept_nowhere(db: Database) -> None:
    store = ApiKeys(db)
    made, secret = await store.create("laptop", user="ada", scopes=["search"])
    assert (made.name, made.user, made.scopes) == ("laptop", "ada", frozenset({"search"}))
    assert secret.startswith(made.hint.removesuffix("…"))
    assert await ApiKeys(db).find(secret) == made
    for wrong in (secret[:-1], f"{secret}A", secret.upper(), made.hint, made.id, "", "tk_" + "A" * 43):
        assert await store.find(wrong) is None
    [row] = await db.fetch_all("SELECT * FROM api_keys")
    assert secret not in str(dict(row))
    assert secret.removeprefix(made.hint.removesuffix("…")) not in str(dict(row))


async def test_a_key_belongs_to_who_is_called_like_it_and_may_chat_and_search_where_nobody_says_more(
    db: Database,
) -> None:
    made, _ = await ApiKeys(db).create(" ci ")
    assert (made.name, made.user, made.scopes, made.expires_at) == ("ci", "ci", frozenset({"chat", "search"}), None)


async def test_a_revoked_key_opens_nothing_here_at_once_and_elsewhere_when_it_is_looked_up_again(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = ApiKeys(db), ApiKeys(db)
    _, secret = await here.create("laptop")
    assert await here.find(secret)
    assert await elsewhere.find(secret)
    assert (await here.revoke("laptop")).revoked_at
    assert await here.find(secret) is None
    assert await elsewhere.find(secret)
    monkeypatch.setattr(keys, "REMEMBERED", -1.0)
    assert await elsewhere.find(secret) is None


async def test_an_expired_key_opens_nothing_though_it_was_found_before(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ApiKeys(db)
    _, secret = await store.create("laptop", ttl=timedelta(hours=1))
    assert await store.find(secret)
    monkeypatch.setattr(keys, "now", lambda: now() + timedelta(hours=2))
    assert await store.find(secret) is None


async def test_a_key_is_revoked_by_name_id_or_beginning_and_what_is_not_clear_is_refused(db: Database) -> None:
    store = ApiKeys(db)
    made = [(await store.create(name))[0] for name in ("one", "two", "two", "three")]
    with pytest.raises(Conflict, match=f"2 keys are called 'two'.*{made[1].id}, {made[2].id}"):
        await store.revoke("two")
    for which in ("one", made[1].id, made[2].hint, made[3].hint.removesuffix("…")):
        await store.revoke(which)
    assert all(each.revoked_at for each in await store.list())
    with pytest.raises(NotFound, match="no key 'one' that could be revoked"):
        await store.revoke("one")


async def test_a_key_is_told_of_by_its_id_as_it_is_at_this_moment(db: Database) -> None:
    here, elsewhere = ApiKeys(db), ApiKeys(db)
    made, _ = await here.create("laptop")
    assert await here.get(made.id) == made
    await elsewhere.revoke("laptop")
    told = await here.get(made.id)
    assert told is not None
    assert told.revoked_at is not None
    assert await here.get("nothing") is None


async def test_callers_are_asked_for_a_key_until_the_last_one_is_forgotten(db: Database) -> None:
    store = ApiKeys(db)
    assert not await store.any()
    await store.create("laptop")
    assert await store.any()
    await store.revoke("laptop")
    assert await store.any()
    assert await store.forget() == 1
    assert not await store.any()
    assert await store.list() == []


async def test_the_last_use_is_written_down_once_a_minute_at_most(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "REMEMBERED", -1.0)
    store = ApiKeys(db)
    _, secret = await store.create("laptop")
    for seconds, noted in ((0, 1), (59, 1), (61, 2)):
        moment = now() + timedelta(seconds=seconds)
        monkeypatch.setattr(keys, "now", lambda moment=moment: moment)
        assert await store.find(secret)
        [row] = await store.list()
        assert row.last_used_at
        assert (moment - row.last_used_at < timedelta(seconds=2)) == (seconds != 59), noted


async def test_a_database_that_cannot_be_written_lets_a_good_key_in(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ApiKeys(db)
    _, secret = await store.create("laptop")

    async def refuse(*_: object, **__: object) -> None:
        raise DatabaseUnavailable("It is read-only.")

    monkeypatch.setattr(db, "execute", refuse)
    assert await store.find(secret)


async def test_digests_are_compared_in_a_time_that_tells_nothing(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []
    really = hmac.compare_digest

    def compare(one: str, other: str) -> bool:
        compared.append((one, other))
        return really(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    store = ApiKeys(db)
    _, secret = await store.create("laptop")
    await store.find(secret)
    assert compared == [(key.digest_of(secret),) * 2]


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        (" ", {}, "needs a name"),
        ("x", {"user": " "}, "a user that is not empty"),
        ("x", {"scopes": []}, "name at least one"),
        ("x", {"scopes": ["serch"]}, "some of admin, chat, search"),
        ("x", {"ttl": timedelta()}, "must live for some time"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(
    db: Database, name: str, options: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence):
        await ApiKeys(db).create(name, **options)  # type: ignore[arg-type] # what a caller may get wrong

"""The catalog keeps the models, their order and every change, and refuses what nobody could use."""

import asyncio
from typing import Any

import pytest

from toolkit.db import Database, open_database
from toolkit.errors import ConfigError, Conflict, NotFound
from toolkit.models.catalog import Catalog, Model
from toolkit.models.rows import Stale
from toolkit.settings import Settings

KEY = "sk-proj-abcdefghijklmnop"


@pytest.fixture
def catalog(db: Database) -> Catalog:
    return Catalog(db, {})


def names(models: list[Model]) -> list[str]:
    return [model.name for model in models]


async def test_a_model_comes_back_as_it_was_added(catalog: Catalog) -> None:
    added = await catalog.add(
        "openai",
        "gpt-x",
        name="small",
        priority=7,
        scope="team",
        enabled=False,
        default=True,
        auth={"api_key_env": "TEAM_KEY"},
        config={"base_url": "http://127.0.0.1:9000/v1", "temperature": 0.2, "extra": {"user": "é"}},
    )

    assert await catalog.get("small") == added
    assert await catalog.get(added.id) == added
    assert (added.scope, added.priority, added.enabled, added.is_default) == ("team", 7, False, True)


async def test_a_model_is_called_by_the_vendors_name_unless_it_has_its_own(catalog: Catalog) -> None:
    assert (await catalog.add("openai", "gpt-x")).name == "gpt-x"


async def test_a_name_that_is_taken_is_a_conflict_in_words(catalog: Catalog) -> None:
    await catalog.add("openai", "gpt-x", name="small")
    await catalog.add("openai", "gpt-y", name="large")

    with pytest.raises(Conflict, match="'small' is taken"):
        await catalog.add("anthropic", "claude", name="small")
    with pytest.raises(Conflict, match="'small' is taken"):
        await catalog.set("large", new_name="small")
    assert names(await catalog.list()) == ["large", "small"]
    assert [change.action for change in await catalog.history()] == ["add", "add"]


async def test_a_name_wins_over_an_id(catalog: Catalog) -> None:
    first = await catalog.add("openai", "gpt-x")
    impostor = await catalog.add("openai", "gpt-y", name=first.id)

    assert await catalog.get(first.id) == impostor


async def test_a_model_that_is_not_there_is_answered_with_the_nearest_and_how_to_add_it(catalog: Catalog) -> None:
    with pytest.raises(NotFound, match="there is none"):
        await catalog.get("smal")
    await catalog.add("openai", "gpt-x", name="small")
    await catalog.add("openai", "gpt-y", name="large")
    with pytest.raises(NotFound, match=r"near to it: 'small'.*toolkit models add PROVIDER MODEL --name smal"):
        await catalog.get("smal")
    with pytest.raises(NotFound, match="near to it: 'large'"):
        await catalog.get("gpt-y")
    with pytest.raises(NotFound, match="there are 'large', 'small'"):
        await catalog.resolve("zzz/zzz")


async def test_a_key_given_as_a_name_is_not_repeated(catalog: Catalog) -> None:
    with pytest.raises(NotFound) as caught:
        await catalog.get(KEY)
    assert KEY not in str(caught.value)


async def test_the_list_can_be_of_one_vendor_scope_or_state(catalog: Catalog) -> None:
    await catalog.add("openai", "a")
    await catalog.add("anthropic", "b", scope="team")
    await catalog.add("openai", "c", enabled=False, priority=1)

    assert names(await catalog.list()) == ["c", "a", "b"]
    assert names(await catalog.list(provider="openai")) == ["c", "a"]
    assert names(await catalog.list(enabled=False)) == ["c"]
    assert names(await catalog.list(enabled=True, scope="global")) == ["a"]


async def test_the_chain_is_the_enabled_models_by_priority_and_then_by_name(catalog: Catalog) -> None:
    await catalog.add("openai", "b", priority=20)
    await catalog.add("openai", "B", priority=20)
    await catalog.add("openai", "a", priority=20)
    await catalog.add("openai", "first", priority=-5)
    await catalog.add("openai", "off", priority=1, enabled=False)

    assert names(await catalog.chain()) == ["first", "B", "a", "b"]


async def test_a_scope_without_enabled_models_uses_the_global_chain(catalog: Catalog) -> None:
    await catalog.add("openai", "everyones")
    await catalog.add("openai", "teams", scope="team", enabled=False)

    assert names(await catalog.chain("team")) == ["everyones"]
    await catalog.set("teams", enabled=True)
    assert names(await catalog.chain("team")) == ["teams"]


async def test_a_scope_has_one_default_and_without_it_the_global_one(catalog: Catalog) -> None:
    assert await catalog.default() is None
    await catalog.add("openai", "a", default=True)
    await catalog.add("openai", "b", default=True)
    await catalog.add("openai", "c", default=True, scope="team")

    assert names([m for m in await catalog.list() if m.is_default]) == ["b", "c"]
    assert [m.name for scope in ("global", "team", "other") if (m := await catalog.default(scope))] == ["b", "c", "b"]
    deposed, added = await catalog.history("a")
    assert [added.action, deposed.action] == ["add", "set"]
    assert [row and row["is_default"] for row in (added.after, deposed.before, deposed.after)] == [True, True, False]


async def test_set_changes_what_is_given_and_nothing_else(catalog: Catalog) -> None:
    before = await catalog.add("openai", "a", priority=3, config={"temperature": 0.1}, auth={"api_key_env": "A_KEY"})

    after = await catalog.set("a", enabled=False, new_name="b", model="vendor-b", by="ada")

    assert (after.enabled, after.name, after.model) == (False, "b", "vendor-b")
    assert (after.id, after.priority, after.config, after.auth) == (before.id, 3, before.config, before.auth)
    assert after.updated_at > before.updated_at
    assert await catalog.get("b") == after
    assert (await catalog.set("b", config={})).config == {}
    assert (await catalog.set("b", default=True)).is_default
    assert not (await catalog.set("b", default=False)).is_default


async def test_setting_what_is_already_so_changes_nothing(catalog: Catalog) -> None:
    before = await catalog.add("openai", "a", priority=3)

    assert await catalog.set("a", priority=3) == before
    assert len(await catalog.history()) == 1


async def test_the_history_tells_who_changed_what_newest_first_through_renaming_and_removal(catalog: Catalog) -> None:
    await catalog.add("openai", "a", by="ada")
    await catalog.set("a", priority=5, by="bob")
    await catalog.set("a", new_name="b")
    await catalog.remove("b", by="eve")
    await catalog.add("openai", "other")

    changes = await catalog.history("a")

    assert [(c.action, c.name, c.changed_by) for c in changes] == [
        ("remove", "b", "eve"),
        ("set", "b", None),
        ("set", "a", "bob"),
        ("add", "a", "ada"),
    ]
    removed, _, reordered, added = changes
    assert removed.after is None
    assert added.before is None
    assert [row and row["priority"] for row in (reordered.before, reordered.after)] == [100, 5]
    assert await catalog.history(added.model_id) == changes
    assert [c.name for c in await catalog.history(limit=1)] == ["other"]
    with pytest.raises(NotFound):
        await catalog.get("b")
    with pytest.raises(NotFound):
        await catalog.remove("b")


async def test_two_who_change_different_things_at_once_both_succeed(catalog: Catalog) -> None:
    await catalog.add("openai", "a")

    await asyncio.gather(catalog.set("a", priority=5), catalog.set("a", enabled=False), catalog.set("a", scope="team"))

    model = await catalog.get("a")
    assert (model.priority, model.enabled, model.scope) == (5, False, "team")
    assert len(await catalog.history("a")) == 4


async def test_a_model_that_others_keep_changing_is_a_conflict_in_the_end(
    catalog: Catalog, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await catalog.add("openai", "a")

    async def always_late(*_: object) -> None:
        raise Stale("Too late.")

    monkeypatch.setattr(db, "write", always_late)
    for change in (catalog.set("a", priority=1), catalog.remove("a"), catalog.add("openai", "b")):
        with pytest.raises(Conflict, match="try again"):
            await change


async def test_of_two_who_are_made_the_default_at_once_one_is(catalog: Catalog) -> None:
    await asyncio.gather(*(catalog.add("openai", name, default=True) for name in "abc"))
    await asyncio.gather(*(catalog.set(name, default=True) for name in "abc"))

    assert sum(model.is_default for model in await catalog.list()) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"auth": {"api_key_env": KEY}}, "name of an environment variable"),
        ({"auth": {"api_key_env": "A1B2C3D4E5F6A7B8C9D0E1F2"}}, "name of an environment variable"),
        ({"auth": {"api_key_env": "lower"}}, "name of an environment variable"),
        ({"auth": {"api_key": "anything"}}, r"auth\['api_key_env'\]"),
        ({"auth": {"base_url": f"https://x.test/{KEY}"}}, "looks like a secret"),
        ({"auth": {"base_url": "https://me:hunter2-hunter2@x.test"}}, "looks like a secret"),
        ({"auth": {KEY: "X"}, "config": {"a": KEY}}, "looks like a secret"),
        ({"auth": {"api_key_env": 5}}, "must be a text"),
        ({"config": {"extra": {"headers": [{"Authorization": "nothing-known"}]}}}, r"\['Authorization'\]"),
        ({"config": {"extra": {"note": f"use {KEY}"}}}, r"config\['extra'\]\['note'\] looks like a secret"),
        ({"config": {"api_key": "anything"}}, "looks like a secret"),
        ({"config": {"temperature": "hot"}}, "number from 0 to 2"),
        ({"config": {"temperature": True}}, "number from 0 to 2"),
        ({"config": {"timeout": 0}}, "seconds above 0"),
        ({"config": {"max_tokens": 1.5}}, "whole number"),
        ({"config": {"base_url": "ftp://x"}}, "http"),
        ({"config": {"when": object()}}, "JSON"),
        ({"name": "default"}, "cannot be called"),
        ({"name": " a"}, "without spaces"),
        ({"name": KEY}, "looks like a key"),
        ({"scope": ""}, "scope"),
        ({"priority": 10**30}, "priority"),
    ],
)
async def test_a_row_that_nobody_could_use_or_that_holds_a_secret_is_refused_and_not_repeated(
    options: dict[str, Any], words: str
) -> None:
    catalog = Catalog(None, {})  # type: ignore[arg-type]  # refused before anything is written

    with pytest.raises(ConfigError, match=words) as caught:
        await catalog.add("openai", "gpt-x", **options)

    for secret in (KEY, "hunter2", "anything", "nothing-known", "A1B2C3"):
        assert secret not in str(caught.value)


async def test_a_secret_is_refused_in_a_change_too(catalog: Catalog) -> None:
    await catalog.add("openai", "a")

    with pytest.raises(ConfigError, match="name of an environment variable"):
        await catalog.set("a", auth={"api_key_env": KEY})
    assert (await catalog.get("a")).auth == {}


async def test_settings_that_only_sound_like_secrets_are_kept(catalog: Catalog) -> None:
    config = {"max_tokens": 50, "extra": {"prompt_cache_key": "ada", "tokenizer": "x"}}
    auth = {"api_key_env": "OPENAI_API_KEY", "base_url": "http://127.0.0.1:9/v1"}

    added = await catalog.add("openai", "a", auth=auth, config=config)

    assert (added.config, added.auth) == (config, auth)


async def test_an_unknown_vendor_is_refused_with_those_there_are(catalog: Catalog) -> None:
    with pytest.raises(ConfigError, match=r"no provider 'opnai'.*openai"):
        await catalog.add("opnai", "a")


async def test_seed_adds_a_row_for_each_vendor_whose_variable_is_there_and_one_that_needs_none(db: Database) -> None:
    await Catalog(db, {"ANTHROPIC_API_KEY": "x", "OPENAI_API_KEY": ""}).seed()
    catalog = Catalog(db, {"OPENAI_BASE_URL": "http://127.0.0.1:9"})
    assert [(m.provider, m.priority) for m in await catalog.chain()] == [("anthropic", 510), ("offline", 1000)]

    await catalog.seed()

    chain = await catalog.chain()
    assert [m.provider for m in chain] == ["openai", "anthropic", "offline"]
    assert (chain[-1].name, chain[-1].model) == ("offline", "extractive")
    assert all(m.name == m.model for m in chain[:-1])
    assert {c.action for c in await catalog.history()} == {"seed"}


async def test_a_seed_that_was_removed_or_changed_stays_so(db: Database) -> None:
    catalog = Catalog(db, {"OPENAI_API_KEY": "x"})
    await catalog.seed()
    (openai,) = await catalog.list(provider="openai")
    await catalog.remove(openai.name)
    await catalog.set("offline", priority=5)

    await catalog.seed()

    assert [(m.name, m.priority) for m in await catalog.list()] == [("offline", 5)]


async def test_two_processes_that_seed_at_once_seed_once(database_url: str) -> None:
    databases = [open_database(Settings(database_url)) for _ in range(2)]

    await asyncio.gather(*(Catalog(db, {"OPENAI_API_KEY": "x"}).seed() for db in databases))

    catalog = Catalog(databases[0], {})
    assert len(await catalog.list()) == 2
    assert len(await catalog.history()) == 2
    await asyncio.gather(*(db.close() for db in databases))


async def test_a_seed_removed_while_another_process_is_about_to_seed_stays_removed(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(db, {})
    await catalog.seed()
    await catalog.remove("offline")

    async def nothing_yet(*_: object, **__: object) -> list[object]:
        return []

    with monkeypatch.context() as stale:
        stale.setattr(db, "fetch_all", nothing_yet)
        await catalog.seed()

    assert await catalog.list() == []
    assert [change.action for change in await catalog.history()] == ["remove", "seed"]


async def test_a_persons_row_with_a_seeds_name_is_left_alone(db: Database) -> None:
    catalog = Catalog(db, {})
    mine = await catalog.add("openai", "gpt-x", name="offline")

    await catalog.seed()

    assert await catalog.list() == [mine]


async def test_resolve_none_is_the_chain(catalog: Catalog) -> None:
    await catalog.add("openai", "a")
    await catalog.add("openai", "b", priority=1)

    assert names(await catalog.resolve(None)) == ["b", "a"]


async def test_resolve_takes_a_name_or_an_id_before_a_vendor_and_a_model(catalog: Catalog) -> None:
    row = await catalog.add("anthropic", "claude", name="openai/gpt-x")

    assert await catalog.resolve("openai/gpt-x") == [row]
    assert await catalog.resolve(row.id) == [row]
    assert await catalog.resolve("openai/org/gpt-y") == [Model.unlisted("openai", "org/gpt-y")]


async def test_resolve_takes_the_vendors_name_of_a_row_that_is_called_otherwise(catalog: Catalog) -> None:
    await catalog.add("openai", "gpt-4o-mini", name="later", priority=30)
    await catalog.add("openai", "gpt-4o-mini", name="first", priority=20)
    await catalog.add("openai", "gpt-4o-mini", name="off", priority=1, enabled=False)
    await catalog.add("openai", "gpt-4o-mini", name="theirs", scope="team", priority=90)
    assert [m.name for m in await catalog.resolve("gpt-4o-mini")] == ["first"]
    assert [m.name for m in await catalog.resolve("gpt-4o-mini", scope="team")] == ["theirs"]
    await catalog.set_many("later", "first", enabled=False)
    with pytest.raises(ConfigError, match="is disabled"):
        await catalog.resolve("gpt-4o-mini")


@pytest.mark.parametrize("name", ["claude-opus-5-5", "gpt-6-luna", "gemini-3.8-flash"])
async def test_resolve_takes_a_name_that_tells_its_vendor_where_that_ones_key_is_set(db: Database, name: str) -> None:
    catalog = Catalog(db, {"ANTHROPIC_API_KEY": "k"})
    if name.startswith("claude"):
        assert [(m.provider, m.model) for m in await catalog.resolve(name)] == [("anthropic", name)]
    else:
        with pytest.raises(NotFound, match="There is no model"):
            await catalog.resolve(name)


async def test_resolve_of_a_disabled_model_says_how_to_enable_it(catalog: Catalog) -> None:
    await catalog.add("openai", "a", enabled=False, default=True)

    for name in ("a", "default"):
        with pytest.raises(ConfigError, match="toolkit models enable a"):
            await catalog.resolve(name)
    assert await catalog.resolve(None) == []


async def test_resolve_default_is_the_scopes_default_else_the_environments(db: Database) -> None:
    with pytest.raises(NotFound, match="toolkit models default NAME"):
        await Catalog(db, {}).resolve("default")
    with pytest.raises(NotFound, match="toolkit models default NAME"):
        await Catalog(db, {}, default_model="default").resolve(None)
    catalog = Catalog(db, {}, default_model="openai/gpt-x")
    assert names(await catalog.resolve("default")) == ["openai/gpt-x"]
    assert names(await catalog.resolve(None)) == ["openai/gpt-x"]

    await catalog.add("openai", "a", default=True)
    assert names(await catalog.resolve("default")) == ["a"]


async def test_the_environments_model_is_asked_before_the_chain_and_once(db: Database) -> None:
    catalog = Catalog(db, {}, default_model="b")
    await catalog.add("openai", "a", priority=1)
    await catalog.add("openai", "b", priority=2)
    await catalog.add("openai", "c", priority=3)

    assert names(await catalog.resolve(None)) == ["b", "a", "c"]
    assert names(await catalog.resolve("c")) == ["c"]

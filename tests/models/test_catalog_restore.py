"""A model is brought back to what it was, also after its removal."""

import asyncio

import pytest

from toolkit.db import Database
from toolkit.errors import ConfigError, Conflict, NotFound
from toolkit.models.catalog import Catalog, Model
from toolkit.models.plan import same


@pytest.fixture
def catalog(db: Database) -> Catalog:
    return Catalog(db, {})


async def defaults(catalog: Catalog) -> list[str]:
    return [model.name for model in await catalog.list() if model.is_default]


async def test_the_last_change_is_undone_and_done_again(catalog: Catalog) -> None:
    before = await catalog.add("openai", "a", config={"temperature": 0.5})
    changed = await catalog.set("a", priority=7, config={})

    restored = await catalog.restore("a", by="ada")

    assert same(restored, before)
    assert await catalog.get("a") == restored
    assert restored.updated_at > changed.updated_at
    change = (await catalog.history("a"))[0]
    assert (change.action, change.changed_by, change.before, change.after) == (
        *("restore", "ada"),
        *(changed.to_json(), before.to_json()),
    )
    assert same(await catalog.restore("a"), changed)


async def test_a_removed_model_comes_back_with_its_id_and_the_time_of_its_adding(catalog: Catalog) -> None:
    added = await catalog.add("openai", "gpt-x", name="a", scope="team", auth={"api_key_env": "A_KEY"}, default=True)
    await catalog.set("a", priority=7)
    await catalog.remove("a")

    restored = await catalog.restore("a")

    assert (restored.id, restored.priority, restored.is_default) == (added.id, 7, True)
    assert await catalog.get(added.id) == restored
    assert abs((restored.created_at - added.created_at).total_seconds()) < 1
    assert [c.action for c in await catalog.history("a")] == ["restore", "remove", "set", "add"]


async def test_a_removed_model_that_came_back_stays(catalog: Catalog) -> None:
    await catalog.add("openai", "a")
    await catalog.remove("a")
    restored = await catalog.restore("a")

    assert await catalog.restore("a") == restored
    assert len(await catalog.history("a")) == 3


async def test_a_removed_model_is_found_by_its_id_and_a_name_means_the_last_one_removed(catalog: Catalog) -> None:
    first = await catalog.add("openai", "one", name="a")
    await catalog.remove("a")
    second = await catalog.add("openai", "two", name="a")
    await catalog.remove("a")

    assert (await catalog.restore("a")).id == second.id
    with pytest.raises(Conflict, match="'a' is taken"):
        await catalog.restore(first.id)
    await catalog.set("a", new_name="b")
    assert (await catalog.restore(first.id)).name == "a"
    assert [m.name for m in await catalog.list()] == ["a", "b"]


async def test_a_model_goes_back_to_what_it_was_after_any_of_its_changes(catalog: Catalog) -> None:
    added = await catalog.add("openai", "a", priority=1)
    await catalog.set("a", priority=2)
    await catalog.set("a", priority=3, new_name="b")
    await catalog.remove("b")
    removal, renaming, second, first = await catalog.history("a")

    assert (await catalog.restore("b", at=second.id)).priority == 2
    assert (await catalog.get("a")).id == added.id
    assert (await catalog.restore("a", at=first.id)).priority == 1
    for change in (renaming, removal):
        restored = await catalog.restore("a", at=change.id)
        assert (restored.name, restored.priority) == ("b", 3)
        await catalog.restore("b", at=first.id)


async def test_what_is_so_already_is_not_written(catalog: Catalog) -> None:
    added = await catalog.add("openai", "a")
    (change,) = await catalog.history("a")

    assert await catalog.restore("a", at=change.id) == added
    assert len(await catalog.history()) == 1


async def test_a_name_that_was_taken_meanwhile_is_a_conflict_and_nothing_is_changed(catalog: Catalog) -> None:
    await catalog.add("openai", "a")
    await catalog.set("a", new_name="b")
    other = await catalog.add("openai", "a")

    with pytest.raises(Conflict, match="'a' is taken"):
        await catalog.restore("b")
    assert await catalog.get("a") == other
    assert len(await catalog.history()) == 3


async def test_a_former_default_takes_its_place_back(catalog: Catalog) -> None:
    await catalog.add("openai", "a", default=True)
    await catalog.add("openai", "b", default=True)

    await catalog.restore("a", by="ada")

    assert await defaults(catalog) == ["a"]
    deposed = (await catalog.history("b"))[0]
    assert (deposed.action, deposed.changed_by) == ("set", "ada")

    await catalog.remove("a")
    await catalog.set("b", default=True)
    await catalog.restore("a")
    assert await defaults(catalog) == ["a"]


async def test_what_never_was_is_answered_in_words(catalog: Catalog) -> None:
    await catalog.add("openai", "a")
    await catalog.add("openai", "other")
    (other,) = await catalog.history("other")

    with pytest.raises(ConfigError, match="'a' was not changed since it was added"):
        await catalog.restore("a")
    with pytest.raises(NotFound, match=r"no model 'aa' \(near to it: 'a'\)"):
        await catalog.restore("aa")
    for at in ("nothing", other.id):
        with pytest.raises(NotFound, match=r"no change .* of a model 'a'; `toolkit models history a`"):
            await catalog.restore("a", at=at)


async def test_a_model_that_only_changed_its_name_is_told_by_its_name_of_now(catalog: Catalog) -> None:
    await catalog.add("openai", "a")
    await catalog.set("a", new_name="b")

    with pytest.raises(NotFound, match="'a' is called 'b' now"):
        await catalog.restore("a")


async def test_what_cannot_be_used_any_more_is_refused(catalog: Catalog, db: Database) -> None:
    await catalog.add("openai", "a", config={"timeout": 5})
    await catalog.set("a", config={})
    (change, _) = await catalog.history("a")
    before = {**(change.before or {}), "config": {"temperature": 99}}
    await db.execute("UPDATE model_changes SET before = :before WHERE id = :id", before=before, id=change.id)

    with pytest.raises(ConfigError, match="'temperature'"):
        await catalog.restore("a")
    before["provider"] = "uninstalled"
    await db.execute("UPDATE model_changes SET before = :before WHERE id = :id", before=before, id=change.id)
    with pytest.raises(ConfigError, match="no provider 'uninstalled'"):
        await catalog.restore("a")


async def test_two_who_restore_one_model_at_once_restore_it_once(catalog: Catalog) -> None:
    await catalog.add("openai", "a")
    await catalog.remove("a")

    restored: list[Model] = await asyncio.gather(*(catalog.restore("a") for _ in range(3)))

    assert len({model.id for model in restored}) == 1
    assert [c.action for c in await catalog.history("a")] == ["restore", "remove", "add"]

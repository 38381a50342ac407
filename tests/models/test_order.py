"""The order of models: changed for several at once, and by putting one ahead of another."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.db import Database
from toolkit.errors import ConfigError, NotFound
from toolkit.models.catalog import Catalog
from toolkit.models.model import Model
from toolkit.models.plan import to_move
from toolkit.models.rows import in_order


@pytest.fixture
def catalog(db: Database) -> Catalog:
    return Catalog(db, {})


async def test_several_priorities_are_changed_together_or_not_at_all(catalog: Catalog) -> None:
    for name in ("a", "b", "c"):
        await catalog.add("openai", "x", name=name, priority=10)
    changed = await catalog.prioritize({"a": 30, "b": 10, "c": 20}, by="ada")
    assert [(model.name, model.priority) for model in changed] == [("b", 10), ("c", 20), ("a", 30)]
    assert {change.name for change in await catalog.history() if change.changed_by == "ada"} == {"a", "c"}
    with pytest.raises(NotFound):
        await catalog.prioritize({"a": 1, "nothing": 2})
    with pytest.raises(ConfigError, match="whole number"):
        await catalog.prioritize({"a": 1, "b": 2**40})
    with pytest.raises(ConfigError, match="which models"):
        await catalog.prioritize({})
    assert (await catalog.get("a")).priority == 30


async def test_a_model_goes_ahead_of_another_of_its_scope(catalog: Catalog) -> None:
    for name, priority in (("a", 10), ("b", 20), ("c", 30)):
        await catalog.add("openai", "x", name=name, priority=priority)
    await catalog.add("openai", "x", name="elsewhere", priority=1, scope="team")
    assert (await catalog.move("c", ahead_of="b", by="ada")).priority == 15
    assert [model.name for model in await catalog.chain()] == ["a", "c", "b"]
    assert (await catalog.history("c"))[0].changed_by == "ada"
    await catalog.move("a", ahead_of=None)
    assert [model.name for model in await catalog.chain()] == ["c", "b", "a"]
    with pytest.raises(ConfigError, match="within a scope"):
        await catalog.move("a", ahead_of="elsewhere")
    with pytest.raises(NotFound):
        await catalog.move("a", ahead_of="nothing")


def _model(place: int, priority: int) -> Model:
    return Model(f"id{place}", f"name{place}", "openai", "x", priority=priority)


@given(st.lists(st.integers(-3, 12), min_size=1, max_size=8), st.data())
def test_wherever_a_model_is_put_it_comes_there_and_the_others_keep_their_order(
    priorities: list[int], data: st.DataObject
) -> None:
    listed = in_order(_model(place, priority) for place, priority in enumerate(priorities))
    moved = data.draw(st.sampled_from(listed))
    others = [model for model in listed if model.id != moved.id]
    place = data.draw(st.integers(0, len(others)))
    ahead_of = others[place].id if place < len(others) else None
    plan = to_move(listed, moved.id, ahead_of)
    changed = {before.id: after for before, after in plan.changed}
    after = in_order(changed.get(model.id, model) for model in listed)
    wanted = [*others[:place], moved, *others[place:]]
    assert [model.id for model in after] == [model.id for model in wanted]
    if wanted == listed:
        assert not plan.changed
    for model in others[:place]:
        assert model.id not in changed

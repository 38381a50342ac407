"""Many models are changed at once or not at all, and the history has one entry for each."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from toolkit.db import Database, Statement
from toolkit.errors import ConfigError, Conflict, NotFound
from toolkit.models.catalog import Catalog, Model
from toolkit.models.rows import Stale

KEY = "sk-proj-abcdefghijklmnop"


@pytest.fixture
def catalog(db: Database) -> Catalog:
    return Catalog(db, {})


class Counted:
    """The verbs of a database, and how often they were used."""

    def __init__(self, db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.reads = self.writes = 0
        fetch_all, write = db.fetch_all, db.write

        async def counted_read(*arguments: Any, **values: Any) -> Any:
            self.reads += 1
            return await fetch_all(*arguments, **values)

        async def counted_write(*statements: Statement, **options: Any) -> Any:
            self.writes += 1
            return await write(*statements, **options)

        monkeypatch.setattr(db, "fetch_all", counted_read)
        monkeypatch.setattr(db, "write", counted_write)


async def everything(catalog: Catalog) -> list[tuple[str, int, bool, bool]]:
    return [(m.name, m.priority, m.enabled, m.is_default) for m in await catalog.list()]


async def three(catalog: Catalog) -> list[Model]:
    return await catalog.add_many(
        [
            {"provider": "openai", "model": "a", "priority": 1, "default": True},
            {"provider": "anthropic", "model": "b", "priority": 2},
            {"provider": "openai", "model": "c", "priority": 3, "scope": "team"},
        ],
        by="ada",
    )


async def test_many_are_added_at_once_as_each_would_be_alone(catalog: Catalog, db: Database) -> None:
    await catalog.add("openai", "old", default=True)

    added = await three(catalog)

    assert [await catalog.get(model.name) for model in added] == added
    assert not (await catalog.get("old")).is_default
    changes = await catalog.history()
    assert sorted((c.name, c.action, c.changed_by) for c in changes) == [
        ("a", "add", "ada"),
        ("b", "add", "ada"),
        ("c", "add", "ada"),
        ("old", "add", None),
        ("old", "set", "ada"),
    ]
    told = await db.fetch_all("SELECT subject, body FROM events WHERE kind = 'model.updated' AND subject = 'c'")
    assert len(told) == 1


@pytest.mark.parametrize(
    ("entry", "error", "words"),
    [
        ({"provider": "openai", "model": "taken"}, Conflict, "'taken' is taken"),
        ({"provider": "openai", "model": "first"}, Conflict, "Models 1 and 2 have the same name 'first'"),
        ({"provider": "opnai", "model": "x"}, ConfigError, "'x': There is no provider 'opnai'"),
        ({"provider": "openai", "model": "x", "config": {"timeout": 0}}, ConfigError, "'x': .*'timeout'.*seconds"),
        ({"provider": "openai", "model": "x", "auth": {"api_key_env": KEY}}, ConfigError, "'x': .*never stored"),
        ({"provider": "openai", "model": "x", "priorty": 1}, ConfigError, r"Model 2 \('x'\).*mean 'priority'"),
        ({"provider": "openai"}, ConfigError, "Model 2: model is missing"),
        ({"provider": "openai", "model": "x", "default": True}, ConfigError, "both the default of scope 'global'"),
    ],
)
async def test_one_that_cannot_be_added_keeps_the_others_out(
    entry: dict[str, Any], error: type[Exception], words: str, db: Database
) -> None:
    catalog = Catalog(db, {})
    await catalog.add("openai", "taken")

    with pytest.raises(error, match=words) as caught:
        await catalog.add_many([{"provider": "openai", "model": "first", "default": True}, entry])

    assert KEY not in str(caught.value)
    assert [model.name for model in await catalog.list()] == ["taken"]
    assert len(await catalog.history()) == 1


async def test_named_models_are_changed_together_by_name_or_id(catalog: Catalog) -> None:
    a, b, _ = await three(catalog)

    changed = await catalog.set_many("a", b.id, a.id, enabled=False, priority=9, by="bob")

    assert [model.name for model in changed] == ["a", "b"]
    assert await everything(catalog) == [("a", 9, False, True), ("b", 9, False, False), ("c", 3, True, False)]
    assert [(c.action, c.changed_by) for c in (await catalog.history())[:2]] == [("set", "bob")] * 2
    assert len(await catalog.history()) == 5


async def test_all_of_a_vendor_or_a_scope_are_changed_together(catalog: Catalog) -> None:
    await three(catalog)

    assert [m.name for m in await catalog.set_many(provider="openai", enabled=False)] == ["a", "c"]
    assert [m.name for m in await catalog.set_many(provider="openai", scope="team", enabled=True)] == ["c"]
    assert [m.name for m in await catalog.remove_many(scope="global", by="eve")] == ["a", "b"]

    assert await everything(catalog) == [("c", 3, True, False)]
    removed = [change for change in await catalog.history() if change.action == "remove"]
    assert {(c.name, c.changed_by) for c in removed} == {("a", "eve"), ("b", "eve")}
    assert all(change.before and change.after is None for change in removed)


async def test_what_is_so_already_is_given_and_not_written(catalog: Catalog) -> None:
    await three(catalog)
    await catalog.set("a", enabled=False)

    assert [m.name for m in await catalog.set_many("a", "b", enabled=False)] == ["a", "b"]

    assert len(await catalog.history("a")) == 2
    assert len(await catalog.history("b")) == 2


async def test_one_that_is_not_there_leaves_the_others_as_they_were(catalog: Catalog) -> None:
    await three(catalog)
    before = await everything(catalog)

    with pytest.raises(NotFound, match=r"no model 'aa' .near to it: 'a'"):
        await catalog.set_many("b", "aa", enabled=False)
    with pytest.raises(NotFound, match="no model 'gone'"):
        await catalog.remove_many("b", "gone")
    with pytest.raises(NotFound, match="of scopes there are 'global', 'team'"):
        await catalog.remove_many(scope="taem")

    assert await everything(catalog) == before


async def test_which_ones_must_be_said_and_in_one_way(catalog: Catalog) -> None:
    await three(catalog)

    with pytest.raises(ConfigError, match="Say which models"):
        await catalog.remove_many()
    with pytest.raises(ConfigError, match="not in both ways"):
        await catalog.set_many("a", scope="team", enabled=False)
    with pytest.raises(ConfigError, match="priority"):
        await catalog.set_many("a", "b", priority=10**30)
    assert len(await catalog.list()) == 3


async def test_a_change_that_comes_between_is_not_lost(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    await three(catalog)
    listed = catalog.list

    async def somebody_else_is_faster(**options: Any) -> list[Model]:
        found = await listed(**options)
        monkeypatch.undo()
        await catalog.set("b", scope="team")
        return found

    monkeypatch.setattr(catalog, "list", somebody_else_is_faster)
    await catalog.set_many("a", "b", enabled=False)

    model = await catalog.get("b")
    assert (model.scope, model.enabled) == ("team", False)


async def test_models_that_others_keep_changing_are_a_conflict_in_the_end(
    catalog: Catalog, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await three(catalog)

    async def always_late(*_: object) -> None:
        raise Stale("Too late.")

    monkeypatch.setattr(db, "write", always_late)
    with pytest.raises(Conflict, match="try again"):
        await catalog.set_many("a", "b", enabled=False)


def document(count: int, **options: object) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in options.items()]
    return "\n".join(
        "\n".join(("[[models]]", 'provider = "openai"', f'model = "m{number}"', *lines)) for number in range(count)
    )


async def test_an_import_says_what_it_would_do_and_then_does_just_that(catalog: Catalog) -> None:
    await three(catalog)
    text = """
        [[models]]
        name = "a"
        provider = "openai"
        model = "a"
        priority = 1
        default = true

        [[models]]
        name = "b"
        provider = "openai"
        model = "b2"
        [models.config]
        temperature = 0.5

        [[models]]
        provider = "anthropic"
        model = "new"
        scope = "team"
        default = true
    """
    before = await everything(catalog)

    plan = await catalog.import_toml(text, replace=True, dry_run=True)

    assert [model.name for model in plan.added] == ["new"]
    assert [(was.name, was.provider, is_.provider, is_.priority) for was, is_ in plan.changed] == [
        ("b", "anthropic", "openai", 100)
    ]
    assert [model.name for model in plan.unchanged] == ["a"]
    assert [model.name for model in plan.removed] == ["c"]
    assert await everything(catalog) == before

    done = await catalog.import_toml(text, replace=True, by="ada")

    assert [[m.name for m in part] for part in (done.added, done.unchanged, done.removed)] == [["new"], ["a"], ["c"]]
    assert await everything(catalog) == [("a", 1, True, True), ("b", 100, True, False), ("new", 100, True, True)]
    b = await catalog.get("b")
    assert (b.provider, b.model, b.config) == ("openai", "b2", {"temperature": 0.5})
    assert sorted((c.name, c.action) for c in (await catalog.history())[:3]) == [
        ("b", "set"),
        ("c", "remove"),
        ("new", "add"),
    ]
    assert {c.changed_by for c in (await catalog.history())[:3]} == {"ada"}


async def test_models_of_which_the_file_says_nothing_stay_unless_all_is_to_be_replaced(catalog: Catalog) -> None:
    await three(catalog)

    assert not (await catalog.import_toml(document(1))).removed
    assert len(await catalog.list()) == 4
    assert len((await catalog.import_toml("", replace=True)).removed) == 4
    assert await catalog.list() == []


async def test_importing_what_was_exported_changes_nothing(catalog: Catalog) -> None:
    await three(catalog)
    await catalog.add("openai", "d", config={"extra": {"stop": None, "n": [1, 2.5, True]}, "tools": False})
    text = await catalog.export_toml()
    before = await catalog.history()

    plan = await catalog.import_toml(text, replace=True)

    assert plan.empty
    assert len(plan.unchanged) == 4
    assert await catalog.history() == before
    assert await catalog.export_toml() == text


async def test_the_imported_default_takes_the_place_of_the_one_that_the_file_does_not_name(catalog: Catalog) -> None:
    await catalog.add("openai", "old", default=True)

    plan = await catalog.import_toml(document(1, default=True))

    assert [before.name for before, _ in plan.changed] == ["old"]
    assert await everything(catalog) == [("m0", 100, True, True), ("old", 100, True, False)]


@pytest.mark.parametrize(("first", "then"), [("a", "b"), ("b", "a")])
async def test_the_default_passes_from_one_imported_model_to_another(catalog: Catalog, first: str, then: str) -> None:
    def file(default: str) -> str:
        entry = '[[models]]\nprovider = "openai"\nmodel = "{}"\n'
        return "".join(entry.format(name) + "default = true\n" * (name == default) for name in "ab")

    await catalog.import_toml(file(first))
    await catalog.import_toml(file(then))

    assert [model.name for model in await catalog.list() if model.is_default] == [then]


async def test_two_defaults_change_their_scopes_with_one_another(catalog: Catalog) -> None:
    await catalog.add("openai", "m0", default=True, scope="x")
    await catalog.add("openai", "m1", default=True, scope="y")

    await catalog.import_toml(
        '[[models]]\nprovider = "openai"\nmodel = "m0"\nscope = "y"\ndefault = true\n'
        '[[models]]\nprovider = "openai"\nmodel = "m1"\nscope = "x"\ndefault = true\n'
    )

    assert [(m.scope, m.name, m.is_default) for m in await catalog.list()] == [("x", "m1", True), ("y", "m0", True)]


async def test_a_number_is_no_flag_and_one_is_one_however_it_is_written(catalog: Catalog) -> None:
    await catalog.add("openai", "m0", config={"extra": {"x": 1}})

    whole = "[[models]]\nprovider = 'openai'\nmodel = 'm0'\n[models.config.extra]\nx = "
    assert (await catalog.import_toml(whole + "1.0")).empty
    assert (await catalog.import_toml(whole + "true")).changed


async def test_a_row_that_is_there_and_left_as_it_is_is_not_judged_anew(catalog: Catalog, db: Database) -> None:
    added = await catalog.add("openai", "m0")
    await db.execute("UPDATE models SET provider = 'uninstalled' WHERE id = :id", id=added.id)
    text = await catalog.export_toml()

    assert (await catalog.import_toml(text)).empty
    with pytest.raises(ConfigError, match="no provider 'uninstalled'"):
        await catalog.import_toml(text.replace("m0", "m1"))


async def test_an_import_that_fails_at_the_last_entry_has_done_nothing(catalog: Catalog) -> None:
    with pytest.raises(ConfigError, match="'m3': There is no provider 'nobody'"):
        await catalog.import_toml(document(3) + "\n[[models]]\nprovider = 'nobody'\nmodel = 'm3'\n")

    assert await catalog.list() == []
    assert await catalog.history() == []


async def test_a_thousand_models_are_one_read_and_one_write(
    catalog: Catalog, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(db, monkeypatch)

    await catalog.import_toml(document(1000, priority=5))
    assert (counted.reads, counted.writes) == (1, 1)
    await catalog.import_toml(document(1000, priority=6))
    assert (counted.reads, counted.writes) == (2, 2)
    await catalog.set_many(scope="global", enabled=False)
    await catalog.remove_many(provider="openai")
    assert (counted.reads, counted.writes) == (4, 4)

    assert await catalog.list() == []
    assert len(await catalog.history(limit=5000)) == 4000


async def test_two_processes_that_import_at_once_agree(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "models.toml"
    file.write_text(document(200, priority=5), encoding="utf-8")
    program = (
        "import asyncio, sys, pathlib\n"
        "from toolkit.db import open_database\n"
        "from toolkit.models.catalog import Catalog\n"
        "from toolkit.settings import Settings\n"
        "async def main():\n"
        "    db = open_database(Settings(sys.argv[1]))\n"
        "    await db.open()\n"
        "    print('ready', flush=True)\n"
        "    sys.stdin.readline()\n"
        "    plan = await Catalog(db, {}).import_toml(pathlib.Path(sys.argv[2]).read_text())\n"
        "    print(len(plan.added), len(plan.unchanged))\n"
        "    await db.close()\n"
        "asyncio.run(main())\n"
    )
    started = [
        await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", program, database_url, str(file)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(2)
    ]
    for process in started:
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"

    said = await asyncio.gather(*(process.communicate(b"\n") for process in started))

    assert sorted(out.decode().split() for out, _ in said) == [["0", "200"], ["200", "0"]]
    assert [process.returncode for process in started] == [0, 0]

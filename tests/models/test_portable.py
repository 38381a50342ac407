"""Models go through a TOML file unchanged, and a wrong file is one sentence that says where."""

import asyncio
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.hostile import fits, objects
from toolkit.db import open_database
from toolkit.errors import ConfigError, Conflict, ToolkitError
from toolkit.models import portable
from toolkit.models.catalog import Catalog, Model
from toolkit.models.plan import same, to_import
from toolkit.settings import Settings

KEY = "sk-proj-abcdefghijklmnop"
WRITTEN = """\
# Models of the toolkit: `toolkit models import FILE` makes the table what this says.

[[models]]
name = "small"
provider = "openai"
model = "gpt-4o-mini"
priority = 10
default = true
auth = { api_key_env = "TEAM_KEY" }

[models.config]
base_url = "http://127.0.0.1:9000/v1"
temperature = 0.2

[models.config.extra]
user = "é"

[[models]]
name = "large"
provider = "anthropic"
model = "claude"
priority = 100
scope = "team"
enabled = false
config = '{"extra": {"stop": null}}'
"""
MODELS = [
    Model(
        *("", "small", "openai", "gpt-4o-mini"),
        priority=10,
        is_default=True,
        auth={"api_key_env": "TEAM_KEY"},
        config={"base_url": "http://127.0.0.1:9000/v1", "temperature": 0.2, "extra": {"user": "é"}},
    ),
    Model("", "large", "anthropic", "claude", scope="team", enabled=False, config={"extra": {"stop": None}}),
]

# Printable names that a TOML writer, a shell or a query language may trip over.
ODD = st.sampled_from("ab'\"\\[]{}=#.,:é日🙂 $%\u00a0") | st.characters(codec="utf-8")
usable = st.text(ODD, min_size=1, max_size=8).map(lambda text: "".join(filter(str.isprintable, text)).strip() or "x")
models = st.builds(
    Model,
    id=st.just(""),
    name=usable,
    provider=st.sampled_from(("openai", "anthropic", "offline")),
    model=usable,
    scope=usable,
    priority=st.integers(-(2**31), 2**31),
    enabled=st.booleans(),
    is_default=st.booleans(),
    auth=st.dictionaries(
        st.sampled_from(("api_key_env", "base_url_env", "region")), st.sampled_from(("A_KEY", "B_KEY")), max_size=2
    ),
    config=st.fixed_dictionaries({}, optional={"extra": objects.filter(fits), "timeout": st.floats(0.1, 100)}),
)


def one_default_each(found: list[Model]) -> list[Model]:
    scopes: set[str] = set()
    made = []
    for model in found:
        made.append(replace(model, is_default=model.is_default and model.scope not in scopes))
        scopes.add(model.scope)
    return made


lists = st.lists(models, max_size=4, unique_by=lambda model: model.name).map(one_default_each)


def test_a_file_reads_as_a_person_would_write_it() -> None:
    assert portable.write(MODELS) == WRITTEN
    assert portable.read(WRITTEN) == MODELS


def test_what_is_left_out_has_its_usual_value() -> None:
    (read,) = portable.read('[[models]]\nprovider = "openai"\nmodel = "gpt-x"\n')

    assert read == Model("", "gpt-x", "openai", "gpt-x")
    assert portable.read("") == []


@settings(deadline=None)
@given(lists)
def test_what_was_written_is_read_as_it_was(found: list[Model]) -> None:
    text = portable.write(found)

    assert all(map(same, portable.read(text), found))
    assert len(portable.read(text)) == len(found)
    assert portable.write(portable.read(text)) == text
    assert not any("\x7f" <= character <= "\x9f" for character in text)


@settings(deadline=None, max_examples=30)
@given(lists, lists)
def test_an_export_makes_any_other_table_the_same(first: list[Model], second: list[Model]) -> None:
    async def move() -> None:
        here, there = (open_database(Settings("sqlite://")) for _ in range(2))
        await here.open()
        await there.open()
        try:
            for database, found in ((here, first), (there, second)):
                await Catalog(database, {}).import_toml(portable.write(found))
            text = await Catalog(here, {}).export_toml()
            await Catalog(there, {}).import_toml(text, replace=True)
            assert await Catalog(there, {}).export_toml() == text
            for database in (here, there):
                assert (await Catalog(database, {}).import_toml(text, replace=True)).empty
        finally:
            await here.close()
            await there.close()

    asyncio.run(move())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[[models]]\nname = x", r"The file is not TOML: .*line 2"),
        ("x = " + "[" * 5000, "The file is not TOML"),
        ("n = " + "1" * 5000, "The file is not TOML"),
        ("model = 1", r"no 'model' in a file of models \(did you mean 'models'\?\)"),
        ("models = 5", r"under a line \[\[models\]\]"),
        ("models = [1]", r"under a line \[\[models\]\]"),
        ("[[models]]\nmodel = 'x'", r"Model 1 \('x'\): provider is missing"),
        ("[[models]]\nprovider = 'openai'", r"Model 1: model is missing"),
        ("[[models]]\nprovider = 'openai'\nmodel = 'x'\ndefualt = true", r"Model 1 \('x'\): .*mean 'default'"),
        ("[[models]]\nprovider = 'openai'\nmodel = 'x'\nis_default = true", "no key 'is_default'.*mean 'default'"),
        ("[[models]]\nprovider = 'openai'\nmodel = 'x'\npriority = '1'", "priority must be a whole number"),
        ("[[models]]\nprovider = 'openai'\nmodel = 'x'\npriority = true", "priority must be a whole number"),
        ("[[models]]\nprovider = 'openai'\nmodel = 'x'\nenabled = 1", "enabled must be true or false"),
        ("[[models]]\nprovider = 'openai'\nmodel = 5", "model must be a text"),
        ("[[models]]\nprovider = 'openai'\nmodel = 'x'\nauth = 'A_KEY'", "auth must be a table"),
        ("[[models]]\nprovider = 'openai'\nmodel = 'x'\nconfig = '{'", "config must be a table, or a text"),
        ("[[models]]\nprovider = 'openai'\nmodel = 'x'\nconfig = '[]'", "config must be a table"),
        (
            "[[models]]\nprovider = 'openai'\nmodel = 'x'\nconfig.a" + ".a" * 3000 + " = 1",
            "config may be 40 levels deep",
        ),
        (
            f"[[models]]\nprovider = 'openai'\nmodel = 'x'\nconfig.a = {'[' * 60}{']' * 60}",
            "config may be 40 levels deep",
        ),
        ('[[models]]\nprovider = "openai"\nmodel = "x"\nconfig = { a = ["\\u0000"] }', r"Model 1 \('x'\): config.*NUL"),
        ('[[models]]\nprovider = "openai"\nmodel = "x"\nconfig = { "\\u0000" = 1 }', r"Model 1 \('x'\): config.*NUL"),
        (f"[[models]]\nprovider = 'openai'\nmodel = 'x'\nconfig = '{'[' * 200_000}'", "config must be a table, or"),
    ],
)
def test_a_wrong_file_is_one_sentence_that_names_the_entry_and_the_field(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        portable.read(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (f"auth = {{ api_key_env = '{KEY}' }}", "'x': auth.*never stored"),
        (f"auth = {{ api_keys_env = '{KEY},{KEY}' }}", "'x': auth.*never stored"),
        ("auth = { api_key = 'anything' }", "'x': auth.*looks like a secret"),
        ("auth = { api_keys = 'anything,else' }", r"'x': auth.*write auth\['api_keys_env'\]"),
        ("auth = { api_key_env = 'A_KEY', api_keys_env = 'A_KEYS' }", "'x': .*write one of them"),
        ("config = { timeout = inf }", "'x': .*JSON"),
        ("config = { extra = { n = nan } }", "'x': .*JSON"),
        ("config = { when = 2026-11-20 }", "'x': .*JSON"),
        ("config = { temprature = 1 }", "'x': There is no setting 'temprature'.*mean 'temperature'"),
        ("scope = ' '", "'x': The scope"),
        ("priority = 99999999999", "'x': The priority"),
    ],
)
def test_an_entry_that_nobody_could_use_is_refused_by_its_name_and_no_secret_is_repeated(
    lines: str, words: str
) -> None:
    wanted = portable.read(f"[[models]]\nprovider = 'openai'\nmodel = 'x'\n{lines}")

    with pytest.raises(ConfigError, match=words) as caught:
        to_import(wanted, [], replace_all=False)

    assert KEY not in str(caught.value)
    assert "anything" not in str(caught.value)


def test_two_of_one_name_are_refused_with_their_places() -> None:
    entry = "[[models]]\nprovider = 'openai'\nmodel = 'x'\n"
    with pytest.raises(Conflict, match="Models 1 and 3 have the same name 'x'"):
        portable.read(entry + entry.replace("'x'", "'y'") + entry)


def test_two_defaults_of_one_scope_are_refused_by_their_names() -> None:
    entry = "[[models]]\nprovider = 'openai'\nmodel = '{}'\ndefault = true\n"
    with pytest.raises(ConfigError, match="'x' and 'y' are both the default of scope 'global'"):
        portable.read(entry.format("x") + entry.format("y"))
    assert len(portable.read(entry.format("x") + entry.format("y") + "scope = 'team'")) == 2


@pytest.mark.parametrize("text", [f"{KEY} = 1", f"[[models]]\n{KEY} = 1", f"[[models]]\nname = '{KEY}'\nmodel = 5"])
def test_a_key_in_the_wrong_place_is_not_repeated(text: str) -> None:
    with pytest.raises(ToolkitError) as caught:
        portable.read(text)
    assert KEY not in str(caught.value)


def test_a_config_that_holds_nothing_somewhere_is_written_as_json_however_it_is_quoted() -> None:
    model = Model("", "x", "openai", "x", config={"extra": {"a": None, "b": "it's \x7f"}})

    (entry,) = tomllib.loads(portable.write([model]))["models"]

    assert isinstance(entry["config"], str)
    assert portable.read(portable.write([model])) == [model]


def test_what_a_terminal_would_obey_is_written_as_an_escape() -> None:
    model = Model("", "x", "openai", "x", config={"extra": {"a\x9b": "\x1b[2J \x9b2J"}})

    text = portable.write([model])

    assert all(character == "\n" or character.isprintable() for character in text)
    assert portable.read(text) == [model]

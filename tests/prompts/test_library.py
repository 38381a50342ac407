"""Prompts: where they come from, how they are filled in, and who changed them."""

import asyncio
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from toolkit.db import Database, open_database
from toolkit.db.feed import Feed
from toolkit.errors import ConfigError, Conflict, DatabaseError, NotFound
from toolkit.messages import NOT_IN_SOURCES
from toolkit.prompts.library import OWN, Prompt, PromptArgument, Prompts
from toolkit.settings import Settings

GREETING = """---
title: A greeting
description: Greets someone.
version: 3
arguments:
  - name: who
    description: Whom to greet.
  - name: how
    required: false
  - mood
  - name: tongue
    default: English
hints:
  temperature: 0.2
---
Hello {{ who }}{% if how %} {{ how }}{% endif %}, be {{ mood }}.
"""
TEMPLATE = "Hello {{ who }}{% if how %} {{ how }}{% endif %}, be {{ mood }}."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "prompts"
    place.mkdir()
    (place / "greeting.md").write_text(GREETING)
    return place


@pytest.fixture
def prompts(folder: Path) -> Prompts:
    return Prompts(folder)


@pytest.fixture
def kept(folder: Path, db: Database) -> Prompts:
    """Those of the package, of a folder and of a database."""
    return Prompts(folder, db)


async def test_a_prompt_tells_what_it_is_and_what_it_takes(prompts: Prompts, folder: Path) -> None:
    assert await prompts.get("greeting") == Prompt(
        id="greeting",
        title="A greeting",
        description="Greets someone.",
        arguments=(
            PromptArgument("who", "Whom to greet."),
            PromptArgument("how", "", required=False),
            PromptArgument("mood"),
            PromptArgument("tongue", "", required=False, default="English"),
        ),
        template=TEMPLATE,
        hints={"temperature": 0.2},
        version="3",
        source="folder",
        path=folder / "greeting.md",
        text=GREETING,
    )


async def test_the_gaps_are_filled_and_an_optional_one_may_stay_empty(prompts: Prompts, folder: Path) -> None:
    (folder / "in.md").write_text("---\narguments: [{name: tongue, default: English}]\n---\nIn {{ tongue }}.")

    assert await prompts.render("greeting", who="Ada", mood="kind") == "Hello Ada, be kind."
    assert await prompts.render("greeting", who="Ada", how="dear", mood="kind") == "Hello Ada dear, be kind."
    assert await prompts.render("in") == "In English."
    assert await prompts.render("in", tongue="Welsh") == "In Welsh."


async def test_an_argument_may_be_called_like_a_parameter_of_render(prompts: Prompts, folder: Path) -> None:
    (folder / "odd.md").write_text("---\narguments: [id, prompt]\n---\n{{ id }} {{ prompt }}")

    assert await prompts.render("odd", id="a", prompt="b") == "a b"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"who": "Ada"},
            "The prompt greeting needs the argument 'mood'; it takes who, how, mood, tongue.",
        ),
        (
            {"who": "a", "hwo": "c"},
            "The prompt greeting has no argument 'hwo'; needs the argument 'mood'; it takes who, how, mood, tongue.",
        ),
    ],
)
async def test_missing_and_unknown_arguments_are_named(
    prompts: Prompts, arguments: dict[str, str], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        await prompts.render("greeting", **arguments)
    assert str(caught.value) == message


async def test_a_prompt_without_arguments_says_so() -> None:
    with pytest.raises(ConfigError, match="has no argument 'x'; it takes none"):
        await Prompts().render("answer_from_sources", x=1)


async def test_the_database_counts_before_the_folder_and_the_folder_before_the_package(
    kept: Prompts, folder: Path
) -> None:
    async def said() -> dict[str, tuple[str, str]]:
        return {p.id: (p.source, p.template[:5]) for p in await kept.list() if p.id in ("answer_from_sources", "mine")}

    assert await said() == {"answer_from_sources": ("package", "Answe")}
    (folder / "answer_from_sources.md").write_text("File.")
    assert await said() == {"answer_from_sources": ("folder", "File.")}
    await kept.add("answer_from_sources", "Kept.")
    await kept.add("mine", "Mine.")
    assert await said() == {"answer_from_sources": ("database", "Kept."), "mine": ("database", "Mine.")}
    assert await kept.render("answer_from_sources") == "Kept."
    assert {p.id: p.template for p in kept.files()}["answer_from_sources"] == "File."

    left = await kept.remove("answer_from_sources")

    assert (left and left.source) == "folder"
    assert await kept.render("answer_from_sources") == "File."
    assert await kept.remove("mine") is None
    with pytest.raises(NotFound):
        await kept.get("mine")


async def test_the_list_is_sorted_by_id(kept: Prompts) -> None:
    for name in ("b", "B", "a-1", "a_1"):
        await kept.add(name, "x")

    ids = [prompt.id for prompt in await kept.list()]

    assert ids == sorted(ids)


async def test_an_edited_file_counts_at_once(prompts: Prompts, folder: Path) -> None:
    await prompts.get("greeting")
    (folder / "greeting.md").write_text("Bye.")
    assert await prompts.render("greeting") == "Bye."


async def test_the_front_matter_may_give_another_id_than_the_files_name(prompts: Prompts, folder: Path) -> None:
    (folder / "a file.md").write_text("---\nid: farewell\n---\nBye.")

    assert await prompts.render("farewell") == "Bye."
    assert "farewell" in [prompt.id for prompt in await prompts.list()]
    with pytest.raises(NotFound):
        await prompts.get("a file")


async def test_of_two_files_with_one_id_the_one_that_is_called_so_counts(prompts: Prompts, folder: Path) -> None:
    for name, text in (("a", "A"), ("farewell", "B"), ("z", "C")):
        (folder / f"{name}.md").write_text(f"---\nid: farewell\n---\n{text}")

    assert await prompts.render("farewell") == "B"
    assert {p.id: p.template for p in await prompts.list()}["farewell"] == "B"


@pytest.mark.parametrize("name", ["nothing", "../errors", "/etc/passwd", "", "a\0b", "library.py"])
async def test_a_prompt_that_is_not_there_is_told_with_what_there_is(kept: Prompts, name: str) -> None:
    with pytest.raises(NotFound, match=r"There is no prompt .*there are 'analyze_architecture', 'answer_from_sources'"):
        await kept.get(name)


async def test_a_slip_of_the_pen_is_told_the_nearest(prompts: Prompts) -> None:
    with pytest.raises(NotFound, match="There is no prompt 'greting'; the nearest is 'greeting'"):
        await prompts.get("greting")


async def test_a_name_does_not_lead_out_of_the_folder(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    for name in ("../greeting", f"../{folder.name}/greeting", str(folder / "greeting")):
        with pytest.raises(NotFound):
            await Prompts(inner).get(name)


async def test_a_file_without_front_matter_is_a_prompt_too(prompts: Prompts, folder: Path) -> None:
    (folder / "be_short.md").write_text("\ufeffBe short.\n", encoding="utf-8")

    found = await prompts.get("be_short")

    assert (found.id, found.title, found.arguments, found.template) == ("be_short", "Be short", (), "Be short.")


async def test_a_file_that_cannot_be_used_is_named_with_everything_that_is_wrong(
    prompts: Prompts, folder: Path
) -> None:
    (folder / "bad.md").write_text("---\ntitel: x\ntool: maybe\n---\nHi {{ who }}")
    for ask in (lambda: prompts.get("bad"), prompts.list):
        with pytest.raises(ConfigError, match=r"'titel'; the nearest is `title`.*`tool` must.*uses 'who'") as caught:
            await ask()
        assert str(folder / "bad.md") in str(caught.value)
    with pytest.raises(ConfigError, match=r"bad\.md cannot be used"):
        prompts.files()


async def test_a_file_that_is_no_text_is_named(prompts: Prompts, folder: Path) -> None:
    (folder / "bad.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"bad\.md cannot be read"):
        await prompts.get("bad")


async def test_a_bad_prompt_does_not_hinder_another(prompts: Prompts, folder: Path) -> None:
    (folder / "bad.md").write_text("Hi {{ who }}")
    (folder / "no_text.md").write_bytes(b"\xff\xfe")
    assert await prompts.render("greeting", who="Ada", mood="kind")
    assert await prompts.render("answer_from_sources")


async def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("Hi")
    for name, wrong in (("gone", "does not exist"), ("a.md", "is a file")):
        with pytest.raises(ConfigError, match=f"{wrong}; name a folder, or unset TOOLKIT_PROMPTS_DIR"):
            await Prompts(tmp_path / name).list()


async def test_every_prompt_of_ours_says_what_it_is_for_and_has_nothing_to_be_warned_of() -> None:
    prompts = Prompts()
    for prompt in await prompts.list():
        assert prompt.description.endswith(".")
        assert all(argument.description for argument in prompt.arguments)
        found = await prompts.validate(prompt.id)
        assert (found.problems, found.warnings) == ((), ())
    assert {path.stem for path in OWN.glob("*.md")} == {prompt.id for prompt in await prompts.list()}


async def test_the_sentence_for_what_is_not_in_the_sources_is_the_one_that_is_recognised() -> None:
    assert NOT_IN_SOURCES in await Prompts().render("answer_from_sources")


def test_jinja_and_yaml_are_imported_only_when_a_prompt_is_read() -> None:
    code = "import sys, toolkit.prompts.library as l; l.Prompts(); print({'jinja2', 'yaml'} & sys.modules.keys())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


async def test_every_version_is_kept_with_who_and_when_and_the_newest_counts(kept: Prompts) -> None:
    first = await kept.add("tale", "Once.", by="ada")
    second = await kept.add("tale", "Twice.", by="bob")

    assert (first.version, second.version) == (1, 2)
    assert [(v.version, v.text, v.changed_by) for v in await kept.history("tale")] == [
        (2, "Twice.", "bob"),
        (1, "Once.", "ada"),
    ]
    assert (await kept.history("tale"))[0].changed_at == second.changed_at > first.changed_at
    assert [v.version for v in await kept.history("tale", limit=1)] == [2]
    found = await kept.get("tale")
    assert (found.template, found.version, found.source) == ("Twice.", "2", "database")


async def test_the_same_text_again_is_no_new_version(kept: Prompts) -> None:
    first = await kept.add("tale", "Once.", by="ada")

    assert await kept.add("tale", "Once.", by="bob") == first
    assert len(await kept.history("tale")) == 1


async def test_a_former_version_counts_again_as_a_new_one(kept: Prompts) -> None:
    await kept.add("tale", "Once.")
    await kept.add("tale", "Twice.")
    await kept.remove("tale", by="ada")

    restored = await kept.restore("tale", 1, by="bob")

    assert (restored.version, restored.text, restored.changed_by) == (4, "Once.", "bob")
    assert await kept.render("tale") == "Once."
    assert [v.text for v in await kept.history("tale")] == ["Once.", None, "Twice.", "Once."]


async def test_what_cannot_be_restored_or_removed_is_told(kept: Prompts) -> None:
    await kept.add("tale", "Once.")
    await kept.remove("tale")

    with pytest.raises(ConfigError, match="Version 2 of the prompt 'tale' is its removal"):
        await kept.restore("tale", 2)
    with pytest.raises(NotFound, match="has no version 7"):
        await kept.restore("tale", 7)
    with pytest.raises(NotFound, match="'tale' is removed already; `toolkit prompts history`"):
        await kept.remove("tale")
    with pytest.raises(NotFound, match="There is no prompt 'story' in the database, and no other"):
        await kept.remove("story")
    with pytest.raises(ConfigError, match="`limit` must be at least 1"):
        await kept.history("tale", limit=0)
    assert len(await kept.history("tale", limit=10**30)) == 2
    with pytest.raises(NotFound, match=r"'greeting' is not in the database: it is the file .*greeting\.md"):
        await kept.remove("greeting")
    with pytest.raises(NotFound, match="is not in the database"):
        await kept.history("greeting")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("tale", "Hi {{ who }}", "uses 'who'"),
        ("tale", "", "has no text"),
        ("tale", "a\0b", "holds NUL"),
        ("tale", "a\ud800b", "half a character"),
        ("tale", "x" * 200_001, "longer than 200,000 characters"),
        ("tale", "---\nid: story\n---\nHi", "says that the prompt is 'story', not 'tale'"),
        ("a b", "Hi", "'a b' cannot name a prompt"),
        ("../a", "Hi", "cannot name a prompt"),
    ],
)
async def test_a_prompt_that_cannot_be_used_is_not_kept(kept: Prompts, name: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        await kept.add(name, text)
    with pytest.raises(NotFound):
        await kept.history(name)


async def test_whoever_changes_what_another_has_changed_meanwhile_is_told(kept: Prompts) -> None:
    with pytest.raises(Conflict, match="'tale' has no version 1 in the database"):
        await kept.add("tale", "Once.", after=1)
    await kept.add("tale", "Once.", by="ada", after=0)
    await kept.add("tale", "Twice.", by="bob", after=1)

    for after in (0, 1):
        with pytest.raises(Conflict, match=f"meanwhile by bob: its newest version is 2, not {after}"):
            await kept.add("tale", "Thrice.", after=after)

    assert await kept.render("tale") == "Twice."


ADDING = """
import asyncio, sys
from toolkit.db import open_database
from toolkit.prompts.library import Prompts
from toolkit.settings import Settings

async def main(url, who):
    db = open_database(Settings(url))
    prompts = Prompts(None, db)
    await asyncio.gather(*(prompts.add("tale", f"{who} {n}", by=who) for n in range(5)))
    await db.close()

asyncio.run(main(*sys.argv[1:]))
"""


async def test_no_version_of_two_processes_that_write_at_once_is_lost(database_url: str) -> None:
    db = open_database(Settings(database_url))
    await db.open()
    writers = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", ADDING, database_url, who) for who in ("ada", "bob")
    ]
    assert [await writer.wait() for writer in writers] == [0, 0]

    history = await Prompts(None, db).history("tale")
    await db.close()

    assert [v.version for v in history] == list(range(10, 0, -1))
    assert {v.text for v in history} == {f"{who} {n}" for who in ("ada", "bob") for n in range(5)}


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none", "sqlite:////proc/none/toolkit.db"])
async def test_without_its_database_the_prompts_of_files_are_there_and_the_failure_is_told(
    folder: Path, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    db = open_database(Settings(url))
    prompts = Prompts(folder, db)

    assert {"answer_from_sources", "greeting"} <= {prompt.id for prompt in await prompts.list()}
    assert await prompts.render("greeting", who="Ada", mood="kind") == "Hello Ada, be kind."
    assert prompts.last_failure
    assert len(caplog.records) == 1
    with pytest.raises(DatabaseError):  # it may be there: nobody knows
        await prompts.get("tale")
    with pytest.raises(DatabaseError):
        await prompts.add("tale", "Once.")
    await db.close()


async def test_a_failure_is_forgotten_when_the_database_answers(kept: Prompts) -> None:
    kept.last_failure = "It was away."
    await kept.list()
    assert kept.last_failure is None


async def test_without_any_database_versions_are_refused_in_one_sentence(prompts: Prompts) -> None:
    with pytest.raises(ConfigError, match="These prompts are files only"):
        await prompts.add("tale", "Once.")


async def test_a_change_of_a_prompt_in_the_database_is_told(db: Database) -> None:
    feed, kept = Feed(db), Prompts(db=db)
    place = await feed.last()
    await kept.add("tale", "Once.")
    await kept.add("tale", "Once.")  # the same again is no change
    await kept.remove("tale")
    told = []
    async with aclosing(feed.subscribe("prompt.*", after=place)) as events:
        async for event in events:
            told.append((event.kind, event.subject, event.body))
            if len(told) == 2:
                break
    assert told == [
        ("prompt.updated", "tale", {"version": 1, "removed": False}),
        ("prompt.updated", "tale", {"version": 2, "removed": True}),
    ]

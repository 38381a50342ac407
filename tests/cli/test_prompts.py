"""`toolkit prompts`."""

import json
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run

HELLO = "---\ndescription: Greets.\narguments: [name]\n---\nHello {{ name }}!\n"


@pytest.fixture
def hello(folder: Path) -> dict[str, str]:
    """A folder with one prompt, as the environment names it."""
    place = folder / "prompts"
    place.mkdir()
    (place / "hello.md").write_text(HELLO)
    return {"TOOLKIT_PROMPTS_DIR": str(place)}


def test_the_list_says_where_each_prompt_comes_from(run: Run, hello: dict[str, str]) -> None:
    assert run("prompts", "add", "tale", "-", input="Once.").exit_code == 0

    lines = {line.split()[0]: line.split()[1:3] for line in run("prompts", "list", **hello).stdout.splitlines()}

    assert lines["answer_from_sources"] == ["package", "—"]
    assert lines["hello"] == ["folder", "—"]
    assert lines["tale"] == ["database", "1"]
    listed = {p["id"]: p for p in json.loads(run("prompts", "list", "--json", **hello).stdout)}
    assert (listed["tale"]["source"], listed["tale"]["version"], listed["hello"]["arguments"][0]["name"]) == (
        "database",
        "1",
        "name",
    )


def test_without_its_database_the_prompts_of_files_are_listed_and_the_reason_is_said(
    run: Run, folder: Path, hello: dict[str, str]
) -> None:
    (folder / "broken.db").write_bytes(b"no database at all" * 99)

    result = run("prompts", "list", "--db", f"sqlite:///{folder / 'broken.db'}", **hello)

    assert result.exit_code == 0, result.output
    assert "hello" in result.stdout
    assert "Only the prompts of files are listed" in result.stderr


def test_a_prompt_is_shown_as_a_text_as_it_is_written_and_as_json(run: Run, hello: dict[str, str]) -> None:
    assert run("prompts", "show", "hello", **hello).stdout == "Hello {{ name }}!\n"
    assert run("prompts", "show", "hello", "--whole", **hello).stdout == HELLO
    assert json.loads(run("prompts", "show", "hello", "--json", **hello).stdout)["template"] == "Hello {{ name }}!"


def test_an_argument_is_never_read_as_a_template(run: Run, hello: dict[str, str]) -> None:
    assert run("prompts", "render", "hello", "name={{ 7*7 }}", **hello).stdout == "Hello {{ 7*7 }}!\n"


def test_everything_that_is_wrong_with_a_prompt_is_said_and_the_exit_code_is_1(run: Run, folder: Path) -> None:
    (folder / "bad.md").write_text("---\ntitel: x\n---\nHi {{ who }}")

    result = run("prompts", "validate", str(folder / "bad.md"))

    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "bad: the front matter has the unknown key 'titel'; the nearest is `title`",
        "bad: uses 'who', which is none of its arguments; declare it",
        "bad: has no description, so nobody can tell what it is for",
    ]
    as_json = run("prompts", "validate", "-", "--json", input="Hi {{ who }}")
    assert as_json.exit_code == 1
    assert json.loads(as_json.stdout)["problems"] == ["uses 'who', which is none of its arguments; declare it"]


def test_a_prompt_is_held_against_its_arguments_and_a_window(run: Run, hello: dict[str, str]) -> None:
    sound = run("prompts", "validate", "hello", "name=Ada", **hello)

    assert sound.exit_code == 0
    assert sound.stdout.startswith("hello can be used, about ")
    assert "needs the argument 'name'" in run("prompts", "validate", "hello", "nmae=x", **hello).stdout
    small = run("prompts", "validate", "hello", "name=" + "word " * 90, "--window", "20", **hello)
    assert small.exit_code == 1
    assert "the window has 20" in small.stdout


def test_versions_are_kept_told_apart_restored_and_removed(run: Run, folder: Path, hello: dict[str, str]) -> None:
    (folder / "new.md").write_text("Hi.\n")
    assert run("prompts", "add", "hello", str(folder / "new.md"), **hello).stdout == "'hello' is kept: version 1.\n"
    assert run("prompts", "add", "hello", "-", input="Ho.\n", **hello).stdout == "'hello' is kept: version 2.\n"
    assert run("prompts", "render", "hello", **hello).stdout == "Ho.\n"

    patch = run("prompts", "history", "hello", "--diff", **hello).stdout
    assert patch.index("-Hi.\n+Ho.\n") < patch.index("+Hi.\n")
    assert "--- hello 1\n+++ hello 2 (" in patch
    assert "+Hi." not in run("prompts", "history", "hello", "--diff", "--limit", "1", **hello).stdout

    assert run("prompts", "restore", "hello", "1", **hello).stdout == "'hello' is kept: version 3.\n"
    assert run("prompts", "render", "hello", **hello).stdout == "Hi.\n"
    removed = run("prompts", "remove", "hello", **hello)
    assert removed.stdout == "'hello' is removed; the one of the folder counts again.\n"
    assert run("prompts", "render", "hello", "name=Ada", **hello).stdout == "Hello Ada!\n"

    kept = json.loads(run("prompts", "history", "hello", "--json", **hello).stdout)
    assert [(v["version"], v["text"]) for v in kept] == [(4, None), (3, "Hi.\n"), (2, "Ho.\n"), (1, "Hi.\n")]
    assert all(v["changed_by"] for v in kept)
    assert run("prompts", "history", "hello", **hello).stdout.splitlines()[1].split()[0] == "4"


def test_a_version_that_another_has_changed_is_not_overwritten(run: Run) -> None:
    assert run("prompts", "add", "tale", "-", "--after", "0", input="Once.").exit_code == 0

    result = run("prompts", "add", "tale", "-", "--after", "0", input="Twice.")

    assert result.exit_code == 1
    assert "its newest version is 1, not 0" in result.stderr


def test_a_bad_prompt_and_a_missing_file_are_one_sentence_each(run: Run, folder: Path) -> None:
    for words, said in (
        (("prompts", "add", "tale", "-"), "uses 'who'"),
        (("prompts", "add", "tale", str(folder / "gone.md")), "cannot be read"),
        (("prompts", "validate", str(folder / "gone.md")), "cannot be read"),
        (("prompts", "restore", "tale", "1"), "There is no prompt 'tale' in the database"),
        (("prompts", "add", "tale", str(folder)), "Is a directory"),
        (("prompts", "edit", "tale"), "Name an editor in VISUAL or EDITOR"),
    ):
        result = run(*words, input="Hi {{ who }}", EDITOR="no-such-editor", VISUAL="")
        assert result.exit_code == 1
        assert said in result.stderr
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("source", ["-", "binary.md"])
def test_a_prompt_that_is_no_text_is_refused_in_a_sentence(run: Run, folder: Path, source: str) -> None:
    (folder / "binary.md").write_bytes(b"\xff\xfe\x00")
    result = run("prompts", "add", "tale", source, input=b"\xff\xfe\x00")
    assert result.exit_code == 1
    assert "is not UTF-8 text; save the prompt as UTF-8." in result.stderr
    assert "defect" not in result.stderr


def test_the_line_ends_of_windows_are_those_of_others(run: Run, folder: Path) -> None:
    (folder / "hello.md").write_bytes(b"\xef\xbb\xbf" + HELLO.replace("\n", "\r\n").encode())
    assert run("prompts", "add", "hello", "hello.md").exit_code == 0
    assert run("prompts", "show", "hello", "--whole").stdout_bytes == HELLO.encode()


def test_a_prompt_is_changed_in_the_editor_and_a_file_becomes_a_version(
    run: Run, folder: Path, hello: dict[str, str]
) -> None:
    editor = folder / "editor.py"
    editor.write_text(
        "import pathlib, sys\nfile = pathlib.Path(sys.argv[1])\n"
        "file.write_text(file.read_text().replace('Hello', 'Hey'))\n"
    )
    using = {"EDITOR": f"{sys.executable} {editor}", "VISUAL": "", **hello}

    assert run("prompts", "edit", "hello", **using).stdout == "'hello' is kept: version 1.\n"
    assert run("prompts", "render", "hello", "name=Ada", **hello).stdout == "Hey Ada!\n"
    assert "Nothing was changed." in run("prompts", "edit", "hello", **using).stderr


def test_an_edited_prompt_that_cannot_be_used_may_be_edited_again(run: Run, folder: Path) -> None:
    editor = folder / "editor.py"
    editor.write_text("import pathlib, sys\npathlib.Path(sys.argv[1]).write_text('Hi {{ who }}')\n")

    result = run("prompts", "edit", "tale", input="n\n", EDITOR=f"{sys.executable} {editor}", VISUAL="")

    assert result.exit_code == 1
    assert "uses 'who'" in result.stderr
    assert "Go on editing?" in result.stderr

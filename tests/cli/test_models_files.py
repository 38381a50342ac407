"""`toolkit models export` and `import`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run

TEXT = """
[[models]]
name = "small"
provider = "openai"
model = "gpt-4o-mini"
priority = 10
auth = { api_key_env = "TEAM_KEY" }
"""


def names(run: Run, *words: str) -> list[str]:
    return [model["name"] for model in json.loads(run("models", "list", "--json", *words).stdout)]


def test_an_export_can_be_imported_elsewhere_and_changes_nothing_here(run: Run, folder: Path) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "größe", "--config", "temperature=0.2", "--default")
    elsewhere = ("--db", f"sqlite:///{folder / 'elsewhere.db'}")

    written = run("models", "export", "models.toml")
    here = run("models", "import", "models.toml")
    there = run("models", "import", "models.toml", "--replace", *elsewhere)

    assert (written.stdout, written.stderr) == ("", "2 models in models.toml.\n")
    assert "0 added, 0 changed, 0 removed, 2 left as they are." in here.stderr
    assert there.exit_code == 0, there.output
    assert run("models", "export", *elsewhere).stdout == Path("models.toml").read_text(encoding="utf-8")


def test_a_dry_run_says_what_would_be_done_and_does_nothing(run: Run) -> None:
    Path("models.toml").write_text(TEXT, encoding="utf-8")

    planned = run("models", "import", "models.toml", "--replace", "--dry-run")

    assert "Nothing is written yet: 1 added, 0 changed, 1 removed" in planned.stderr
    assert [line.split()[:2] for line in planned.stdout.splitlines()] == [
        ["Name", "What"],
        ["add", "small"],
        ["remove", "offline"],
    ]
    assert names(run) == ["offline"]


def test_the_plan_is_there_for_a_program_too(run: Run) -> None:
    run("models", "add", "openai", "gpt-4o-mini", "--name", "small", "--priority", "20")

    told = json.loads(run("models", "import", "-", "--json", input=TEXT).stdout)

    assert told["dry_run"] is False
    assert (told["added"], told["removed"], told["unchanged"]) == ([], [], [])
    (change,) = told["changed"]
    assert (change["before"]["priority"], change["after"]["priority"]) == (20, 10)


def test_only_one_scope_or_vendor_is_exported(run: Run) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "a", "--scope", "team")

    assert 'name = "offline"' not in run("models", "export", "--scope", "team").stdout
    assert 'name = "a"' not in run("models", "export", "--provider", "offline").stdout


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"[[models]]\nname = ", "not TOML"),
        (b"[[models]]\nprovider = 'openai'\nmodel = 'x'\npriorit = 1", "Model 1 ('x'): there is no key 'priorit'"),
        (b"[[models]]\nprovider = 'openai'\nmodel = 'x'\nauth = { api_key_env = 'sk-abcdefghijklmnop' }", "'x': auth"),
    ],
)
def test_a_wrong_file_is_one_line_and_changes_nothing(content: bytes, says: str, run: Run) -> None:
    Path("models.toml").write_bytes(content)

    result = run("models", "import", "models.toml", "--replace")

    assert result.exit_code == 1
    assert says in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert "sk-abc" not in result.output
    assert names(run) == ["offline"]


def test_a_file_of_a_windows_editor_is_read(run: Run) -> None:
    Path("models.toml").write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())

    assert run("models", "import", "models.toml").exit_code == 0
    assert names(run) == ["small", "offline"]


@pytest.mark.usefixtures("folder")
def test_the_same_commands_work_on_both_databases(database_url: str, run: Run) -> None:
    Path("models.toml").write_text(TEXT, encoding="utf-8")

    def on(*words: str) -> str:
        result = run("models", *words, "--db", database_url)
        assert result.exit_code == 0, result.output
        return result.stdout

    on("import", "models.toml")
    on("disable", "small", "offline")
    on("remove", "small")
    assert "'small' is restored: openai/gpt-4o-mini, scope global, priority 10, disabled." in on("restore", "small")
    assert 'auth = { api_key_env = "TEAM_KEY" }' in on("export", "--provider", "openai")

"""`toolkit models`: adding, changing, choosing."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run


def listed(run: Run) -> dict[str, dict[str, Any]]:
    return {model["name"]: model for model in json.loads(run("models", "list", "--json").stdout)}


@pytest.fixture
def three(run: Run) -> None:
    for words in (
        ("openai", "gpt-4o", "--name", "large", "--priority", "20"),
        ("openai", "gpt-4o-mini", "--name", "small", "--priority", "10", "--scope", "team"),
        ("anthropic", "claude-haiku-5-5", "--name", "haiku", "--priority", "30"),
    ):
        assert run("models", "add", *words).exit_code == 0


def test_models_are_listed_in_the_order_in_which_they_are_tried(run: Run) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "large", "--priority", "20")
    run("models", "add", "openai", "gpt-4o-mini", "--name", "small", "--priority", "10", "--auth", "api_key_env=SET")

    shown = run("models", "list", SET="x").stdout.splitlines()

    assert [line.split()[0] for line in shown] == ["Name", "small", "large", "offline"]
    assert shown[1].endswith("found")
    assert shown[2].endswith("OPENAI_API_KEY is not set")
    assert "none needed" in shown[3]


def test_what_a_row_needs_is_said_for_pools_and_for_vendors_that_need_more_than_a_key(run: Run) -> None:
    run("models", "add", "azure", "work", "--name", "work")
    run("models", "add", "openai", "gpt-4o", "--name", "pool", "--auth", "api_keys_env=MY_KEYS")
    run("models", "add", "bedrock", "anthropic.claude-haiku-5-5", "--name", "aws")
    run("models", "add", "openai", "qwen3", "--name", "local", "--config", "base_url=http://127.0.0.1:9/v1")

    def keys(**environ: str) -> dict[str, str]:
        lines = run("models", "list", **environ).stdout.splitlines()
        start = lines[0].index("Key")
        return {line.split()[0]: line[start:] for line in lines[1:]}

    assert keys() == {
        "aws": "none set",
        "local": "none set",
        "offline": "none needed",
        "pool": "MY_KEYS is not set",
        "work": "AZURE_OPENAI_ENDPOINT is not set",
    }
    there = keys(
        MY_KEYS="k1,k2,k3",
        AZURE_OPENAI_ENDPOINT="https://x.test",
        AZURE_OPENAI_API_KEY="k",
        AWS_ACCESS_KEY_ID="k",
        AWS_SECRET_ACCESS_KEY="k",
    )
    assert [there[name] for name in ("pool", "work", "aws")] == ["3 found", "found", "found"]


def test_a_model_is_added_changed_and_removed_and_its_history_says_by_whom(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "ada")

    for words in (
        ("add", "openai", "qwen3", "--name", "local", "--auth", "api_key_env=LOCAL_KEY", "--config", "temperature=0.2"),
        ("set", "local", "--priority", "5", "--rename", "near"),
        ("disable", "near"),
        ("enable", "near"),
        ("default", "near"),
        ("remove", "near"),
        ("restore", "near"),
    ):
        result = run("models", *words)
        assert result.exit_code == 0, result.output

    changes = json.loads(run("models", "history", "near", "--json").stdout)
    assert [change["action"] for change in changes] == ["restore", "remove", "set", "set", "set", "set", "add"]
    assert {change["changed_by"] for change in changes} == {"ada"}
    assert changes[-1]["after"]["config"] == {"temperature": 0.2}
    shown = run("models", "history", "near").stdout
    assert "priority: 100 → 5" in shown
    assert "enabled: true → false" in shown
    assert changes[0]["id"] in shown


def test_one_setting_is_changed_or_taken_out_and_the_others_stay(run: Run) -> None:
    run("models", "add", "openai", "qwen3", "--name", "local", "--config", "base_url=http://127.0.0.1:9/v1")
    for words in (
        ("--config", "temperature=0.2", "--config", "max_tokens=9"),
        ("--config", "max_tokens=", "--auth", "api_key_env=LOCAL_KEY"),
    ):
        assert run("models", "set", "local", *words).exit_code == 0

    row = listed(run)["local"]
    assert row["config"] == {"base_url": "http://127.0.0.1:9/v1", "temperature": 0.2}
    assert row["auth"] == {"api_key_env": "LOCAL_KEY"}


def test_a_key_is_refused_and_not_repeated(run: Run) -> None:
    result = run("models", "add", "openai", "gpt-4o", "--auth", "api_key_env=sk-abcdefghijklmnop")

    assert result.exit_code == 1
    assert "sk-abc" not in result.output
    assert set(listed(run)) == {"offline"}


@pytest.mark.usefixtures("three")
def test_several_models_are_changed_by_one_command(run: Run) -> None:
    assert "'large' is disabled" in run("models", "disable", "large", "haiku").stdout
    assert {name: row["enabled"] for name, row in listed(run).items()} == {
        "haiku": False,
        "large": False,
        "offline": True,
        "small": True,
    }

    run("models", "enable", "--provider", "openai")
    assert [listed(run)[name]["enabled"] for name in ("large", "haiku")] == [True, False]

    run("models", "set", "large", "haiku", "--priority", "7")
    assert [listed(run)[name]["priority"] for name in ("large", "haiku", "small")] == [7, 7, 10]

    assert "'small' is removed." in run("models", "remove", "--scope", "team").stdout
    assert set(listed(run)) == {"haiku", "large", "offline"}


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("disable",), "Say which models"),
        (("remove", "large", "--scope", "team"), "not in both ways"),
        (("remove", "large", "lagre"), "near to it: 'large'"),
        (("enable", "--provider", "nobody"), "No model fits"),
        (("set", "large", "small", "--model", "x"), "only the priority"),
        (("restore", "large"), "was not changed since it was added"),
        (("restore", "large", "--at", "x"), "There is no change 'x'"),
    ],
)
def test_a_command_that_cannot_be_meant_changes_nothing_and_says_why(
    words: tuple[str, ...], says: str, run: Run
) -> None:
    before = listed(run)

    result = run("models", *words)

    assert result.exit_code == 1
    assert says in result.stderr
    assert listed(run) == before


def test_a_model_goes_back_to_an_earlier_state(run: Run) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "a", "--priority", "1")
    run("models", "set", "a", "--priority", "2")
    run("models", "set", "a", "--priority", "3")
    first = json.loads(run("models", "history", "a", "--json").stdout)[-1]

    assert "priority 2" in run("models", "restore", "a").stdout
    assert "priority 1" in run("models", "restore", "a", "--at", first["id"]).stdout


def test_the_models_that_fit_are_listed_with_the_preferred_one_first(run: Run) -> None:
    for name, price, window in (("dear", 5, 1_000_000), ("cheap", 1, 200_000), ("small", 1, 8_000)):
        run(
            *("models", "add", "compatible", name, "--config", "base_url=http://127.0.0.1:9/v1"),
            *("--config", "vision=true", "--config", f"context_window={window}"),
            *("--config", f"input_usd_per_million={price}", "--config", f"output_usd_per_million={price}"),
        )

    shown = run("models", "select", "--vision", "--context", "100000", "--prefer", "cheapest")
    told = json.loads(run("models", "select", "--vision", "--max-cost", "2", "--json").stdout)
    none = run("models", "select", "--vision", "--tools")
    wrong = run("models", "select", "--prefer", "best")

    assert [line.split()[0] for line in shown.stdout.splitlines()] == ["Name", "cheap", "dear"]
    assert "200,000" in shown.stdout
    assert [model["name"] for model in told] == ["cheap", "small"]
    assert told[0]["facts"]["context_window"] == 200_000
    assert (none.exit_code, none.stdout) == (1, "")
    assert "'prefer' must be one of" in wrong.stderr


def editor(folder: Path, *lines: str) -> str:
    """A program that changes the file that it is given, as an editor would: each line is Python over `text`."""
    script = folder / "editor.py"
    script.write_text(
        "import pathlib, sys\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "text = file.read_text(encoding='utf-8')\n" + "\n".join(lines) + "\nfile.write_text(text, encoding='utf-8')\n"
    )
    return f"python3 {script}"


def test_a_row_is_edited_as_a_file_and_only_what_was_changed_is_set(run: Run, folder: Path) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "a", "--config", "temperature=0.2")

    edit = editor(folder, "text = text.replace('\"a\"', '\"b\"').replace('0.2', '0.4')")
    result = run("models", "edit", "a", EDITOR=edit, VISUAL=edit)

    assert result.exit_code == 0, result.output
    row = listed(run)["b"]
    assert (row["config"], row["model"]) == ({"temperature": 0.4}, "gpt-4o")
    change = json.loads(run("models", "history", "b", "--json").stdout)[0]
    assert change["action"] == "set"


def test_an_edit_that_cannot_be_used_is_said_and_may_go_on(run: Run, folder: Path) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "a")
    wrong = editor(folder, "text = text.replace('priority = 100', 'priority = 1' if 'prio =' in text else 'prio = 5')")

    given_up = run("models", "edit", "a", input="n\n", EDITOR=wrong, VISUAL=wrong)

    assert given_up.exit_code == 1
    assert "no key 'prio'" in given_up.stderr
    mended = editor(
        folder,
        "wrong = 'prio = 5' in text",
        "text = text.replace(*(('prio =', 'priority =') if wrong else ('priority = 100', 'prio = 5')))",
    )
    assert run("models", "edit", "a", input="y\n", EDITOR=mended, VISUAL=mended).exit_code == 0
    assert listed(run)["a"]["priority"] == 5


def test_an_edit_that_changes_nothing_writes_nothing(run: Run, folder: Path) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "a")
    idle = editor(folder)

    assert "Nothing was changed" in run("models", "edit", "a", EDITOR=idle, VISUAL=idle).stderr
    assert len(json.loads(run("models", "history", "a", "--json").stdout)) == 1

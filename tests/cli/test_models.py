"""`toolkit models`."""

import json

import pytest

from tests.cli.conftest import Run
from toolkit.testing.vendors import Fault, VendorServer


def test_models_are_listed_in_the_order_in_which_they_are_tried(run: Run) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "large", "--priority", "20")
    run("models", "add", "openai", "gpt-4o-mini", "--name", "small", "--priority", "10", "--auth", "api_key_env=SET")

    listed = run("models", "list", SET="x").stdout.splitlines()

    assert [line.split()[0] for line in listed] == ["Name", "small", "large", "offline"]
    assert listed[1].endswith("found")
    assert listed[2].endswith("OPENAI_API_KEY is not set")
    assert "none needed" in listed[3]


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
    ):
        result = run("models", *words)
        assert result.exit_code == 0, result.output

    changes = json.loads(run("models", "history", "near", "--json").stdout)
    assert [change["action"] for change in changes] == ["remove", "set", "set", "set", "set", "add"]
    assert {change["changed_by"] for change in changes} == {"ada"}
    assert changes[-1]["after"]["config"] == {"temperature": 0.2}
    shown = run("models", "history", "near").stdout
    assert "priority: 100 → 5" in shown
    assert "enabled: true → false" in shown


def test_one_setting_is_changed_or_taken_out_and_the_others_stay(run: Run) -> None:
    run("models", "add", "openai", "qwen3", "--name", "local", "--config", "base_url=http://127.0.0.1:9/v1")
    for words in (
        ("--config", "temperature=0.2", "--config", "max_tokens=9"),
        ("--config", "max_tokens=", "--auth", "api_key_env=LOCAL_KEY"),
    ):
        assert run("models", "set", "local", *words).exit_code == 0

    [row] = [model for model in json.loads(run("models", "list", "--json").stdout) if model["name"] == "local"]
    assert row["config"] == {"base_url": "http://127.0.0.1:9/v1", "temperature": 0.2}
    assert row["auth"] == {"api_key_env": "LOCAL_KEY"}


def test_a_key_is_refused_and_not_repeated(run: Run) -> None:
    result = run("models", "add", "openai", "gpt-4o", "--auth", "api_key_env=sk-abcdefghijklmnop")

    assert result.exit_code == 1
    assert "sk-abc" not in result.output
    assert [model["name"] for model in json.loads(run("models", "list", "--json").stdout)] == ["offline"]


def test_models_test_asks_each_enabled_model_and_fails_if_one_does(run: Run, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(401))
    vendors.say("ready", vendor="anthropic")

    result = run("models", "test", **vendors.environ())

    assert result.exit_code == 1
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "no: " in rows["gpt-6-luna"]
    assert " yes " in rows["claude-haiku-5-5"]
    assert " yes " in rows["offline"]


def test_models_test_of_one_that_answers_succeeds(run: Run, vendors: VendorServer) -> None:
    result = run("models", "test", "claude-haiku-5-5", "--json", **vendors.environ())

    assert result.exit_code == 0, result.output
    (told,) = json.loads(result.stdout)
    assert (told["name"], told["ok"]) == ("claude-haiku-5-5", True)
    assert [request.vendor for request in vendors.requests] == ["anthropic"]

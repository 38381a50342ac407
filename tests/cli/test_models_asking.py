"""`toolkit models test`: every row is tried, and the table says what became of each."""

import json
from typing import Any

from tests.cli.conftest import Run
from toolkit.testing.vendors import Fault, VendorServer


def told(run: Run, *words: str, **environ: str) -> tuple[int, dict[str, dict[str, Any]]]:
    result = run("models", "test", *words, "--json", **environ)
    return result.exit_code, {row["name"]: row for row in json.loads(result.stdout)}


def test_every_model_is_asked_and_one_that_fails_fails_the_command(run: Run, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(401))
    vendors.say("ready", vendor="anthropic")

    result = run("models", "test", **vendors.environ())

    assert result.exit_code == 1
    rows = {line.split()[0]: line for line in result.stdout.splitlines()}
    assert "no: AuthenticationFailed: " in rows["gpt-6-luna"]
    assert " 401 " in rows["gpt-6-luna"]
    assert " yes " in rows["claude-haiku-5-5"]
    assert " yes " in rows["offline"]


def test_one_that_answers_is_told_with_its_figures(run: Run, vendors: VendorServer) -> None:
    code, rows = told(run, "claude-haiku-5-5", **vendors.environ())

    assert code == 0
    row = rows["claude-haiku-5-5"]
    assert (row["ok"], row["asked"], row["error"]) == (True, True, None)
    assert row["milliseconds"] > 0
    assert row["tokens"] > 0
    assert row["cost_usd"] > 0
    assert [request.vendor for request in vendors.requests] == ["anthropic"]


def test_a_disabled_model_is_asked_too_and_counts_only_where_it_is_named(run: Run, vendors: VendorServer) -> None:
    environ = vendors.environ()
    run("models", "disable", "gpt-6-luna", **environ)
    vendors.fail("openai", Fault.status(401))

    code, rows = told(run, **environ)
    assert code == 0
    assert (rows["gpt-6-luna"]["ok"], rows["gpt-6-luna"]["status"]) == (False, 401)
    assert "disabled" in rows["gpt-6-luna"]["state"]

    assert told(run, "gpt-6-luna", **environ)[0] == 1


def test_a_model_without_its_key_is_not_asked_and_counts_only_where_it_is_named(run: Run) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "a", "--auth", "api_key_env=WORK_KEY")

    code, rows = told(run)
    assert code == 0
    assert (rows["a"]["asked"], rows["a"]["ok"], rows["a"]["error"]) == (False, False, "set WORK_KEY")
    assert "not asked: set WORK_KEY" in run("models", "test").stdout

    assert told(run, "a")[0] == 1


def test_one_that_is_not_there_is_said_so(run: Run) -> None:
    result = run("models", "test", "gone")

    assert result.exit_code == 1
    assert "no model 'gone'" in result.stderr


def test_a_long_reason_is_one_short_line_in_the_table_and_whole_in_json(run: Run, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(400, "why " * 100))
    environ = vendors.environ()

    shown = run("models", "test", "gpt-6-luna", **environ).stdout.splitlines()

    assert len(shown) == 2
    assert "…" in shown[1]
    assert len(shown[1]) < 250
    assert told(run, "gpt-6-luna", **environ)[1]["gpt-6-luna"]["status"] == 400

"""`toolkit doctor` and `toolkit migrate`: what works, and what to do about the rest."""

import json
import re
from pathlib import Path

import pytest

import toolkit
from tests.cli.conftest import Run
from toolkit import settings
from toolkit.cli import variables
from toolkit.cli.doctor import _engine
from toolkit.testing.vendors import Fault, VendorServer


def test_a_fresh_machine_is_whole_and_is_told_which_keys_to_set(run: Run, folder: Path) -> None:
    result = run("doctor")

    assert result.exit_code == 0, result.output
    assert f"sqlite:///{folder / 'toolkit.db'} is open" in result.stdout
    assert re.search(r"1\. offline \(offline/extractive\), key: none needed", result.stdout)
    assert "set OPENAI_API_KEY or ANTHROPIC_API_KEY" in result.stdout
    assert "broken" not in result.stdout


def test_variables_are_named_and_their_values_never_shown(run: Run) -> None:
    result = run("doctor", OPENAI_API_KEY="sk-secret-secret")

    assert "OPENAI_API_KEY" in result.stdout
    assert "secret" not in result.output
    assert re.search(r"1\. gpt-6-luna \(openai/gpt-6-luna\), key: found", result.stdout)


def test_a_model_whose_key_is_missing_names_the_variable(run: Run) -> None:
    run("models", "add", "openai", "gpt-4o", "--auth", "api_key_env=WORK_KEY")

    result = run("doctor")

    assert re.search(r"note .* 1\. gpt-4o .* WORK_KEY is not set", result.stdout)
    assert result.exit_code == 0


def test_a_pool_is_counted_and_what_is_known_of_a_model_is_said(run: Run) -> None:
    run("models", "add", "compatible", "mine", "--config", "base_url=http://127.0.0.1:9/v1", "--config", "vision=true")

    shown = run("doctor", OPENAI_API_KEYS="k1,k2").stdout

    assert "OPENAI_API_KEYS" in shown
    assert re.search(
        r"gpt-6-luna \(openai/gpt-6-luna\), key: 2 found; [\d,]+ tokens, vision, tools, \$[\d.]+ in", shown
    )
    assert "mine (compatible/mine), key: none needed; window unknown, vision" in shown
    assert "price unknown" in shown


def test_a_model_that_did_not_answer_the_last_time_is_named_with_the_reason(run: Run, vendors: VendorServer) -> None:
    run("models", "add", "openai", "gpt-4o", "--name", "sick", **vendors.environ())
    vendors.fail("openai", Fault.status(401, "Who are you?"))
    run("models", "test", "sick", **vendors.environ())

    assert re.search(r"note .* sick .*did not answer at .*Who are you", run("doctor", **vendors.environ()).stdout)
    vendors.recover()
    run("models", "test", "sick", **vendors.environ())
    assert "did not answer" not in run("doctor", **vendors.environ()).stdout


def test_a_misspelt_variable_is_noticed(run: Run) -> None:
    assert "nothing reads TOOLKIT_DATABSE_URL" in run("doctor", TOOLKIT_DATABSE_URL="x").stdout


@pytest.mark.parametrize(
    ("environ", "about", "says"),
    [
        ({"TOOLKIT_MAX_CONNECTIONS": "many"}, "settings", "TOOLKIT_MAX_CONNECTIONS"),
        ({"TOOLKIT_DATABASE_URL": "sqllite:///x.db"}, "settings", "sqllite"),
        ({"TOOLKIT_DATABASE_URL": "sqlite:////dev/null/x.db"}, "database", "/dev/null"),
        ({"TOOLKIT_DEFAULT_MODEL": "gone"}, "models", "'gone'"),
    ],
)
def test_what_is_broken_is_said_and_ends_with_exit_code_1(
    environ: dict[str, str], about: str, says: str, run: Run
) -> None:
    result = run("doctor", "--json", **environ)

    assert result.exit_code == 1
    (broken,) = [finding for finding in json.loads(result.stdout) if finding["state"] == "broken"]
    assert broken["about"] == about
    assert says in broken["text"]


def test_no_enabled_model_is_broken(run: Run) -> None:
    run("models", "disable", "offline")

    result = run("doctor")

    assert result.exit_code == 1
    assert re.search(r"^broken +models +none is enabled", result.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("version", "warns"), [("3.40.1", True), ("3.51.2", True), ("3.51.3", False), ("3.53.4", False)]
)
async def test_an_old_sqlite_is_named_with_its_remedy(version: str, warns: bool) -> None:
    from toolkit.toolkit import Toolkit  # noqa: PLC0415 - only here

    async with Toolkit.open("sqlite://") as tk:
        finding = _engine(tk, version)

    assert (finding.state == "note") is warns
    assert ("pip install 'pysqlite3>=0.6.1'" in finding.text) is warns


def test_the_variables_known_to_doctor_are_those_that_are_read_and_those_that_are_documented() -> None:
    package = Path(toolkit.__file__).parent
    read = set(re.findall(r'"(TOOLKIT_[A-Z_]+)"', Path(settings.__file__).read_text(encoding="utf-8")))
    for file in package.rglob("*.py"):
        read |= set(re.findall(r'environ\.get\("(TOOLKIT_[A-Z_]+)"', file.read_text(encoding="utf-8")))
    told = (package.parent / "docs" / "configuration.md").read_text(encoding="utf-8").split("## Options in the URL")[0]

    assert read == set(variables.SETTINGS)
    assert set(re.findall(r"TOOLKIT_[A-Z_]+", told)) == read


def test_the_variables_of_vendors_are_known() -> None:
    assert {"OPENAI_API_KEY", "OPENAI_BASE_URL", "ANTHROPIC_API_KEY"} <= set(variables.vendors_variables())


def test_migrate_lists_what_is_pending_and_changes_nothing_by_that(run: Run, folder: Path) -> None:
    listed = run("migrate", "--list")

    assert listed.exit_code == 0, listed.output
    assert re.search(r"^0001_models +pending$", listed.stdout, re.MULTILINE)
    assert not (folder / "toolkit.db").exists()


def test_migrate_applies_what_is_pending_once(run: Run) -> None:
    first, second = run("migrate"), run("migrate")

    assert first.stdout.startswith("Applied 0001_models, ")
    assert second.stdout == "The tables are up to date.\n"
    assert all(m["applied_at"] for m in json.loads(run("migrate", "--list", "--json").stdout))

"""`toolkit doctor` on what somebody has configured beside database and models."""

import json
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.redis_server import redis_address
from toolkit.cli import findings

SECRET = "0123456789abcdef"


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """A Redis that answers."""
    yield from redis_address()


def found(run: Run, about: str, **environ: str) -> list[tuple[str, str]]:
    """What doctor says of one thing: the states and the texts."""
    findings = json.loads(run("doctor", "--json", **environ).stdout)
    return [(finding["state"], finding["text"]) for finding in findings if finding["about"] == about]


def test_what_nobody_has_configured_is_not_spoken_of(run: Run) -> None:
    said = {finding["about"] for finding in json.loads(run("doctor", "--json").stdout)}
    assert said <= {"version", "extras", "variables", "database", "models", "search"}


def test_limits_are_said_in_words(run: Run) -> None:
    run("limits", "set", "user", "ada", "--rpm", "7")
    assert found(run, "limits", TOOLKIT_RATE_LIMIT_RPM="5", TOOLKIT_BUDGET_USD_PER_DAY="2.5") == [
        ("ok", "All together may use $2.50 per day"),
        ("ok", "Each user without a limit of its own may use 5 requests per minute"),
        ("ok", "The user 'ada' may use 7 requests per minute"),
    ]


def test_a_redis_that_does_not_answer_is_broken_and_its_password_is_not_said(run: Run) -> None:
    [(state, text)] = found(run, "redis", TOOLKIT_REDIS_URL="redis://:opensesame@127.0.0.1:1/0")
    assert state == "broken"
    assert "check that it is up" in text
    assert "opensesame" not in text


def test_a_redis_that_answers_is_named(run: Run, redis_url: str) -> None:
    [(state, text)] = found(run, "redis", TOOLKIT_REDIS_URL=redis_url)
    assert state == "ok"
    assert text.endswith("answers; it keeps limits and cached answers")


@pytest.mark.parametrize(("variable", "state"), [("offline", "ok"), ("gone", "broken")])
def test_a_model_that_a_variable_names_is_looked_for(variable: str, state: str, run: Run) -> None:
    (last,) = [each for each in found(run, "models", TOOLKIT_SUMMARY_MODEL=variable) if "SUMMARY" in each[1]]
    assert last[0] == state


@pytest.mark.parametrize(
    ("model", "state", "says"),
    [("", "ok", "bundled/all-MiniLM-L6-v2, 384 dimensions"), ("offline", "broken", "only words are compared")],
)
def test_who_compares_meanings_is_asked_for_a_vector(model: str, state: str, says: str, run: Run) -> None:
    [(told, text)] = found(run, "search", TOOLKIT_EMBEDDING_MODEL=model)
    assert told == state
    assert says in text


def test_a_cache_says_how_long_it_keeps_and_how_alike_questions_must_be(run: Run) -> None:
    [kept, alike] = found(run, "cache", TOOLKIT_CACHE_TTL="3600", TOOLKIT_CACHE_SIMILARITY="0.9")
    assert kept == ("ok", "every answer may be given again for 3,600 s")
    assert alike[0] == "ok"
    assert "0.9 alike, by bundled/all-MiniLM-L6-v2" in alike[1]


def test_a_file_of_tools_is_counted_and_its_faults_are_told(run: Run, folder: Path) -> None:
    child = Path(__file__).parent.parent / "tools" / "remote" / "mcp_child.py"
    servers = {"child": {"command": sys.executable, "args": [str(child), "stdio"]}, "gone": {"command": "no-such-x"}}
    (folder / "tools.json").write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")
    [counted, problem] = found(run, "tools", TOOLKIT_TOOLS_FILE="tools.json")
    assert counted[0] == "ok"
    assert re.fullmatch(r"tools\.json brings [1-9]\d* tools", counted[1])
    assert problem == ("note", "The MCP server gone cannot be started (No such file or directory).")


@pytest.mark.parametrize(("value", "says"), [("1", "may reach this machine"), ("perhaps", "counts as 0"), ("0", None)])
def test_whether_tools_may_call_private_addresses_is_said(value: str, says: str | None, run: Run) -> None:
    said = found(run, "tools", TOOLKIT_TOOLS_ALLOW_PRIVATE=value)
    assert [says in text for _, text in said if says] == ([True] if says else [])
    assert bool(said) is bool(says)


def test_a_folder_of_code_that_is_not_there_is_noted(run: Run, folder: Path) -> None:
    [there, gone] = found(run, "code", TOOLKIT_CODE_ROOTS=f"{folder}{os.pathsep}{folder / 'gone'}")
    assert there == ("ok", f"the code tools may read {folder}")
    assert gone[0] == "note"
    assert "is no folder" in gone[1]


def test_a_webhook_is_named_without_its_secrets(run: Run) -> None:
    url = "http://user:opensesame@127.0.0.1:9/hook?token=opensesame"
    said = found(run, "webhooks", TOOLKIT_WEBHOOK_URLS=url, TOOLKIT_WEBHOOK_SECRET=SECRET)
    assert said == [("ok", "http://127.0.0.1:9/hook is told of events")]


def test_a_cassette_is_a_note_since_no_vendor_is_asked_then(run: Run, folder: Path) -> None:
    (folder / "answers.yaml").write_text(
        "toolkit_cassette: 1\nrecorded: '2026-01-01'\nepisodes: []\n", encoding="utf-8"
    )
    [(state, replayed)] = found(run, "cassette", TOOLKIT_CASSETTE="answers.yaml")
    assert (state, replayed) == ("note", "answers come from answers.yaml; no vendor is asked, no webhook told")
    [(_, recorded)] = found(run, "cassette", TOOLKIT_CASSETTE="answers.yaml", TOOLKIT_RECORD="new_episodes")
    assert recorded == "what vendors answer is recorded to answers.yaml"


def test_what_is_searched_is_counted_with_the_memory_that_it_takes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "guide.md").write_text("# Guide\n\nA passage.")
    assert len(found(run, "search")) == 1
    run("ingest", str(tmp_path))
    assert found(run, "search")[1] == ("ok", "1 passage, compared exactly, in 1 MB of memory of whoever searches all")


def test_a_collection_that_is_too_large_to_be_scanned_quickly_is_worth_a_note(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "guide.md").write_text("# Guide\n\nA passage.")
    run("ingest", str(tmp_path))
    monkeypatch.setattr(findings, "MANY", 0)
    state, text = found(run, "search")[1]
    assert state == "note"
    assert text.endswith("see docs/scale.md")

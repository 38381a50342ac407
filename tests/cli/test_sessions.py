"""`toolkit sessions` and `toolkit usage`: what was said, who was asked, what it cost."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from toolkit.testing.vendors import Fault, VendorServer


@pytest.fixture
def session(run: Run, vendors: VendorServer) -> str:
    """A conversation of one turn, in which OpenAI failed and Anthropic answered."""
    vendors.fail("openai", Fault.status(401))
    vendors.say("Paris.", vendor="anthropic")
    assert run("chat", "Capital of France?", **vendors.environ()).exit_code == 0
    (listed,) = json.loads(run("sessions", "list", "--json").stdout)
    return str(listed["id"])


def test_a_session_shows_what_was_said_and_who_was_asked(run: Run, session: str) -> None:
    shown = run("sessions", "show", session).stdout

    assert shown.index("Capital of France?") < shown.index("Paris.") < shown.index("Attempts")
    attempts = [line for line in shown.splitlines() if line.strip().startswith("1 ")]
    assert "gpt-6-luna" in attempts[0]
    assert "AuthenticationFailed" in attempts[0]
    assert "claude-haiku-5-5" in attempts[1]
    assert "answered" in attempts[1]
    assert "$0." in attempts[1]


def test_sessions_json_is_whole(run: Run, session: str) -> None:
    told = json.loads(run("sessions", "show", session, "--json").stdout)

    assert told["session"]["id"] == session
    assert [message["role"] for message in told["messages"]] == ["user", "assistant"]
    assert [call["status"] for call in told["calls"]] == ["error", "ok"]


def test_a_deleted_session_is_gone(run: Run, session: str) -> None:
    assert session in run("sessions", "list").stdout
    assert run("sessions", "delete", session).exit_code == 0

    assert run("sessions", "show", session).exit_code == 1
    assert "There are none" in run("sessions", "list").stderr


def test_sessions_are_listed_by_who_where_and_what(run: Run, session: str) -> None:
    for found in (["--origin", "toolkit-cli"], ["--search", "PARIS"], []):
        assert session in run("sessions", "list", *found).stdout
    for none in (["--origin", "other"], ["--search", "London"], ["--user", "eve"]):
        assert run("sessions", "list", *none).stdout == ""


def test_what_was_said_is_found(run: Run, session: str) -> None:
    row = run("sessions", "search", "capital", "of").stdout.splitlines()[1].split()
    assert row[:4] == [session, "—", "1", "user"]
    assert run("sessions", "search", "capital", "of").stdout.endswith("Capital of France?\n")
    (found,) = json.loads(run("sessions", "search", "paris", "--json").stdout)
    assert (found["session"]["id"], found["position"], found["role"]) == (session, 2, "assistant")
    assert "not said" in run("sessions", "search", "London").stderr
    assert run("sessions", "search", " ").exit_code == 1


def test_a_session_is_renamed_and_extended(run: Run, session: str) -> None:
    assert run("sessions", "rename", session, "The plan").stdout == f"Session {session} is called 'The plan'.\n"
    assert "The plan" in run("sessions", "list").stdout
    extended = json.loads(run("sessions", "extend", session, "--ttl", "99", "--json").stdout)
    assert (extended["title"], extended["ttl_seconds"]) == ("The plan", 99)
    assert run("sessions", "rename", session, "").stdout == f"Session {session} has no title.\n"
    assert "ttl must be" in run("sessions", "extend", session, "--ttl", "0").stderr


def test_a_session_is_forked(run: Run, session: str) -> None:
    made = json.loads(run("sessions", "fork", session, "--at", "1", "--json").stdout)
    assert (made["parent_id"], made["parent_at"]) == (session, 1)
    assert run("sessions", "fork", session).stdout.endswith(f"begins with 2 messages of {session}.\n")
    failed = run("sessions", "fork", session, "--at", "9")
    assert failed.exit_code == 1
    assert "has 2 messages" in failed.stderr


@pytest.mark.parametrize("name", ["plan.jsonl", "plan.md"])
def test_a_session_goes_to_a_file_and_comes_back(run: Run, session: str, folder: Path, name: str) -> None:
    assert run("sessions", "export", session, name).exit_code == 0
    text = (folder / name).read_text(encoding="utf-8")
    assert text.startswith("# Conversation" if name.endswith(".md") else '{"session": ')
    form = "markdown" if name.endswith(".md") else "jsonl"
    assert run("sessions", "export", session, "--format", form).stdout == text

    made = json.loads(run("sessions", "import", name, "--user", "eve", "--ttl", "60", "--json").stdout)
    assert (made["user"], made["ttl_seconds"]) == ("eve", 60)
    told = [json.loads(run("sessions", "show", each, "--json").stdout)["messages"] for each in (session, made["id"])]
    assert told[0] == told[1]
    assert "made of standard input" in run("sessions", "import", "-", "--format", form, input=text).stdout


def test_a_file_that_is_there_is_not_overwritten_unless_forced(run: Run, session: str, folder: Path) -> None:
    (folder / "mine.md").write_text("mine")
    refused = run("sessions", "export", session, "mine.md")
    assert refused.exit_code == 1
    assert "is there already" in refused.stderr
    assert (folder / "mine.md").read_text() == "mine"
    assert run("sessions", "export", session, "mine.md", "--force").exit_code == 0
    assert "Paris." in (folder / "mine.md").read_text()


def test_a_file_that_is_no_session_is_refused_in_a_sentence(run: Run, folder: Path) -> None:
    (folder / "bad.jsonl").write_text('{"session": {"version": 1}}\n{"role": "boss"}\n')
    (folder / "bad.md").write_bytes(b"\xff\xfe")
    assert "Line 2 cannot be imported: role" in run("sessions", "import", "bad.jsonl").stderr
    assert "is not UTF-8" in run("sessions", "import", "bad.md").stderr
    assert run("sessions", "list").stdout == ""
    assert run("sessions", "export", "nope", "out.md").exit_code == 1
    assert not (folder / "out.md").exists()


@pytest.mark.usefixtures("session")
def test_usage_says_calls_failures_tokens_cost_and_time(run: Run) -> None:
    rows = {line.split()[0]: line.split() for line in run("usage", "--days", "1").stdout.splitlines()}

    assert rows["Model"] == ["Model", "Calls", "Failed", "In", "Out", "Cost", "Mean"]
    assert rows["gpt-6-luna"][1:3] == ["1", "1"]
    assert rows["claude-haiku-5-5"][1:3] == ["1", "0"]
    assert rows["claude-haiku-5-5"][5].startswith("$0.")


@pytest.mark.usefixtures("session")
def test_usage_groups_by_the_application_that_asked(run: Run) -> None:
    (row,) = json.loads(run("usage", "--by", "origin", "--json").stdout)

    assert (row["key"], row["calls"], row["failures"]) == ("toolkit-cli", 2, 1)


def test_an_unknown_price_is_a_dash(run: Run, vendors: VendorServer) -> None:
    run("chat", "Hi", "--model", "openai/nobody-knows-1", **vendors.environ())

    rows = {line.split()[0]: line.split() for line in run("usage").stdout.splitlines()}
    assert rows["openai/nobody-knows-1"][5] == "—"

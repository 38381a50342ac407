"""`toolkit sessions` and `toolkit usage`: what was said, who was asked, what it cost."""

import json

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

"""`toolkit limits`: how much may be asked and spent."""

import json

from tests.cli.conftest import Run


def test_a_limit_that_was_set_is_listed_and_removed(run: Run) -> None:
    assert run("limits", "set", "user", "--rpm", "60").stdout == (
        "Each user without a limit of its own may use 60 requests per minute.\n"
    )
    said = run("limits", "set", "user", "ada", "--tpm", "90000", "--usd-per-day", "2.5").stdout
    assert said == "The user 'ada' may use 90,000 tokens per minute, $2.50 per day.\n"
    assert run("limits", "set", "total", "--usd-per-day", "20", "--json").exit_code == 0

    listed = run("limits", "list").stdout.splitlines()
    assert [line.split()[:5] for line in listed[1:]] == [
        ["total", "*", "—", "—", "$20.00"],
        ["user", "*", "60", "—", "—"],
        ["user", "ada", "—", "90,000", "$2.50"],
    ]
    assert run("limits", "remove", "user", "ada").stdout == "The limit of user 'ada' is removed.\n"
    assert [one["name"] for one in json.loads(run("limits", "list", "--json").stdout)] == ["*", "*"]


def test_status_says_what_is_left_of_what_concerns_a_user(run: Run) -> None:
    run("limits", "set", "user", "--rpm", "60")
    run("limits", "set", "model", "small", "--tpm", "1000")
    lines = run("limits", "status", "--user", "ada").stdout.splitlines()
    assert [line.split()[:6] for line in lines[1:]] == [
        ["user", "ada", "requests", "per", "minute", "60"],
        ["model", "small", "tokens", "per", "minute", "1,000"],
    ]
    told = json.loads(run("limits", "status", "--user", "ada", "--json").stdout)
    assert [(one["unit"], one["left"], one["unpriced"]) for one in told] == [("requests", 60, 0), ("tokens", 1000, 0)]


def test_limits_of_the_settings_are_listed_as_such(run: Run) -> None:
    assert "by the settings" in run("limits", "list", TOOLKIT_RATE_LIMIT_RPM="30").stdout


def test_without_limits_it_says_how_to_set_one(run: Run) -> None:
    assert "toolkit limits set user --rpm 60" in run("limits", "list").stderr
    assert "No limit concerns them" in run("limits", "status").stderr


def test_what_cannot_be_set_or_removed_is_one_line(run: Run) -> None:
    for words, sentence in (
        (("set", "user", "--rpm", "0"), "`rpm` is 0"),
        (("set", "user"), "Say at least one of"),
        (("set", "total", "x", "--rpm", "1"), "The total has no names"),
        (("remove", "user", "ada"), "There is no limit of user 'ada'"),
    ):
        result = run("limits", *words)
        assert result.exit_code == 1
        assert sentence in result.stderr
        assert len(result.stderr.splitlines()) == 1

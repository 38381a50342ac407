"""How things look: in a terminal, and where the reader is a pipe."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from toolkit.cli import terminal
from toolkit.messages import Usage


@pytest.fixture(autouse=True)
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Standard output as rich sees a terminal of 60 columns with colours."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return monkeypatch


def test_a_table_in_a_pipe_is_aligned_text_that_is_never_cut_off(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.table(["Name", "Calls"], [["a" * 120, "7"], ["b", "1,204"]], right=["Calls"])

    assert capsys.readouterr().out.splitlines() == [
        "Name" + " " * 116 + "  Calls",
        "a" * 120 + "      7",
        "b" + " " * 119 + "  1,204",
    ]


@pytest.mark.usefixtures("a_terminal")
def test_a_table_in_a_terminal_fits_its_width_and_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.table(["Name", "Calls"], [["z" * 120, "7"]], right=["Calls"])

    out = capsys.readouterr().out
    assert "\x1b[" in out
    plain = re.sub(r"\x1b\[[0-9;]*m", "", out)
    assert max(map(len, plain.splitlines())) <= 60
    assert plain.count("z") == 120


def test_no_color_is_honoured(a_terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    a_terminal.setenv("NO_COLOR", "1")

    terminal.say("Error: no", "red")

    assert "\x1b[31m" not in capsys.readouterr().out


def test_a_colour_is_shown_in_a_terminal_only(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("broken", "red")

    assert capsys.readouterr().out == "broken\n"


@pytest.mark.usefixtures("a_terminal")
def test_what_a_model_says_cannot_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say("\x1b]0;owned\x07[bold]not markup[/bold]\x9b2J")
    terminal.piece("\x1b[2Jgone")
    terminal.prose("\x1b[2J*so*")

    out = capsys.readouterr().out
    assert "\x1b]0" not in out
    assert "\x1b[2J" not in out
    assert "\x9b" not in out
    assert "[bold]not markup[/bold]" in out


def test_a_note_goes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.note("quiet")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "quiet\n")


def test_progress_in_a_pipe_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress("Reading") as advance:
        advance(1, 2, "a.md")

    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_progress_in_a_terminal_shows_how_many_and_which(
    a_terminal: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    a_terminal.setenv("COLUMNS", "120")

    with terminal.progress("Reading [x]") as advance:
        advance(1, 2, "docs/[b]a.md")

    shown = terminal.clean(capsys.readouterr().err)
    assert "Reading [x]" in shown
    assert "1/2" in shown
    assert "docs/[b]a.md" in shown


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "—"),
        (0.0, "$0"),
        (0.000123, "$0.000123"),
        (0.05, "$0.05"),
        (0.9994, "$0.999"),
        (1.5, "$1.50"),
        (1234.5, "$1,234.50"),
        (3e-9, "$0.000000003"),
    ],
)
def test_an_unknown_price_is_a_dash_and_a_small_one_keeps_its_digits(amount: float | None, shown: str) -> None:
    assert terminal.dollars(amount) == shown


def test_data_is_json_with_times_paths_and_dataclasses(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.data({"at": datetime(2026, 1, 2, tzinfo=UTC), "path": Path("a"), "usage": Usage(3), "set": {"b", "a"}})

    out = json.loads(capsys.readouterr().out)
    assert out["at"] == "2026-01-02T00:00:00+00:00"
    assert out["path"] == "a"
    assert out["usage"]["input_tokens"] == 3
    assert out["set"] == ["a", "b"]

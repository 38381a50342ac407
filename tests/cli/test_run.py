"""Bad input and bad places: one sentence that says what to do, exit code 1, and nothing half written."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from tests.cli.conftest import Run
from toolkit.cli.run import Commands
from toolkit.errors import NotFound


def assert_one_sentence(result: Result, *says: str) -> None:
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert "Traceback" not in result.stderr
    assert "defect" not in result.stderr
    for words in says:
        assert words in result.stderr


def test_a_wrong_path(run: Run) -> None:
    assert_one_sentence(run("ingest", "nowhere/"), "nowhere")


def test_an_empty_folder(run: Run, folder: Path) -> None:
    (folder / "empty").mkdir()

    assert_one_sentence(run("ingest", "empty"), "empty")


def test_a_binary_file(run: Run, folder: Path) -> None:
    (folder / "photo.jpg").write_bytes(b"\xff\xd8\0\0")

    assert_one_sentence(run("ingest", "photo.jpg"), "photo.jpg", "binary")


def test_a_search_before_anything_was_read_in(run: Run) -> None:
    assert_one_sentence(run("search", "x"), "ingest")


@pytest.mark.usefixtures("handbook")
def test_an_unknown_collection(run: Run) -> None:
    assert_one_sentence(run("search", "x", "-c", "handbok"), "handbok", "handbook")


@pytest.mark.usefixtures("handbook")
def test_an_unknown_model(run: Run) -> None:
    assert_one_sentence(run("ask", "x", "--model", "offlin"), "'offlin'", "'offline'")
    assert_one_sentence(run("models", "enable", "gpt-5"), "'gpt-5'")


def test_an_unknown_session(run: Run) -> None:
    assert_one_sentence(run("sessions", "show", "abc"), "abc")
    # A chat in an unknown session asks nobody and begins no other one.
    result = run("chat", "Hi", "--session", "abc")
    assert_one_sentence(result, "abc")
    assert json.loads(run("sessions", "list", "--json").stdout) == []


def test_an_expired_session(run: Run, folder: Path) -> None:
    created = run("tools", "call", "create_session", "ttl_seconds=60", "--json")
    session = json.loads(created.stdout)["id"]
    with sqlite3.connect(folder / "toolkit.db") as db:  # an hour later
        db.execute("UPDATE sessions SET expires_at = '2020-01-01T00:00:00.000000+00:00'")
    db.close()

    assert_one_sentence(run("chat", "Hi", "--session", session), "expired", "2020-01-01")


@pytest.mark.usefixtures("handbook")
def test_an_unknown_tool_and_an_unknown_chunk(run: Run) -> None:
    assert_one_sentence(run("tools", "call", "semantic_serch", "query=x"), "'semantic_search'")
    assert_one_sentence(run("tools", "call", "get_chunk", "chunk_id=nope-1"), "nope-1")


def test_arguments_that_are_none(run: Run) -> None:
    assert_one_sentence(run("tools", "call", "semantic_search", "circuit"), "NAME=VALUE")
    assert_one_sentence(run("tools", "call", "semantic_search", "{query}"), "JSON")
    assert_one_sentence(run("search", "-", input=" \n"), "There is no text")


@pytest.mark.parametrize("url", ["sqllite:///x.db", "work.db", "mysql://localhost/x", "postgresql//localhost"])
def test_a_database_url_with_a_typo(url: str, run: Run) -> None:
    assert_one_sentence(run("models", "list", "--db", url), url, "sqlite://", "postgresql://")


def test_a_postgres_that_is_not_there(run: Run) -> None:
    result = run("models", "list", "--db", "postgresql://ada:hunter22@127.0.0.1:9/app")

    assert_one_sentence(result, "127.0.0.1")
    assert "hunter22" not in result.stderr


def test_a_file_that_is_no_sqlite_database(run: Run, folder: Path) -> None:
    (folder / "notes.txt").write_text("These are my notes, and I want to keep them.\n" * 50)
    before = (folder / "notes.txt").read_bytes()

    assert_one_sentence(run("models", "list", "--db", "sqlite:///notes.txt"), "notes.txt")
    assert (folder / "notes.txt").read_bytes() == before


def test_a_newer_schema(run: Run, folder: Path) -> None:
    run("migrate")
    with sqlite3.connect(folder / "toolkit.db") as db:
        db.execute("INSERT INTO schema_migrations VALUES (9999, '9999_future', 'x', '2030-01-01T00:00:00+00:00')")
    db.close()

    assert_one_sentence(run("models", "list"), "9999", "upgrade")


@pytest.mark.usefixtures("handbook")
def test_a_missing_key(run: Run) -> None:
    assert_one_sentence(run("ask", "Hi", "--model", "openai/gpt-4o-mini"), "OPENAI_API_KEY")


def test_a_setting_that_cannot_be_used(run: Run) -> None:
    assert_one_sentence(run("models", "list", TOOLKIT_SESSION_TTL="soon"), "TOOLKIT_SESSION_TTL", "'soon'")


def test_the_last_db_option_wins(run: Run, folder: Path) -> None:
    run("--db", "sqlite:///first.db", "migrate")
    run("--db", "sqlite:///third.db", "migrate", "--db", "sqlite:///second.db")

    assert sorted(path.name for path in folder.glob("*.db")) == ["first.db", "second.db"]


@click.group(cls=Commands)
def broken() -> None: ...


@broken.command()
@click.argument("how")
def fail(how: str) -> None:
    raise {
        "interrupt": KeyboardInterrupt(),
        "defect": ValueError("in\nsk-secret-secret"),
        "known": NotFound("There is\nno such thing."),
        "missing": FileNotFoundError(2, "No such file or directory", "a.txt"),
    }[how]


def test_an_interrupt_ends_with_exit_code_130_and_no_word() -> None:
    result = CliRunner().invoke(broken, ["fail", "interrupt"])

    assert (result.exit_code, result.output) == (130, "")


def test_a_defect_is_called_one_in_one_line_without_secrets() -> None:
    result = CliRunner().invoke(broken, ["fail", "defect"])

    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "This is a defect of the toolkit (ValueError: in ***)" in result.stderr


def test_an_error_of_several_lines_is_told_in_one() -> None:
    assert_one_sentence(CliRunner().invoke(broken, ["fail", "known"]), "There is no such thing.")
    assert_one_sentence(CliRunner().invoke(broken, ["fail", "missing"]), "a.txt")


@pytest.mark.usefixtures("folder")
def test_the_real_command_fails_in_one_line_and_debug_shows_where() -> None:
    command = [sys.executable, "-m", "toolkit.cli", "sessions", "show", "abc"]

    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    debug = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"TOOLKIT_LOG_LEVEL": "DEBUG"}
    )

    assert (plain.returncode, plain.stdout, plain.stderr.count("\n")) == (1, "", 1)
    assert plain.stderr.startswith("Error: ")
    assert debug.returncode == 1
    assert "Traceback" in debug.stderr


@pytest.mark.usefixtures("folder")
def test_a_reader_that_goes_away_ends_the_command_quietly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit.cli", "tools", "list", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout
    assert process.stderr
    process.stdout.close()  # as `| head -0` does

    with process.stderr:
        assert process.stderr.read() == b""
    process.wait(20)


def test_ctrl_c_while_reading_in_says_what_is_kept(folder: Path) -> None:
    for number in range(3000):
        (folder / f"{number}.txt").write_text(f"The document of the number {number}.")
    process = subprocess.Popen(
        [sys.executable, "-m", "toolkit.cli", "ingest", "."], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    while process.poll() is None and not _documents(folder):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert (process.returncode, out) == (130, "")
    assert err == "Stopped. What was read so far is kept; the same command goes on from there.\n"
    assert 0 < _documents(folder) < 3000


def _documents(folder: Path) -> int:
    file = folder / "toolkit.db"
    if not file.exists():
        return 0
    db = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=10)
    try:
        return int(db.execute("SELECT COUNT(*) FROM documents").fetchone()[0])
    except sqlite3.OperationalError:  # its tables are being made
        return 0
    finally:
        db.close()

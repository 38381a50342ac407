"""`toolkit db`: moved, backed up, looked after."""

import asyncio
import json
import re
import signal
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from tests.cli.conftest import Run
from tests.db.rows import message, session
from toolkit.db import Statement, open_database
from toolkit.settings import Settings
from toolkit.stamps import freeze, now


@pytest.fixture
def postgres(postgres_dsn: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Postgres without tables of ours."""
    schema = f"m_{uuid.uuid4().hex}"
    monkeypatch.setenv("TOOLKIT_SCHEMA", schema)
    yield postgres_dsn
    asyncio.run(_drop(postgres_dsn, schema))


async def _drop(dsn: str, schema: str) -> None:
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    await admin.close()


def fill(url: str, sessions: int = 3, messages: int = 2) -> None:
    async def inside() -> None:
        db = open_database(Settings(url))
        for number in range(sessions):
            name = f"s{number}"
            await db.write(session(name), *(message(name, position + 1) for position in range(messages)))
        await db.close()

    asyncio.run(inside())


@pytest.mark.usefixtures("handbook")
def test_a_house_moves_to_postgres_and_back(run: Run, postgres: str, folder: Path) -> None:
    home = f"sqlite:///{folder / 'toolkit.db'}"
    there = run("db", "copy", home, postgres)
    assert there.exit_code == 0, there.output
    assert re.search(r"^chunks +2  [0-9a-f]{16}$", there.stdout, re.MULTILINE)
    assert re.search(r"^Copied \d+ rows in [\d.]+ s\. Both sides are equal\.$", there.stdout, re.MULTILINE)
    assert "Events were not copied" in there.stderr

    back = json.loads(run("db", "copy", postgres, "sqlite:///back.db", "--json").stdout)
    forth = json.loads(run("db", "copy", home, postgres, "--json").stdout)
    assert (back["tables"], forth["written"]) == (forth["tables"], 0)
    assert "opensesame" not in there.output
    for url in (postgres, "sqlite:///back.db"):
        answer = run("search", "circuit breaker", "--db", url)
        assert "breaker.md" in answer.stdout, answer.output


def test_a_copy_that_is_there_already_is_said_to_be(run: Run, folder: Path) -> None:
    fill(f"sqlite:///{folder / 'toolkit.db'}")
    run("db", "copy", "sqlite:///toolkit.db", "sqlite:///new.db")
    again = run("db", "copy", "sqlite:///toolkit.db", "sqlite:///new.db")
    assert again.exit_code == 0
    assert "Both sides are equal already: 9 rows." in again.stdout


@pytest.mark.parametrize(
    ("source", "target", "sentence"),
    [
        (
            "sqlite:///typo.db",
            "sqlite:///new.db",
            r"There is no toolkit database at sqlite:///.*typo\.db; check the URL",
        ),
        ("toolkit.db", "sqlite:///new.db", r"'toolkit\.db' must begin with sqlite:// or postgresql://"),
        ("sqlite:///toolkit.db", "sqlite:///toolkit.db", "Both URLs name the same database"),
        (
            "sqlite:///toolkit.db",
            "sqlite:///other.db",
            r"holds other rows already \(1 in sessions\); name an empty one",
        ),
        ("sqlite:///toolkit.db", "sqlite://", "A database in memory ends with the command"),
        ("sqlite:///notes.txt", "sqlite:///new.db", "not a SQLite database"),
        (
            "sqlite:///toolkit.db",
            "postgresql://ada:opensesame@127.0.0.1:1/app",
            "No connection to .*ada@127.0.0.1:1/app",
        ),
        ("postgresql://ada:opensesame@127.0.0.1:1/app", "sqlite:///new.db", "No connection to .*ada@127.0.0.1:1/app"),
    ],
)
def test_a_copy_that_cannot_be_made_is_refused_in_one_line(
    run: Run, folder: Path, source: str, target: str, sentence: str
) -> None:
    fill(f"sqlite:///{folder / 'toolkit.db'}")
    fill(f"sqlite:///{folder / 'other.db'}", sessions=1, messages=0)
    (folder / "notes.txt").write_text("Not a database, but long enough to be looked at.\n" * 100)
    result = run("db", "copy", source, target)
    assert result.exit_code == 1
    assert re.search(sentence, result.stderr), result.stderr
    assert result.stderr.count("\n") == 1
    assert "opensesame" not in result.output
    assert not (folder / "new.db").exists()


def test_ctrl_c_stops_a_copy_and_the_same_command_ends_it(run: Run, folder: Path) -> None:
    fill(f"sqlite:///{folder / 'toolkit.db'}", sessions=200, messages=100)
    words = [sys.executable, "-m", "toolkit.cli", "db", "copy", "sqlite:///toolkit.db", "sqlite:///new.db"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for_rows(folder / "new.db", process)
        process.send_signal(signal.SIGINT)
        _, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130
    assert error == "Interrupted. The same command goes on where it was.\n"

    told = json.loads(run("db", "copy", "sqlite:///toolkit.db", "sqlite:///new.db", "--json").stdout)
    rows = {each["table"]: each["rows"] for each in told["tables"]}
    assert (rows["sessions"], rows["messages"]) == (200, 20_000)
    assert 0 < told["written"] < 20_200


def _wait_for_rows(file: Path, process: "subprocess.Popen[str]") -> None:
    """Until some messages are in `file`, which another process fills."""
    while process.poll() is None:
        try:
            other = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)
        except sqlite3.Error:
            continue
        try:
            if other.execute("SELECT COUNT(*) FROM messages").fetchone()[0]:
                return
        except sqlite3.Error:
            pass
        finally:
            other.close()
    raise AssertionError("it was faster than the interruption")


def test_a_bar_shows_how_far_a_copy_is(run: Run, folder: Path) -> None:
    fill(f"sqlite:///{folder / 'toolkit.db'}")
    result = run("db", "copy", "sqlite:///toolkit.db", "sqlite:///new.db", FORCE_COLOR="1", COLUMNS="200")
    assert "Comparing" in result.stderr
    assert "18/18" in result.stderr


@pytest.mark.usefixtures("handbook")
def test_a_backup_is_a_database_of_its_own(run: Run) -> None:
    result = run("db", "backup", "kept.db")
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"The backup is in kept\.db, [\d.]+ kB\.\n", result.stdout)
    assert "breaker.md" in run("search", "circuit breaker", "--db", "sqlite:///kept.db").stdout

    again = run("db", "backup", "kept.db")
    assert again.exit_code == 1
    assert "is there already" in again.stderr


@pytest.mark.usefixtures("folder")
def test_a_backup_of_postgres_names_its_own_tool(run: Run, postgres: str) -> None:
    run("migrate", "--db", postgres)
    result = run("db", "backup", "kept.db", "--db", postgres)
    assert result.exit_code == 1
    assert "pg_dump" in result.stderr
    assert result.stderr.count("\n") == 1
    assert "opensesame" not in result.output
    assert not Path("kept.db").exists()


@pytest.mark.parametrize(
    "words", [["backup", "x.db"], ["vacuum"], ["check"], ["stats"], ["prune", "--older-than", "90d"]], ids=" ".join
)
def test_a_database_that_is_not_there_is_not_made(run: Run, folder: Path, words: list[str]) -> None:
    result = run("db", *words)
    assert result.exit_code == 1
    assert re.fullmatch(r"Error: There is no toolkit database at sqlite:///.*; check the URL\.\n", result.stderr)
    assert list(folder.iterdir()) == []


def test_vacuum_says_what_it_gave_back(run: Run, folder: Path) -> None:
    fill(f"sqlite:///{folder / 'toolkit.db'}", sessions=50, messages=100)
    run("db", "prune", "--older-than", "1h")
    result = run("db", "vacuum")
    assert result.exit_code == 0, result.output
    assert re.search(r"given back: [\d.,]+ [kM]B before, [\d.,]+ [kM]B now\.$", result.stdout)


@pytest.mark.usefixtures("folder")
def test_a_sound_database_is_said_to_be_sound(run: Run, database_url: str) -> None:
    run("migrate", "--db", database_url)
    result = run("db", "check", "--db", database_url)
    assert result.exit_code == 0, result.output
    assert re.fullmatch(r"The database (sqlite|postgresql)://.* is sound\.\n", result.stdout)
    assert run("db", "check", "--json", "--db", database_url).stdout == "[]\n"
    assert "opensesame" not in result.output


def test_a_database_that_is_not_sound_ends_with_exit_code_1_and_says_where(run: Run, folder: Path) -> None:
    fill(f"sqlite:///{folder / 'toolkit.db'}")
    raw = sqlite3.connect(folder / "toolkit.db")  # which does not look at references
    raw.execute("DELETE FROM sessions WHERE id = 's1'")
    raw.commit()
    raw.close()
    result = run("db", "check")
    assert result.exit_code == 1
    assert "messages" in result.stdout
    assert json.loads(run("db", "check", "--json").stdout)[0]["table"] == "messages"


@pytest.mark.usefixtures("folder")
def test_stats_count_rows_and_bytes(run: Run, database_url: str) -> None:
    fill(database_url)
    told = json.loads(run("db", "stats", "--json", "--db", database_url).stdout)
    rows = {each["table"]: each for each in told["tables"]}
    assert (rows["sessions"]["rows"], rows["messages"]["rows"], rows["chunks"]["rows"]) == (3, 6, 0)
    assert rows["sessions"]["bytes"] > 0
    assert told["bytes"] >= sum(each["bytes"] for each in told["tables"]) > 0
    assert not any(name.startswith("chunks_") for name in rows)

    shown = run("db", "stats", "--db", database_url).stdout
    assert re.search(r"^messages +6 +[\d.]+ [kM]B$", shown, re.MULTILINE)
    assert re.search(r"://.*: [\d.]+ [kM]B on disk\.$", shown)
    assert "opensesame" not in shown


def _age(url: str) -> None:
    """A session, a call and an event of a year ago, and a session of today."""

    async def inside() -> None:
        db = open_database(Settings(url))
        with freeze(now() - timedelta(days=365)):
            await db.write(session("old"), message("old", 1), _event(), _call())
        await db.write(session("new"))
        await db.close()

    asyncio.run(inside())


def _event() -> Statement:
    insert = "INSERT INTO events (kind, subject, body, created_at) VALUES ('test.told', 's', :body, :at)"
    return Statement(insert, {"body": {}, "at": now()})


def _call() -> Statement:
    insert = """
        INSERT INTO calls (id, call_id, attempt, kind, name, provider, model, status, milliseconds, started_at, day)
        VALUES ('c', 'c', 1, 'chat', 'n', 'p', 'm', 'ok', 1.0, :at, :day)
        """
    return Statement(insert, {"at": now(), "day": now().date().isoformat()})


@pytest.mark.usefixtures("folder")
def test_what_is_old_is_counted_first_and_then_forgotten(run: Run, database_url: str) -> None:
    _age(database_url)
    would = run("db", "prune", "--older-than", "90d", "--dry-run", "--db", database_url)
    assert re.match(
        r"Would forget 1 session, 1 call, 1 event and 0 jobs of \d{4}-\d\d-\d\d \d\d:\d\d or earlier\.", would.stdout
    )
    did = json.loads(run("db", "prune", "--older-than", "12w", "--json", "--db", database_url).stdout)
    assert {name: did[name] for name in ("sessions", "calls", "events", "dry_run")} == {
        "sessions": 1,
        "calls": 1,
        "events": 1,
        "dry_run": False,
    }
    rows = {
        each["table"]: each["rows"]
        for each in json.loads(run("db", "stats", "--json", "--db", database_url).stdout)["tables"]
    }
    assert (rows["sessions"], rows["messages"], rows["calls"]) == (1, 0, 0)


def test_only_what_is_named_is_forgotten(run: Run, folder: Path) -> None:
    _age(f"sqlite:///{folder / 'toolkit.db'}")
    did = run("db", "prune", "--older-than", "2000h", "--only", "calls", "--only", "events")
    assert did.stdout.startswith("Forgot 1 call and 1 event of ")
    rest = run("db", "prune", "--older-than", "2000h", "--dry-run")
    assert rest.stdout.startswith("Would forget 1 session, 0 calls, 0 events and 0 jobs of ")


@pytest.mark.parametrize("age", ["90", "90 days", "0d", "-3d", "d", "", "1.5d", "99999w"])
def test_an_age_without_a_unit_or_out_of_bounds_is_refused_in_one_sentence(run: Run, folder: Path, age: str) -> None:
    _age(f"sqlite:///{folder / 'toolkit.db'}")
    result = run("db", "prune", f"--older-than={age}")
    assert result.exit_code == 1
    assert re.fullmatch(rf"Error: --older-than is '{age}'(; write|, which is more).*\.\n", result.stderr)
    assert json.loads(run("db", "stats", "--json").stdout)["tables"]


def test_prune_needs_to_be_told_how_old(run: Run) -> None:
    assert run("db", "prune").exit_code == 2

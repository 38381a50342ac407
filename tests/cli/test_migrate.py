"""`toolkit migrate`: what is pending, applied or only tried."""

import asyncio
import hashlib
import json
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tests.cli.conftest import Run
from toolkit.db import migrate


@pytest.fixture
def files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toolkit's own migrations, to which a test may add one."""
    copied = folder / "migrations"
    shutil.copytree(migrate.default_folder(), copied)
    monkeypatch.setattr(migrate, "default_folder", lambda: copied)
    return copied


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of each kind without tables."""
    if request.param == "sqlite":
        yield f"sqlite:///{folder / 'toolkit.db'}"
        return
    dsn, schema = request.getfixturevalue("postgres_dsn"), f"m_{uuid.uuid4().hex}"
    monkeypatch.setenv("TOOLKIT_SCHEMA", schema)
    yield dsn
    asyncio.run(_drop(dsn, schema))


async def _drop(dsn: str, schema: str) -> None:
    admin = await asyncpg.connect(dsn)
    await admin.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    await admin.close()


def state(run: Run, url: str, folder: Path) -> tuple[object, ...]:
    """What a trial must leave as it is: the file's bytes, the list of migrations, the rows."""
    file = folder / "toolkit.db"
    content = hashlib.sha256(file.read_bytes()).hexdigest() if file.exists() else None
    listed = run("migrate", "--list", "--json", "--db", url).stdout
    return content, listed


def last(files: Path) -> int:
    return max(int(path.name[:4]) for path in files.glob("*.sql"))


def test_a_trial_names_what_is_pending_and_changes_nothing(run: Run, url: str, files: Path, folder: Path) -> None:
    assert run("migrate", "--db", url).exit_code == 0
    run("models", "add", "scripted", "m", "--name", "kept", "--db", url)
    number = last(files) + 1
    (files / f"{number:04}_colour.sql").write_text(
        "ALTER TABLE models ADD COLUMN colour TEXT;\nUPDATE models SET colour = 'red';\nDELETE FROM model_changes;\n"
    )
    before = state(run, url, folder)
    result = run("migrate", "--dry-run", "--db", url)

    assert result.exit_code == 0, result.output
    assert result.stdout == f"It was tried and would work: {number:04}_colour. Nothing was changed.\n"
    assert state(run, url, folder) == before
    told = json.loads(run("migrate", "--dry-run", "--json", "--db", url).stdout)
    assert [entry["name"] for entry in told if entry["applied_at"] is None] == [f"{number:04}_colour"]
    assert state(run, url, folder) == before

    assert run("migrate", "--db", url).stdout == f"Applied {number:04}_colour.\n"
    assert "kept" in run("models", "list", "--db", url).stdout
    assert run("models", "history", "kept", "--json", "--db", url).stdout == "[]\n"


def test_a_trial_of_a_migration_that_would_fail_says_which_and_why(
    run: Run, url: str, files: Path, folder: Path
) -> None:
    assert run("migrate", "--db", url).exit_code == 0
    number = last(files) + 1
    (files / f"{number:04}_good.sql").write_text("CREATE TABLE half (id TEXT);")
    (files / f"{number + 1:04}_bad.sql").write_text("INSERT INTO nowhere VALUES (1);")
    before = state(run, url, folder)
    result = run("migrate", "--dry-run", "--db", url)

    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: The migration {number + 1:04}_bad failed and nothing was changed: ")
    assert "nowhere" in result.stderr
    assert result.stderr.count("\n") == 1
    assert state(run, url, folder) == before


def test_a_trial_on_a_new_database_makes_none(run: Run, url: str, files: Path, folder: Path) -> None:
    result = run("migrate", "--dry-run", "--db", url)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("_") >= last(files)
    assert not (folder / "toolkit.db").exists()
    listed = json.loads(run("migrate", "--list", "--json", "--db", url).stdout)
    assert {entry["applied_at"] for entry in listed} == {None}


def test_a_trial_of_nothing_says_so(run: Run, url: str, folder: Path) -> None:
    run("migrate", "--db", url)
    before = state(run, url, folder)
    assert run("migrate", "--dry-run", "--db", url).stdout == "The tables are up to date; nothing would be applied.\n"
    assert state(run, url, folder) == before


def test_a_trial_fails_on_a_file_that_was_changed_after_it_ran(run: Run, url: str, files: Path) -> None:
    run("migrate", "--db", url)
    with (files / "0001_models.sql").open("a") as file:
        file.write("-- a thought\n")
    result = run("migrate", "--dry-run", "--db", url)
    assert result.exit_code == 1
    assert "0001_models was changed after it was applied" in result.stderr


def test_what_would_break_a_reference_is_found_by_the_trial(run: Run, files: Path, folder: Path) -> None:
    url = f"sqlite:///{folder / 'toolkit.db'}"
    run("migrate", "--db", url)
    number = last(files) + 1
    (files / f"{number:04}_orphans.sql").write_text(
        "PRAGMA defer_foreign_keys = ON;\n"
        "INSERT INTO messages (session_id, position, role, body, created_at) VALUES ('none', 1, 'user', '{}', 'x');\n"
    )
    result = run("migrate", "--dry-run", "--db", url)
    assert result.exit_code == 1
    assert f"{number:04}_orphans" in result.stderr

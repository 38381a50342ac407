"""`toolkit jobs`: what is kept, and what becomes of it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from toolkit.db import open_database
from toolkit.jobs.jobs import Jobs
from toolkit.messages import Json, Message, Reply
from toolkit.settings import Settings
from toolkit.testing.vendors import VendorServer


@pytest.fixture
def night(run: Run, vendors: VendorServer, folder: Path) -> str:
    (folder / "questions.jsonl").write_text('"Capital of France?"\n"Capital of Italy?"\n')
    words = ("batch", "questions.jsonl", "--model", "openai/gpt-6-luna", "--job", "night", "--user", "ada")
    assert run(*words, **vendors.environ()).exit_code == 0
    return "night"


@pytest.fixture
def left_behind(folder: Path) -> str:
    """The id of a question whose process was closed before it was answered."""

    async def never(_keywords: Json) -> Reply:
        await asyncio.Event().wait()
        return Reply(Message("assistant"), "", (), "")

    async def accept() -> str:
        db = open_database(Settings(f"sqlite:///{folder / 'toolkit.db'}"))
        jobs = Jobs(db, never)
        job = await jobs.generate({"prompt": "Capital of Spain?", "model": "openai/gpt-6-luna"})
        await jobs.close()
        await db.close()
        return job.id

    return asyncio.run(accept())


def test_a_list_says_how_far_each_job_is(run: Run, night: str) -> None:
    heading, row = (line.split() for line in run("jobs", "list").stdout.splitlines())
    assert heading[:4] == ["Job", "Kind", "Status", "Done"]
    assert row[:6] == [night, "batch", "completed", "2", "of", "2"]
    (told,) = json.loads(run("jobs", "list", "--status", "completed", "--json").stdout)
    assert (told["id"], told["answered"], told["user"]) == (night, 2, "ada")
    assert "There are none" in run("jobs", "list", "--user", "eve").stderr


def test_a_background_question_that_was_left_is_taken_up_and_shown(
    run: Run, vendors: VendorServer, left_behind: str
) -> None:
    assert "pending" in run("jobs", "show", left_behind).stdout
    assert run("jobs", "resume", **vendors.environ()).stdout == "1 question taken up.\n"

    shown = run("jobs", "show", left_behind).stdout
    assert "completed" in shown
    assert "Spain" in shown
    told = json.loads(run("jobs", "show", left_behind, "--json").stdout)
    assert told["reply"]["message"]["role"] == "assistant"


def test_what_was_taken_up_is_told_to_a_program_as_json(run: Run, vendors: VendorServer, left_behind: str) -> None:
    assert json.loads(run("jobs", "resume", "--json", **vendors.environ()).stdout) == {"taken_up": 1}
    assert left_behind in run("jobs", "list", "--limit", "9" * 30).stdout


def test_a_cancelled_job_stays_cancelled_until_it_is_resumed(run: Run, vendors: VendorServer, left_behind: str) -> None:
    assert run("jobs", "cancel", left_behind).stdout == f"Job {left_behind} is cancelled.\n"
    assert run("jobs", "resume", **vendors.environ()).stdout == "0 questions taken up.\n"
    assert "completed" in run("jobs", "resume", left_behind, **vendors.environ()).stdout


def test_a_deleted_job_is_gone(run: Run, night: str) -> None:
    assert run("jobs", "delete", night).exit_code == 0
    gone = run("jobs", "show", night)
    assert gone.exit_code == 1
    assert "There is no job 'night'" in gone.stderr

"""The same commands on a SQLite file and on Postgres."""

import json
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.usefixtures("folder")
def test_a_person_needs_no_other_word_for_postgres(database_url: str, run: Run) -> None:
    Path("otters.md").write_text("# Otters\n\nAn otter sleeps while it floats on its back.\n")

    def on(*words: str) -> str:
        result = run(*words, "--db", database_url)
        assert result.exit_code == 0, result.output
        return result.stdout

    assert "1 added" in on("ingest", "otters.md")
    assert "floats on its back" in on("ask", "How does an otter sleep?")
    session = json.loads(on("tools", "call", "create_session", "--json"))["id"]
    on("ask", "How does an otter sleep?", "--session", session)
    assert "floats on its back" in on("sessions", "show", session)
    assert re.search(r"^offline +2 +0 ", on("usage"), re.MULTILINE)
    assert re.search(r"database +(SQLite|Postgres) \d", on("doctor"))
    assert on("migrate") == "The tables are up to date.\n"

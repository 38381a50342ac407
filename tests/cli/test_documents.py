"""`toolkit ingest` and `toolkit search`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run


def test_ingest_says_what_it_did_and_a_second_time_touches_nothing(run: Run, handbook: Path) -> None:
    result = run("ingest", str(handbook), "-c", "handbook")

    assert result.exit_code == 0
    assert "2 documents" in result.stdout
    assert "'handbook': 0 added, 0 updated, 2 unchanged, 0 removed" in result.stdout


def test_ingest_names_what_it_skipped_and_why(run: Run, handbook: Path) -> None:
    (handbook / "logo.png").write_bytes(b"\x89PNG\0\0")

    result = run("ingest", str(handbook), "-c", "handbook")

    assert result.exit_code == 0
    assert "logo.png: binary" in result.stderr


def test_ingest_json_is_the_whole_report(run: Run, handbook: Path) -> None:
    report = json.loads(run("ingest", str(handbook), "-c", "handbook", "--json").stdout)

    assert (report["documents"], report["unchanged"], report["added"]) == (2, 2, 0)


@pytest.mark.usefixtures("handbook")
def test_search_shows_where_a_passage_stands_and_its_id(run: Run) -> None:
    result = run("search", "circuit", "breaker", "-c", "handbook", "-k", "1")

    assert result.exit_code == 0
    first, second, *text = result.stdout.splitlines()
    assert "breaker.md:1-" in first
    assert "score 1.00" in second
    assert any("opens after five failures" in line for line in text)


@pytest.mark.usefixtures("handbook")
def test_search_json_holds_the_hits(run: Run) -> None:
    hits = json.loads(run("search", "when does a session expire", "--json").stdout)

    assert hits[0]["source"].endswith("sessions.md")
    assert "expires after a day" in hits[0]["text"]
    assert hits[0]["lines"][0] == 1


@pytest.mark.usefixtures("handbook")
def test_search_reads_its_query_from_standard_input(run: Run) -> None:
    result = run("search", "-", input="circuit breaker\n")

    assert "breaker.md" in result.stdout


@pytest.mark.usefixtures("handbook")
def test_a_query_that_fits_nothing_is_said_and_is_no_error(run: Run) -> None:
    result = run("search", "xyzzyplugh")

    assert (result.exit_code, result.stdout) == (0, "")
    assert "Nothing fits" in result.stderr


def test_a_long_passage_is_shown_by_its_first_lines_and_whole_with_full(run: Run, folder: Path) -> None:
    (folder / "long.txt").write_text("\n".join(f"otters swim in river {n}" for n in range(12)))
    run("ingest", "long.txt")

    short, whole = run("search", "otters").stdout, run("search", "otters", "--full").stdout

    assert "river 3" in short
    assert "river 4" not in short
    assert "… 8 more lines" in short
    assert "river 11" in whole

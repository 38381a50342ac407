"""`toolkit ingest` and `toolkit search`."""

import json
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from toolkit.errors import IngestError
from toolkit.search.documents import IngestReport
from toolkit.search.following import Ingest


def test_an_empty_path_is_not_the_folder_here(run: Run) -> None:
    result = run("ingest", "")
    assert result.exit_code == 1
    assert "An empty path was given" in result.stderr


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


def test_ingest_reads_in_processes(run: Run, handbook: Path) -> None:
    (handbook / "more.md").write_text("# More\n\nOtters swim.\n")

    result = run("ingest", str(handbook), "-c", "handbook", "--workers", "1")

    assert result.exit_code == 0, result.output
    assert "1 added, 0 updated, 2 unchanged" in result.stdout


def test_ingest_reads_on_a_cluster_or_in_processes_but_not_in_both(run: Run, handbook: Path) -> None:
    result = run("ingest", str(handbook), "--workers", "2", "--dask", "tcp://127.0.0.1:9")

    assert result.exit_code == 1
    assert "give --workers or --dask" in result.stderr


def test_a_page_cannot_be_watched(run: Run) -> None:
    result = run("ingest", "https://example.org/x", "--watch")

    assert result.exit_code == 1
    assert "https://example.org/x cannot be watched" in result.stderr


def test_ingest_follows_changes_until_it_is_stopped(run: Run, handbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def follow(ingest: Ingest, paths: Sequence[Path]) -> AsyncGenerator[IngestReport | IngestError, None]:
        yield await ingest(paths)
        yield IngestError("the folder is away for a moment")
        (handbook / "more.md").write_text("# More\n\nOtters swim.\n")
        yield await ingest(paths)
        raise KeyboardInterrupt

    monkeypatch.setattr("toolkit.search.following.follow", follow)

    result = run("ingest", str(handbook), "-c", "handbook", "--watch")

    assert result.exit_code == 130
    first, second = result.stdout.splitlines()
    assert "0 added, 0 updated, 2 unchanged" in first
    assert "1 added, 0 updated, 2 unchanged" in second
    assert "the folder is away for a moment" in result.stderr
    assert "Stopped. What was read so far is kept" in result.stderr


def test_ingest_reads_on_a_cluster(run: Run, handbook: Path) -> None:
    distributed: Any = pytest.importorskip("distributed", reason="the extra `dask` is not installed")
    (handbook / "more.md").write_text("# More\n\nOtters swim.\n")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0", host="127.0.0.1"
    ) as local:
        result = run("ingest", str(handbook), "-c", "handbook", "--dask", local.scheduler_address)

    assert result.exit_code == 0, result.output
    assert "1 added, 0 updated, 2 unchanged" in result.stdout

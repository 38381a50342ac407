"""`toolkit evaluate`: a table with intervals, JSON, a picture, and words for what is wrong."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.cli.conftest import Run

CORPUS = {
    "otters": "Otters swim in the river and sleep on their backs.",
    "breakers": "A circuit breaker opens after five failures in a row.",
    "sessions": "A session expires after a day without use.",
}


@pytest.fixture
def judgements(folder: Path) -> Path:
    """Two queries over three documents."""
    place = folder / "small"
    place.mkdir()
    corpus = [{"_id": name, "title": name, "text": text} for name, text in CORPUS.items()]
    queries = [{"_id": "q1", "text": "where do otters swim"}, {"_id": "q2", "text": "which circuit opens"}]
    for name, objects in (("corpus", corpus), ("queries", queries)):
        (place / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in objects))
    (place / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\nq1\totters\t1\nq2\tbreakers\t1\n")
    return place


def test_the_table_has_every_measure_with_its_interval(run: Run, judgements: Path) -> None:
    result = run("evaluate", str(judgements), "--mode", "lexical", "--top-k", "3")

    assert result.exit_code == 0, result.output
    heading, first, *others = result.stdout.splitlines()
    assert heading.split()[-2:] == ["Measure", "lexical"]
    assert first.split() == ["small", "(2)", "nDCG@3", "1.000", "[1.000,", "1.000]"]
    assert [line.split()[0] for line in others[:3]] == ["recall@100", "MRR@3", "precision@3"]
    assert "median ms" in others[3]


def test_two_modes_are_compared_pair_by_pair(run: Run, judgements: Path) -> None:
    result = run("evaluate", str(judgements), "--mode", "lexical,hybrid")

    assert result.exit_code == 0, result.output
    assert "Difference in nDCG@10  hybrid - lexical" in result.stdout
    assert "95 % intervals" in result.stderr


def test_nothing_is_left_of_a_corpus_that_was_not_kept(run: Run, judgements: Path) -> None:
    run("evaluate", str(judgements), "--mode", "lexical")

    assert "Nothing has been ingested yet" in run("search", "otters").stderr


def test_a_corpus_that_is_kept_can_be_searched_and_evaluated_again(run: Run, judgements: Path) -> None:
    run("evaluate", str(judgements), "--mode", "lexical", "--keep", "mine")
    (judgements / "corpus.jsonl").unlink()

    result = run("evaluate", str(judgements), "--mode", "lexical", "--collection", "mine")

    assert result.exit_code == 0, result.output
    assert "small (2)" in result.stdout
    assert "otters" in run("search", "otters", "-c", "mine").stdout


def test_questions_in_a_file_are_judged_by_the_sources_of_a_collection(run: Run, handbook: Path, folder: Path) -> None:
    (folder / "questions.tsv").write_text(f"when does it open\t{handbook.name}/breaker.md\n")

    result = run("evaluate", "questions.tsv", "--collection", "handbook", "--mode", "lexical", "--json")

    report = json.loads(result.stdout)
    assert report["configurations"] == ["lexical"]
    assert {f["measure"]: f["mean"] for f in report["figures"]}["MRR@10"] == 1


def test_json_is_the_whole_report(run: Run, judgements: Path) -> None:
    report = json.loads(run("evaluate", str(judgements), "--mode", "lexical", "--json").stdout)

    assert report["collections"] == [{"name": "small", "documents": 3, "queries": 2, "notes": []}]
    assert set(report["figures"][0]) == {"collection", "configuration", "measure", "mean", "low", "high"}
    assert report["speeds"][0]["p50_ms"] > 0


def test_a_picture_is_drawn(run: Run, judgements: Path, folder: Path) -> None:
    result = run("evaluate", str(judgements), "--mode", "lexical", "--plot", "quality.svg")

    assert "Drawn: quality.svg" in result.stderr
    assert "small (2)" in {each.text for each in ET.parse(folder / "quality.svg").iter()}


def test_a_picture_can_be_a_png(run: Run, judgements: Path, folder: Path) -> None:
    pytest.importorskip("PIL")

    run("evaluate", str(judgements), "--mode", "lexical", "--plot", "quality.PNG")

    assert (folder / "quality.PNG").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere"], "There is no nowhere; give a folder with queries.jsonl"),
        (
            ["small", "--mode", "lexical,best"],
            "There is no mode 'best'; give one or several of lexical,semantic,hybrid.",
        ),
        (["small", "--mode", ","], "There is no mode ','"),
        (["small", "--plot", "x.jpg"], "x.jpg cannot be drawn; call the file NAME.svg or NAME.png."),
        (["small", "--plot", "gone/x.svg"], "There is no folder gone"),
        (["small", "--collection", "a", "--keep", "b"], "give one of both names"),
        (["small", "--collection", "a", "--mode", "lexical"], "Nothing has been ingested yet"),
    ],
)
@pytest.mark.usefixtures("judgements")
def test_what_cannot_be_done_is_said(run: Run, words: list[str], said: str) -> None:
    result = run("evaluate", *words)

    assert result.exit_code == 1
    assert said in result.stderr


def test_a_broken_file_is_said_with_its_line(run: Run, judgements: Path) -> None:
    with (judgements / "queries.jsonl").open("a") as file:
        file.write("{'_id': 'q3'}\n")

    result = run("evaluate", str(judgements))

    assert result.exit_code == 1
    assert "queries.jsonl, line 3: this is not JSON" in result.stderr

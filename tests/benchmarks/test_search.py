"""`benchmarks.search`: what it makes up, what it measures, and whom it names."""

import importlib.util
import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from benchmarks import corpus, search_plot
from benchmarks.engines.process import OURS, PEERS
from benchmarks.search import Result, Taken, goals, results
from toolkit.search.cutting.chunker import cut
from toolkit.search.documents import Document

ROOT = Path(__file__).parent.parent.parent


def test_a_made_up_section_is_always_the_same_and_names_its_vector() -> None:
    first, second = corpus.sections(41, 43)

    assert first == next(corpus.sections(41, 42))
    assert corpus.number_of(second.text) == 42
    assert corpus.vectors([first.text, second.text]) == pytest.approx(corpus.vectors_of(np.array([41, 42])))
    assert corpus.changed(42, 1).text != second.text
    assert corpus.number_of(corpus.changed(42, 1).text) == 42


def test_a_section_is_one_chunk_of_a_document() -> None:
    sections = list(corpus.sections(0, 200))
    text = "\n\n".join(section.text for section in sections)

    chunks = cut(Document("made-up", text, "Made up", "markdown"), "c")

    assert [corpus.number_of(chunk.text) for chunk in chunks] == list(range(200))


def test_words_follow_the_law_of_running_text() -> None:
    words = [word for section in corpus.sections(0, 300) for word in section.text.split()]

    assert 95 < len(words) / 300 < 120
    assert 0.03 < words.count("the") / len(words) < 0.06
    assert words.count("the") > words.count("and") > words.count("which")
    assert len(set(words)) > 5_000


def test_a_query_is_near_to_its_section_and_the_nearest_are_really_that() -> None:
    query = corpus.query(777)

    (found,) = corpus.nearest(query.vector[None], 2_000, 5)

    cosines = corpus.vectors_of(np.arange(2_000)) @ query.vector
    assert found == [int(n) for n in np.argsort(-cosines)[:5]]
    assert found[0] == 777


def _taken(milliseconds: float) -> Taken:
    rounds = [[milliseconds] * 20] * 2
    return Taken(
        [1.0, 1.0],
        [1.0, 1.5],
        1.0,
        rounds,
        rounds,
        [1.0, 0.9],
        [0.5],
        [0.6],
        10**8,
        10**8,
        10**8,
        [3.0],
        [2.0],
        [True, True],
    )


def test_figures_are_set_against_the_toolkit_and_against_the_goals() -> None:
    ours, theirs = results(100_000, {OURS: _taken(20), "theirs": _taken(40)})

    assert (ours.adding_per_s, ours.ratio, theirs.ratio) == (50_000, 1, 0.5)
    assert {goal.what.partition(": ")[2]: goal.met for goal in goals([ours, theirs])} == {
        "sections per second, findable by words and durable": True,
        "warm hybrid query, p95 in ms": False,
        "recall@10 of the vectors": True,
    } | {goal.what.partition(": ")[2]: True for goal in goals([ours]) if "seen" in goal.what}


def test_growth_is_drawn_with_every_engine_and_size() -> None:
    found: list[Result] = []
    for size in (1_000, 10_000):
        found += results(size, {OURS: _taken(2), "theirs": _taken(40)})

    texts = {each.text for each in ET.fromstring(search_plot.picture(found).svg()).iter()}

    assert {OURS, "theirs", "1,000", "10,000", *search_plot.PANELS.values()} <= texts


def test_a_quick_run_measures_everyone_who_is_installed_and_names_everyone_else() -> None:
    if os.environ.get("TOOLKIT_TESTS_WITHOUT_POSTGRES") == "1":
        pytest.skip("TOOLKIT_TESTS_WITHOUT_POSTGRES=1")
    command = [sys.executable, "-m", "benchmarks.search", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "opensesame" not in done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    missing = " ".join(told["missing"])
    for peer in PEERS:
        installed = all(importlib.util.find_spec(package) for package in peer.packages)
        assert (f"{peer.name} (the package" in missing) is not installed
        assert [r["sections"] for r in told["results"] if r["engine"] == peer.name] == ([1_000] if installed else [])
    assert all(0.9 <= r["recall"] <= 1 and 0 < r["hybrid_p50_ms"] <= r["hybrid_p95_ms"] for r in told["results"])
    assert all(r["seen"] == 1 and r["memory_mb"] > 0 and r["disk_mb"] > 0 for r in told["results"])
    assert all(r["ratio"] == 1 for r in told["results"] if r["engine"] == OURS)

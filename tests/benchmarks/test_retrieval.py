import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.retrieval import CONFIGURATIONS, Collection, measure
from toolkit.search.documents import Document

ROOT = Path(__file__).parent.parent.parent
CORPUS = [
    {"_id": "a", "title": "Circuit breakers", "text": "After failures no calls are made for a while."},
    {"_id": "b", "title": "", "text": "A call is retried after it failed."},
    {"_id": "c", "title": "Sessions", "text": "What was said is kept."},
]


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "benchmarks.retrieval", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two collections, of which the second has the wrong answer judged right."""
    for name, right in (("good", "b"), ("wrong", "c")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "corpus.jsonl").write_text("\n".join(map(json.dumps, CORPUS)))
        (tmp_path / name / "queries.jsonl").write_text('{"_id": "1", "text": "What happens to a failing call?"}')
        (tmp_path / name / "qrels.tsv").write_text(f"query-id\tcorpus-id\tscore\n1\t{right}\t1\n")
    return tmp_path


def test_every_configuration_is_measured_on_every_collection(folder: Path) -> None:
    done = run(str(folder), "--quick", "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    found = {(r["collection"], r["configuration"]): r for r in told["results"]}
    lexical = [name for name in CONFIGURATIONS if name.startswith("BM25")]
    assert {key for key in found if key[1] in lexical} == {(c, name) for c in ("good", "wrong") for name in lexical}
    assert (found["good", "BM25"]["ndcg@10"], found["good", "BM25"]["recall@100"]) == (1, 1)
    assert (found["wrong", "BM25"]["ndcg@10"], found["wrong", "BM25"]["recall@100"]) == (0, 0)
    assert "1.0000 / 1.000" in done.stdout
    assert "0.5000 / 0.500" in done.stdout


def test_what_is_wrong_with_the_folder_is_said_without_a_trace(tmp_path: Path) -> None:
    done = run(str(tmp_path))
    assert done.returncode == 2
    assert "There are no judgements" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_has_no_score_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    documents = [Document(each["_id"], each["text"]) for each in CORPUS]
    monkeypatch.setitem(CONFIGURATIONS, "made up", lambda _: np.array([[0.0, 0.5, 0.0]], np.float32))
    collection = Collection("c", documents, ["query"], [{"b": 1.0, "c": 1.0}])
    result = measure(collection, "made up")
    assert result.recall == 0.5
    assert result.ndcg == pytest.approx(1 / (1 + 1 / np.log2(3)))

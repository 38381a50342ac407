"""The benchmark of the embedded model runs, and tells what it says it tells."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_quick_run_measures_ours_beside_bare_onnxruntime_and_the_rows_of_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "birds"
    folder.mkdir()
    rows = [{"_id": str(n), "title": f"Bird {n}", "text": f"It nests in place {n}."} for n in range(20)]
    for name in ("corpus", "queries"):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    command = [sys.executable, "-m", "benchmarks.embedding", "--quick", "--json", "--collections", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    ours, *others = told["speed"]
    assert (ours["name"], ours["ratio"], len(others)) == ("toolkit", 1, 4)
    assert [each["name"] for each in told["latency"]] == ["alone", "beside the background"]
    assert [(each["collection"], each["rows"]) for each in told["fidelity"]] == [("birds", 20)]
    assert told["fidelity"][0]["recall_at_10"] > 0.8
    assert 0 < told["fidelity"][0]["largest_error"] < 0.005

"""The benchmark of the gateway runs, and tells what it says it tells."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_quick_run_measures_ours_beside_the_passthrough_in_every_way() -> None:
    command = [sys.executable, "-m", "benchmarks.gateway", "--quick", "--json", "--only", "toolkit-mcp"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    costs = json.loads(done.stdout.splitlines()[-1])["costs"]
    assert [(cost["way"], cost["server"]) for cost in costs] == [
        (way, server) for way in ("alone", "many", "stream") for server in ("passthrough", "toolkit-mcp")
    ]
    assert all(cost["ratio"] == 1 for cost in costs if cost["server"] == "passthrough")
    assert all(cost["per_second"] > 0 < cost["p99"] for cost in costs)

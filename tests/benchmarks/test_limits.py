"""The benchmark of the limits, on a small scale."""

import json
import subprocess
import sys


def test_the_benchmark_of_limits_ends_with_its_figures_as_json() -> None:
    command = [sys.executable, "-m", "benchmarks.limits", "--quick", "--json"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    told = json.loads(said.splitlines()[-1])

    assert told["benchmark"] == "limits"
    ours = {(result["case"], result["place"]) for result in told["results"] if result["name"] == "toolkit"}
    assert {("admitted", "sqlite"), ("refused", "sqlite"), ("free", "sqlite")} <= ours
    assert all(result["per_second"] > 0 for result in told["results"])

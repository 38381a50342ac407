import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_quick_run_measures_every_step() -> None:
    command = [sys.executable, "-m", "benchmarks.words", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told["rates"]) == 4
    assert all(rate["per_cpu_second"] > 0 for rate in told["rates"])
    assert [each["name"] for each in told["latencies"]] == ["usual", "common", "long"]
    assert all(each["postings"] > 0 for each in told["latencies"])

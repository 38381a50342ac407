"""The benchmark of the chat in a kernel runs, and tells what it says it tells."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_a_quick_run_measures_the_panel_beside_a_bare_loop() -> None:
    command = [sys.executable, "-m", "benchmarks.notebook", "--quick", "--json", "--no-page"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    [cost] = json.loads(done.stdout.splitlines()[-1])["costs"]
    assert cost["bare_milliseconds"] > 0 < cost["panel_milliseconds"]
    assert 0 < cost["messages"] < cost["tokens"]
    assert not cost["page"]

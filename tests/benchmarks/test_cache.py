import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def test_a_quick_run_measures_everyone_who_is_installed_and_names_everyone_else() -> None:
    if os.environ.get("TOOLKIT_TESTS_WITHOUT_POSTGRES") == "1":
        pytest.skip("TOOLKIT_TESTS_WITHOUT_POSTGRES=1")
    command = [sys.executable, "-m", "benchmarks.cache", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "opensesame" not in done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    wanted = {"dict", "toolkit, SQLite file", "toolkit, Postgres", "toolkit, Redis", "diskcache"}
    missing = " ".join(told["missing"])
    assert {r["name"] for r in told["results"]} == {name for name in wanted if name not in missing}
    assert ("diskcache" in missing) is (importlib.util.find_spec("diskcache") is None)
    assert {(r["kind"], r["callers"]) for r in told["results"]} == {(k, n) for k in ("hit", "put") for n in (1, 64)}
    assert all(r["ratios"][r["name"]] == 1 for r in told["results"] if r["name"] in r["ratios"])

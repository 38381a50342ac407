import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
PEERS = {
    "sqlite": {
        "toolkit": "",
        "toolkit, through the stores": "",
        "sqlite3, hand-written group commit": "",
        "aiosqlite": "aiosqlite",
        "SQLAlchemy async (aiosqlite)": "aiosqlite sqlalchemy",
    },
    "postgres": {
        "toolkit": "",
        "toolkit, through the stores": "",
        "asyncpg, a transaction per call": "",
        "asyncpg, hand-written batches, executemany": "",
        "asyncpg, hand-written batches, one JSON statement": "",
        "SQLAlchemy async (asyncpg)": "sqlalchemy",
    },
}


@pytest.fixture(params=["sqlite", "postgres"])
def told(request: pytest.FixtureRequest) -> dict[str, Any]:
    """What a quick run prints as its last line."""
    if request.param == "postgres" and os.environ.get("TOOLKIT_TESTS_WITHOUT_POSTGRES") == "1":
        pytest.skip("TOOLKIT_TESTS_WITHOUT_POSTGRES=1")
    command = [sys.executable, "-m", "benchmarks.storage", "--quick", "--json", "--database", request.param]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    assert "opensesame" not in done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"database": request.param}


def test_a_quick_run_measures_everyone_who_is_installed_and_names_everyone_else(told: dict[str, Any]) -> None:
    assert told["benchmark"] == "storage"
    written = [r for r in told["results"] if r["kind"] == "write"]
    assert {r["database"] for r in told["results"]} == {told["database"]}
    missing = " ".join(told["missing"])
    for peer, packages in PEERS[told["database"]].items():
        installed = all(importlib.util.find_spec(package) for package in packages.split())
        assert {r["callers"] for r in written if r["peer"] == peer} == ({1, 8, 64} if installed else set())
        assert (f"{peer} (the package" in missing) is not installed
    assert all(r["per_second"] > 0 and 0 < r["p50_ms"] <= r["p99_ms"] for r in told["results"])
    assert all(r["toolkit_ratio"] == 1 for r in told["results"] if r["peer"] == "toolkit")
    assert {(goal["database"], goal["kind"]) for goal in told["goals"]} >= {(told["database"], "write")}

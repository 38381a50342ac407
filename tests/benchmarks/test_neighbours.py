"""Any MCP server is met as a host would, and one that does not answer is named with its last words."""

import sys
from pathlib import Path

import pytest

from benchmarks import neighbours
from benchmarks.neighbours import NoAnswer, meet, table

ROOT = Path(__file__).parent.parent.parent


def test_a_server_is_counted_and_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "STARTS", 1)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    bare = meet("bare", [sys.executable, "-m", "benchmarks.servers.bare"])

    assert (bare.tools, bare.annotated, bare.prompts, bare.eras) == (1, 0, 0, ("2025-11-25", "2026-07-28"))
    assert 100 < bare.list_bytes < 300
    row = table([bare]).splitlines()[-1]
    assert row.startswith("| bare 1 | 1 | ")
    assert table([bare]).splitlines()[1].count("|") == row.count("|")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("import sys; sys.exit('no index found')", "it has ended; its last words: no index found"),
        ('input(); print(\'{"id": 1, "error": {"message": "not today"}}\')', "initialize: not today"),
    ],
)
def test_a_server_that_does_not_answer_is_named_with_what_it_said(script: str, words: str) -> None:
    with pytest.raises(NoAnswer) as refused:
        meet("mute", [sys.executable, "-c", script])

    assert str(refused.value) == words


def test_a_command_that_is_not_there_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="No such file"):
        meet("nobody", ["/nowhere/server"])


def test_what_a_server_prints_beside_its_messages_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "STARTS", 1)
    answer = '{"id": 1, "result": {"protocolVersion": "2025-11-25", "capabilities": {}}}'
    script = f"input(); print('Loading'); print('''{answer}''', flush=True); input()"

    noisy = meet("noisy", [sys.executable, "-c", script])

    assert (noisy.stray, noisy.eras) == (1, ("2025-11-25",))
    assert "1 stray lines on its output" in table([noisy])

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import peers
from benchmarks.contestants.worker import Answer
from benchmarks.fault_list import ANSWER, FAULTS, healthy
from benchmarks.faults import Outcome, right, summarise
from benchmarks.peers import LITELLM, OURS

ROOT = Path(__file__).parent.parent.parent


def test_a_run_tells_of_every_client_that_is_there_and_names_those_that_are_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-m", "benchmarks.faults", "--quick", "--json", "--wire", "openai"]
    run = subprocess.run(
        [*command, "--fault", "context", "--only", "toolkit", "bare"],
        check=True,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    told = json.loads(run.stdout.splitlines()[-1])
    assert [(each["peer"], each["mode"]) for each in told["results"]] == [
        (peer, mode) for mode in ("whole", "stream") for peer in ("toolkit", "bare SDK")
    ]
    for each in told["results"]:
        assert (each["answered"], each["wrong"], each["sick"], each["healthy"]) == (2, 0, [1, 1], [1, 1])
    monkeypatch.setattr(peers, "FOLDER", tmp_path)
    assert LITELLM.missing == "python -m benchmarks.peers litellm"
    assert OURS.missing is None


def test_an_answer_counts_only_if_its_text_is_whole_and_there_once() -> None:
    assert right(Answer(ANSWER, None, 0.0, 1.0, 2.0))
    assert not right(Answer(ANSWER[:9], None, 0.0, 1.0, 2.0))
    assert not right(Answer(ANSWER + ANSWER, None, 0.0, 1.0, 2.0))
    assert not right(Answer(ANSWER, "ReadTimeout", 0.0, 1.0, 2.0))


def test_the_healthy_server_goes_on_with_what_was_begun_and_answers_whoever_asks_anew() -> None:
    question = {"role": "user", "content": "Why?"}
    begun = {"role": "assistant", "content": ANSWER[:12]}
    assert healthy({"messages": [question]}) == ANSWER
    assert healthy({"messages": [question, begun, {"role": "user", "content": "Go on."}]}) == ANSWER[12:]
    assert healthy({"messages": [question, {"role": "assistant", "content": "Another text"}]}) == ANSWER


def test_what_nobody_can_cure_is_left_out_of_the_summary() -> None:
    def outcome(fault: str, answered: int) -> Outcome:
        return Outcome("openai", "whole", fault, "toolkit", 2, answered, 0, (), 0.01, 0.02, 0.03, (1, 1), (1, 1))

    (line,) = summarise([outcome("503", 2), outcome("400", 0)], [OURS])
    assert (line["answered"], line["of"], line["faults_within_goal"], line["faults"]) == (2, 2, 1, 1)
    assert {case.name for case in FAULTS if not case.curable} == {"400", "slow drip"}

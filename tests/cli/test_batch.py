"""`toolkit batch`: a file of questions, and a file of answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Run
from toolkit.testing.vendors import Fault, VendorServer

MODEL = ("--model", "openai/gpt-6-luna")


@pytest.fixture
def questions(folder: Path) -> str:
    lines = ['"Capital of France?"', "", '{"prompt": "Capital of Italy?", "max_tokens": 50}', '"Capital of Spain?"']
    (folder / "questions.jsonl").write_text("\n".join(lines))
    return "questions.jsonl"


def read(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_line_is_asked_and_answered_in_its_place(run: Run, vendors: VendorServer, questions: str) -> None:
    result = run("batch", questions, *MODEL, "--user", "ada", "--out", "answers.jsonl", **vendors.environ())

    assert result.exit_code == 0, result.output
    rows = read(Path("answers.jsonl").read_text())
    assert [row["position"] for row in rows] == [0, 1, 2]
    assert [place in row["text"] for row, place in zip(rows, ("France", "Italy", "Spain"), strict=True)] == [True] * 3
    assert rows[0]["cost_usd"] > 0
    assert "3 answers, 0 errors, cost $0." in result.stderr
    assert {body["max_completion_tokens"] for body in bodies(vendors) if "max_completion_tokens" in body} == {50}
    assert json.loads(run("usage", "--by", "user", "--json").stdout)[0]["key"] == "ada"


def test_answers_go_to_standard_output_where_no_file_is_named(run: Run, vendors: VendorServer) -> None:
    result = run("batch", "-", *MODEL, input='"Capital of France?"\n', **vendors.environ())
    assert [row["position"] for row in read(result.stdout)] == [0]


def test_an_error_is_a_line_and_the_exit_code(run: Run, vendors: VendorServer, questions: str) -> None:
    vendors.fail("openai", Fault.status(401), times=1)
    result = run("batch", questions, *MODEL, "--concurrency", "1", **vendors.environ())

    assert result.exit_code == 1
    rows = read(result.stdout)
    assert [row.get("error") for row in rows] == ["AllModelsFailed", None, None]
    assert "AuthenticationFailed" in rows[0]["message"]
    assert "2 answers, 1 error" in result.stderr


def test_a_batch_with_a_name_is_asked_once_and_its_failures_again_on_demand(
    run: Run, vendors: VendorServer, questions: str
) -> None:
    words = ("batch", questions, *MODEL, "--job", "night", "--concurrency", "1")
    vendors.fail("openai", Fault.status(401), times=1)
    first = run(*words, **vendors.environ())
    asked = len(vendors.requests)
    assert "`toolkit jobs resume night --failed`" in first.stderr
    assert run(*words, **vendors.environ()).stdout == first.stdout
    assert len(vendors.requests) == asked

    assert run("jobs", "resume", "night", "--failed", **vendors.environ()).exit_code == 0
    assert len(vendors.requests) == asked + 1
    assert run(*words, **vendors.environ()).exit_code == 0


@pytest.mark.parametrize("line", ["not json", "7", '{"model": "small"}'])
def test_a_line_that_is_no_request_is_named_before_anything_is_asked(
    run: Run, vendors: VendorServer, folder: Path, line: str
) -> None:
    (folder / "wrong.jsonl").write_text(f'"Capital of France?"\n{line}\n')
    result = run("batch", "wrong.jsonl", *MODEL, **vendors.environ())
    assert result.exit_code == 1
    assert "Line 2 " in result.stderr
    assert vendors.requests == []


@pytest.mark.parametrize("source", ["-", "binary.jsonl"])
def test_a_file_that_is_no_text_is_refused_in_a_sentence(
    run: Run, vendors: VendorServer, folder: Path, source: str
) -> None:
    binary = b'"Capital of France?"\n\xff\xfe\x00'
    (folder / "binary.jsonl").write_bytes(binary)
    result = run("batch", source, *MODEL, input=binary, **vendors.environ())
    assert result.exit_code == 1
    assert "It is not UTF-8 text" in result.stderr
    assert "defect" not in result.stderr


def test_a_file_of_windows_is_read_as_any_other(run: Run, vendors: VendorServer, folder: Path) -> None:
    (folder / "windows.jsonl").write_bytes(b'\xef\xbb\xbf"Capital of France?"\r\n\r\n"Capital of Italy?"\r\n')
    assert len(read(run("batch", "windows.jsonl", *MODEL, **vendors.environ()).stdout)) == 2


@pytest.mark.parametrize("prompt", ["5", "null", "true"])
def test_a_prompt_that_is_none_is_told_in_its_place_and_without_a_stack_trace(
    run: Run, vendors: VendorServer, folder: Path, prompt: str
) -> None:
    (folder / "odd.jsonl").write_text(f'{{"prompt": {prompt}}}\n')
    result = run("batch", "odd.jsonl", *MODEL, **vendors.environ())
    assert read(result.stdout)[0]["error"] == "ConfigError"
    assert "A prompt is a text or a list of messages" in result.stdout
    kept = run("batch", "odd.jsonl", *MODEL, "--job", "night", **vendors.environ())
    assert "Request 0: A prompt is a text" in kept.stderr
    assert "Traceback" not in result.stderr + kept.stderr


def bodies(vendors: VendorServer) -> list[dict[str, Any]]:
    return [request.body for request in vendors.requests]

"""The life of a server on standard input and output, down to the descriptor."""

import json
import signal
import subprocess
from pathlib import Path

import pytest

from tests.mcp_server.serving import HELLO, MISBEHAVING, PLAIN, Pipe, environment, piped

BYTES_PER_TOKEN = 4
BUDGET_TOKENS = 2000
UNBOUNDED = {"TOOLKIT_MAX_RESULT_TOKENS": "1000000"}


def test_the_end_of_input_ends_the_server_and_closes_the_database(database: str) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        pipe.ask(2, "tools/call", name="add", arguments={"a": 1})
        code, out, log = pipe.end()
    assert (code, out) == (0, "")
    assert log == "the toolkit is closed\n"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_the_server_as_the_end_of_input_does(database: str, number: int, code: int) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        pipe.ask(2, "tools/call", name="add", arguments={"a": 1})
        assert pipe.tell(number) == (code, "", "the toolkit is closed\n")


@pytest.mark.parametrize("how", ["the end of input", "a signal"])
def test_a_call_under_way_is_cancelled_before_the_server_ends(database: str, tmp_path: Path, how: str) -> None:
    marks = tmp_path / "marks"
    with piped(database, command=MISBEHAVING) as pipe:
        begin(pipe, "wait", marks)
        code, out, log = pipe.tell(signal.SIGTERM) if how == "a signal" else pipe.end()
    assert code == 0
    assert marks.read_text(encoding="utf-8") == "cancelled"
    assert json.loads(out)["error"]["message"] == "Connection closed", "the client is told"
    assert "Traceback" not in log


def test_a_second_signal_ends_at_once_what_nothing_can_cancel(database: str, tmp_path: Path) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        begin(pipe, "block", tmp_path / "marks")
        pipe.process.send_signal(signal.SIGTERM)
        assert json.loads(pipe.stdout.readline())["error"]["message"] == "Connection closed"
        code, out, log = pipe.tell(signal.SIGTERM)
    assert (code, out) == (-signal.SIGTERM, "")
    assert "Traceback" not in log


def test_a_signal_before_any_tool_was_wanted_ends_the_server_quietly(database: str) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        assert pipe.tell(signal.SIGTERM) == (0, "", "")


def test_standard_output_carries_the_protocol_and_nothing_else(database: str) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        for number in range(2, 5):
            answer = pipe.ask(number, "tools/call", name="shout", arguments={})
            assert answer["result"]["content"][0]["text"] == "shouted"
        _, out, log = pipe.end()
    assert out == ""
    assert log.count("stray") == 6, "what was printed is in the log"


def test_a_tool_cannot_take_what_the_client_sends(database: str) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        answer = pipe.ask(2, "tools/call", name="read_input", arguments={})
        assert answer["result"]["content"][0]["text"] == "b''"


def test_a_line_that_is_no_message_does_not_end_the_server(database: str) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        pipe.stdin.write("this is not JSON\n\xff\n[]\n")
        assert "tools" in pipe.ask(2, "tools/list")["result"]


def test_an_unforeseen_error_is_in_the_log_with_its_traceback_and_without_the_key(database: str) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        pipe.ask(2, "tools/call", name="crash", arguments={})
        _, _, log = pipe.end()
    assert "Traceback" in log
    assert "RuntimeError: the key *** in /etc/secret" in log
    assert "abcdefghijkl" not in log


def test_the_tools_of_the_default_preset_cost_a_model_less_than_2000_tokens_and_come_in_the_same_order(
    database: str,
) -> None:
    lists = []
    for _ in range(2):
        with piped(database) as pipe:
            lists.append(json.dumps(pipe.ask(2, "tools/list")["result"]["tools"], separators=(",", ":")))
    assert lists[0] == lists[1]
    assert len(lists[0].encode()) / BYTES_PER_TOKEN < BUDGET_TOKENS


def test_a_message_longer_than_a_pipe_holds_comes_whole_in_both_directions(database: str) -> None:
    long = "ß" * 300_000
    with piped(database, command=MISBEHAVING, env=UNBOUNDED) as pipe:
        refused = pipe.ask(2, "tools/call", name=long, arguments={})
        assert long[:100] in refused["error"]["message"]
        poem = pipe.ask(3, "tools/call", name="recite", arguments={"lines": 20_000})
        assert len(poem["result"]["structuredContent"]["result"]) == 20_000


def test_a_client_that_does_not_read_holds_up_neither_other_calls_nor_the_end(database: str, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    with piped(database, command=MISBEHAVING, env=UNBOUNDED) as pipe:
        for number in range(2, 6):
            pipe.send(id=number, method="tools/call", params={"name": "recite", "arguments": {"lines": 20_000}})
        begin(pipe, "wait", marks)
        pipe.process.send_signal(signal.SIGTERM)
        assert pipe.process.wait(timeout=20) == 0
    assert marks.read_text(encoding="utf-8") == "cancelled"


def test_a_client_that_closes_its_end_of_the_output_ends_the_server_quietly(database: str) -> None:
    with piped(database, command=MISBEHAVING) as pipe:
        pipe.stdout.close()
        pipe.send(id=2, method="tools/list", params={})
        assert pipe.process.wait(timeout=20) == 0
        assert pipe.process.stderr
        assert "Traceback" not in pipe.process.stderr.read()


def test_requests_may_come_from_a_file_and_answers_go_to_one(database: str, tmp_path: Path) -> None:
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
    asked.write_text(json.dumps(hello), encoding="utf-8")  # without the end of the line
    with asked.open("rb") as given, answered.open("wb") as taken:
        subprocess.run([*PLAIN, "--db", database], stdin=given, stdout=taken, check=True, timeout=20, env=environment())
    assert json.loads(answered.read_text(encoding="utf-8"))["id"] == 1


def begin(pipe: Pipe, tool: str, marks: Path) -> None:
    """Call a tool that waits for ever, and wait until it does."""
    pipe.send(id="w", method="tools/call", params={"name": tool, "arguments": {"marks": str(marks)}})
    while not marks.exists() or marks.read_text(encoding="utf-8") != "begun":
        assert pipe.process.poll() is None

"""How the log is written."""

import json
import logging
import sys

import pytest

from mcp_server.operations.logs import JsonFormatter, RedactingFormatter, log_to_stderr, request_id


def record(message: str, *, failed: bool = False, **fields: object) -> logging.LogRecord:
    error = None
    if failed:
        try:
            int("sk-ant-abcdefghijkl")
        except ValueError:
            error = sys.exc_info()
    made = logging.LogRecord("toolkit.anything", logging.WARNING, "file.py", 1, message, (), error)
    made.fields = fields
    return made


def test_a_record_is_one_json_object_on_one_line_without_secrets() -> None:
    token = request_id.set("req-1")
    line = JsonFormatter().format(record("Two\nlines with sk-ant-abcdefghijkl", failed=True, user="ada"))
    request_id.reset(token)
    assert "\n" not in line
    said = json.loads(line)
    assert {name: said[name] for name in ("level", "logger", "message", "request_id", "user")} == {
        "level": "WARNING",
        "logger": "toolkit.anything",
        "message": "Two\nlines with ***",
        "request_id": "req-1",
        "user": "ada",
    }
    assert said["time"].endswith("+00:00")
    assert said["exception"].startswith("Traceback")
    assert "sk-ant" not in line


def test_a_line_for_people_has_the_id_in_brackets_and_cannot_be_forged() -> None:
    token = request_id.set("req-1")
    line = RedactingFormatter("%(levelname)s %(message)s").format(
        record("GET", user="ada\nERROR all is lost", other=None)
    )
    request_id.reset(token)
    assert line == 'WARNING GET user="ada\\nERROR all is lost" [req-1]'


@pytest.mark.parametrize(("level", "heard"), [("INFO", False), ("DEBUG", True)])
def test_http_clients_talk_of_each_request_only_where_everything_is_logged(level: str, heard: bool) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        log_to_stderr(level, "json")
        assert logging.getLogger("httpx2").isEnabledFor(logging.INFO) is heard
    finally:
        logging.getLogger().handlers[:], _ = before
        logging.getLogger().setLevel(before[1])
        logging.getLogger("httpx2").setLevel(logging.NOTSET)

"""Every request has an id, a line in the log, and figures."""

import json
import logging

import pytest

from mcp_server.operations.content import MOST
from mcp_server.operations.logs import JsonFormatter
from tests.mcp_server.operations.conftest import Inside, opened
from toolkit.testing.vendors import VendorServer


async def test_each_answer_has_an_id_of_its_own_under_both_names(inside: Inside) -> None:
    one, other = [await inside.http.get("/health") for _ in range(2)]
    assert one.headers["x-request-id"] == one.headers["request-id"]
    assert one.headers["x-request-id"] != other.headers["x-request-id"]


async def test_a_refusal_names_the_id_in_its_body_too(inside: Inside) -> None:
    refusal = await inside.chat("Anyone?", model="nobody")
    assert refusal.status_code == 404
    assert refusal.json()["request_id"] == refusal.headers["x-request-id"]


@pytest.mark.parametrize("brought", ["01J-from.a:proxy_7", "a" * 128])
async def test_an_id_that_a_client_brings_is_kept(inside: Inside, brought: str) -> None:
    answer = await inside.http.get("/health", headers={"x-request-id": brought})
    assert answer.headers["x-request-id"] == brought


@pytest.mark.parametrize("brought", ["", "a" * 129, "two words", 'quo"te', "é"])
async def test_an_id_that_could_not_stand_in_a_line_of_the_log_is_replaced(inside: Inside, brought: str) -> None:
    answer = await inside.http.get("/health", headers=[(b"x-request-id", brought.encode())])
    assert answer.headers["x-request-id"] not in ("", brought)


async def test_the_log_has_a_line_for_each_request_with_the_template_of_its_route_and_no_content(
    inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mcp_server.access")
    session = (await inside.http.post("/v1/sessions", json={"title": "a secret plan"})).json()["id"]
    await inside.http.get(f"/v1/sessions/{session}", params={"token": "in the query"})
    await inside.http.get("/no/such/page")

    said = [record.fields for record in caplog.records if record.name == "mcp_server.access"]  # type: ignore[attr-defined]  # ours
    assert [(each["method"], each["route"], each["status"]) for each in said] == [
        ("POST", "/v1/sessions", 201),
        ("GET", "/v1/sessions/{session_id}", 200),
        ("GET", "none", 404),
    ]
    for word in ("secret plan", "in the query", session):
        assert word not in json.dumps(said)


async def test_what_is_logged_while_a_request_is_served_has_its_id(
    inside: Inside, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mcp_server.access")
    caplog.handler.setFormatter(JsonFormatter())
    await inside.http.get("/health", headers={"x-request-id": "the-one"})
    logging.getLogger("elsewhere").warning("After it.")

    lines = [json.loads(line) for line in caplog.text.splitlines() if line.startswith("{")]
    assert [(line["logger"], line["request_id"]) for line in lines] == [
        ("mcp_server.access", "the-one"),
        ("elsewhere", None),
    ]


async def test_content_is_logged_where_it_was_asked_for_bounded_and_without_secrets(
    vendors: VendorServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mcp_server.access")
    async with opened(vendors, TOOLKIT_LOG_CONTENT="1") as inside:
        vendors.say("It is long. " * 1000)
        answer = await inside.chat("What of sk-ant-abcdefghijkl?")
    [fields] = [record.fields for record in caplog.records if record.name == "mcp_server.access"]  # type: ignore[attr-defined]  # ours
    assert len(answer.content) > MOST
    assert "What of ***?" in fields["request"]
    assert fields["response"].startswith(answer.text[:100])
    assert len(fields["response"]) <= MOST


async def test_who_sends_a_password_is_never_logged(vendors: VendorServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "mcp_server.access")
    async with opened(vendors, TOOLKIT_LOG_CONTENT="1") as inside:
        await inside.http.post("/admin/login", json={"key": "hunter2"})
    assert "hunter2" not in caplog.text
    assert not any("hunter2" in str(vars(record)) for record in caplog.records if record.name == "mcp_server.access")

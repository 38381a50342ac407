"""Events over HTTP: told by other services, and listened to."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from tests.mcp_server.inside import Served

URL = "/api/v1/events"


def heard(lines: Iterator[str]) -> dict[str, Any]:
    """The next event: its `id`, `event` and `data`."""
    fields: dict[str, Any] = {}
    for line in lines:
        name, _, value = line.partition(": ")
        if name:
            fields[name] = value
        elif "data" in fields:
            break
    return {**fields, "data": json.loads(fields["data"])}


def listening(answer: httpx2.Response) -> Iterator[str]:
    lines = answer.iter_lines()
    assert next(lines) == ": listening"
    return lines


def test_what_another_service_tells_is_heard_by_who_listens(root: httpx2.Client) -> None:
    with root.stream("GET", URL, params={"kind": "prices.*"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = listening(answer)
        for kind in ("weather.changed", "prices.changed"):
            told = root.post(URL, json={"kind": kind, "subject": "list", "body": {"n": 1}})
            assert (told.status_code, told.json()) == (202, {"accepted": True, "kind": kind, "result": {}})
        event = heard(lines)
    assert event["event"] == event["data"]["kind"] == "prices.changed"
    assert (event["data"]["subject"], event["data"]["body"]) == ("list", {"n": 1})


@pytest.mark.parametrize("where", ["query", "header"])
def test_who_was_away_goes_on_behind_the_last_event(root: httpx2.Client, where: str) -> None:
    with root.stream("GET", URL, params={"subject": where}) as answer:
        lines = listening(answer)
        for n in range(3):
            root.post(URL, json={"type": "count.went", "subject": where, "body": {"n": n}})
        place = heard(lines)["id"]
    params = {"subject": where, **({"after": place} if where == "query" else {})}
    headers = {"Last-Event-ID": place} if where == "header" else {}
    with root.stream("GET", URL, params=params, headers=headers) as answer:
        lines = listening(answer)
        assert [heard(lines)["data"]["body"]["n"] for _ in range(2)] == [1, 2]


def test_a_generation_that_is_requested_is_answered(served: Served, root: httpx2.Client) -> None:
    served.vendors.say("Gladly.")
    wish = {"type": "generation.requested", "body": {"prompt": "Would you?", "user": "root"}}
    made = root.post(URL, json=wish).json()["result"]["id"]
    assert root.get(f"/api/v1/generate/{made}", params={"wait": 20}).json()["text"] == "Gladly."


def test_a_changed_model_and_an_invalid_cache_forget_answers(root: httpx2.Client) -> None:
    root.post("/api/v1/generate", json={"prompt": "keep me", "cache": True, "model": "small"})
    again = root.post("/api/v1/generate", json={"prompt": "keep me", "cache": True, "model": "small"}).json()
    assert again["cached"]
    assert root.post(URL, json={"type": "model.updated", "subject": "small"}).json()["result"] == {"invalidated": 1}
    assert root.post(URL, json={"kind": "cache.invalidate"}).json()["result"] == {"invalidated": 0}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"kind": "single"}, 422),
        ({"kind": "Upper.case"}, 422),
        ({"kind": "a.b", "subject": "x" * 201}, 422),
        ({"kind": "a.b", "data": {}}, 422),
        ({"kind": "a.b"}, 400),
        ({"kind": "cache.invalidate", "body": {"colour": "red"}}, 400),
        ({"kind": "generation.requested", "body": {}}, 400),
        ({"kind": "a.b", "subject": "x", "body": {"text": "x" * 70_000}}, 400),
    ],
)
def test_an_event_that_is_none_is_refused(root: httpx2.Client, body: dict[str, Any], status: int) -> None:
    assert root.post(URL, json=body).status_code == status


@pytest.mark.parametrize(("params", "status"), [({"kind": "A*"}, 422), ({"after": "nowhere"}, 400)])
def test_a_place_or_kind_that_is_none_has_a_status_of_its_own(
    root: httpx2.Client, params: dict[str, Any], status: int
) -> None:
    assert root.get(URL, params=params).status_code == status


def test_events_are_for_who_administers(ada: httpx2.Client) -> None:
    assert ada.post(URL, json={"kind": "a.b", "subject": "x"}).status_code == 403
    assert ada.get(URL).status_code == 403

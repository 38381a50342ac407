"""Generations over HTTP: at once, piece by piece, in the background, many."""

import json
import time
from typing import Any

import httpx2
import pytest

from tests.mcp_server.inside import Served
from toolkit.testing.vendors import Fault

URL = "/api/v1/generate"
NOBODYS = "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55"


@pytest.fixture(scope="module", autouse=True)
def _prompts(keyed: tuple[Served, dict[str, str]]) -> None:
    served = keyed[0]
    greet = (
        "---\ntitle: Greet\narguments: [{name: who}, {name: how, required: false}]\nhints: {model: small}\n---\n"
        "Say hello to {{ who }}{{ how }}."
    )
    served.run(served.tk.prompts.add("greet", greet))


def events(answer: httpx2.Response) -> list[tuple[str, Any]]:
    lines = [each.split("\n") for each in answer.read().decode().split("\n\n") if each.startswith("event: ")]
    return [(kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for kind, data in lines]


def said(served: Served) -> str:
    """All that the vendors were told last."""
    return json.dumps(served.vendors.requests[-1].body, ensure_ascii=False)


def test_an_answer_says_who_gave_it_and_who_failed_before(served: Served, ada: httpx2.Client) -> None:
    served.vendors.fail("openai", Fault.status(404), times=1)
    served.vendors.say("Fog lifts.")
    answer = ada.post(URL, json={"prompt": "Describe a harbour."}, headers={"X-Origin": "novel"})
    told = answer.json()
    assert (answer.status_code, told["status"], told["text"], told["model"]) == (
        200,
        "completed",
        "Fog lifts.",
        "small",
    )
    assert [(each["name"], each["error"]) for each in told["attempts"]] == [
        ("large", "ModelNotFound"),
        ("small", None),
    ]
    assert told["usage"]["output_tokens"] > 0
    assert answer.headers["x-toolkit-model"] == "small"
    assert answer.headers["x-toolkit-attempts"] == "large=ModelNotFound, small=ok"
    last = served.run(served.tk.usage.calls(limit=1))[0]
    assert (last.call_id, last.user, last.origin) == (told["call_id"], "ada", "novel")


def test_messages_context_and_instructions_reach_the_model(served: Served, ada: httpx2.Client) -> None:
    body = {
        "prompt": [
            {"role": "user", "content": "Name a city."},
            {"role": "assistant", "content": "Lima."},
            {"role": "user", "content": "Another."},
        ],
        "context": {"genre": "noir"},
        "system": "Be brief.",
        "max_tokens": 7,
        "temperature": 0.5,
    }
    assert ada.post(URL, json=body).status_code == 200
    asked = served.vendors.requests[-1].body
    assert [each["role"] for each in asked["messages"]][-3:] == ["user", "assistant", "user"]
    assert "noir" in said(served)
    assert "Be brief." in said(served)
    assert asked["temperature"] == 0.5


@pytest.mark.parametrize("filling", [{"arguments": {"who": "Ada"}}, {"context": {"who": "Ada"}}])
def test_a_template_is_filled_and_its_hints_count(served: Served, ada: httpx2.Client, filling: dict[str, Any]) -> None:
    told = ada.post(URL, json={"template": "greet", **filling}).json()
    assert told["model"] == "small"
    assert "Say hello to Ada." in said(served)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"prompt": "a", "template": "greet"}, 422),
        ({"prompt": ""}, 422),
        ({"prompt": []}, 422),
        ({"prompt": "a", "arguments": {}}, 422),
        ({"prompt": "a", "temperature": 3}, 422),
        ({"prompt": "a", "max_tokens": 0}, 422),
        ({"prompt": "a", "timeout": 0}, 422),
        ({"prompt": "a", "top_p": 1}, 422),
        ({"prompt": [{"role": "tool", "content": "a"}]}, 422),
        ({"prompt": [{"role": "user", "content": "a", "images": ["file:///etc/passwd"]}]}, 422),
        ({"template": "greet", "arguments": {}}, 400),
        ({"template": "greet", "arguments": {"who": "a", "whom": "b"}}, 400),
        ({"template": "nothing"}, 404),
        ({"prompt": "a", "model": "nobody"}, 404),
        ({"prompt": "a", "session_id": NOBODYS}, 404),
        ({"prompt": "a", "tools": ["nothing"]}, 404),
        ({"prompt": "a", "tools": ["ingest"]}, 403),
        ({"prompt": "a", "tools": ["delete_document"]}, 403),
        ({"prompt": "a", "requirements": {"wings": True}}, 400),
    ],
)
def test_a_question_that_cannot_be_asked_says_why(ada: httpx2.Client, body: dict[str, Any], status: int) -> None:
    for url in (URL, f"{URL}/stream"):
        answer = ada.post(url, json=body)
        assert answer.status_code == status, answer.text
        assert answer.json()["error"]["message"]


@pytest.mark.parametrize("url", [URL, f"{URL}/stream"])
def test_when_nobody_answers_the_status_says_so_before_a_stream_begins(
    served: Served, ada: httpx2.Client, url: str
) -> None:
    served.vendors.fail("openai", Fault.status(404), times=1)
    served.vendors.fail("anthropic", Fault.status(404), times=1)
    answer = ada.post(url, json={"prompt": "a"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "all_models_failed")
    assert [each["name"] for each in answer.json()["error"]["attempts"]] == ["large", "small"]


def test_a_stream_gives_pieces_and_at_the_end_the_whole(served: Served, ada: httpx2.Client) -> None:
    served.vendors.say("The fog lifts slowly.")
    with ada.stream("POST", f"{URL}/stream", json={"prompt": "a"}) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["x-toolkit-attempts"] == "large=ok"
        told = events(answer)
    assert [kind for kind, _ in told][-1] == "done"
    pieces = [data["text"] for kind, data in told if kind == "delta"]
    assert len(pieces) > 1
    assert "".join(pieces) == told[-1][1]["text"] == "The fog lifts slowly."


def test_a_stream_that_breaks_off_ends_with_an_event_that_says_so(served: Served, ada: httpx2.Client) -> None:
    served.vendors.say("One two three four five six.")
    served.vendors.fail("openai", Fault.cut(2), times=5)
    body = {"prompt": "a", "model": "large", "on_interrupt": "raise"}
    with ada.stream("POST", f"{URL}/stream", json=body) as answer:
        assert answer.status_code == 200
        told = events(answer)
    assert told[0][0] == "delta"
    assert told[-1][0] == "error"
    assert told[-1][1]["error"]["code"] == "stream_interrupted"


@pytest.mark.parametrize("url", [URL, f"{URL}/stream"])
def test_a_client_that_hangs_up_is_not_answered_any_more(served: Served, ada: httpx2.Client, url: str) -> None:
    served.vendors.fail("openai", Fault.hang(), times=1)
    with pytest.raises(httpx2.ReadTimeout):
        ada.post(url, json={"prompt": "a", "model": "large"}, timeout=1.0)
    [asked] = served.vendors.requests
    assert asked.abandoned.wait(10), "the vendor's request was cancelled"


def test_a_form_is_kept_to(served: Served, ada: httpx2.Client) -> None:
    schema = {
        "title": "City",
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    served.vendors.say('{"name": "Lima"}')
    told = ada.post(URL, json={"prompt": "a", "response_schema": schema}).json()
    assert told["parsed"] == {"name": "Lima"}


def test_a_batch_is_answered_in_order_and_an_error_stands_in_its_place(ada: httpx2.Client) -> None:
    requests = [
        {"prompt": "first"},
        {"template": "nothing"},
        {"prompt": "a", "model": "nobody"},
        {"prompt": "last", "model": "small"},
    ]
    answer = ada.post(f"{URL}/batch", json={"requests": requests, "concurrency": 2})
    told = answer.json()["results"]
    assert answer.status_code == 200
    assert [each["status"] for each in told] == ["completed", "failed", "failed", "completed"]
    assert [(each["error"] or {}).get("code") for each in told] == [None, "not_found", "not_found", None]
    assert told[3]["model"] == "small"
    assert "first" in told[0]["text"]


@pytest.mark.parametrize(
    "body", [{"requests": []}, {"requests": [{"prompt": "a"}] * 101}, {"requests": [{}]}, {"requests": "a"}]
)
def test_a_batch_that_is_none_is_422(ada: httpx2.Client, body: dict[str, Any]) -> None:
    assert ada.post(f"{URL}/batch", json=body).status_code == 422


def test_a_question_is_answered_in_the_background_and_read_by_its_owner_only(
    served: Served, ada: httpx2.Client, bob: httpx2.Client
) -> None:
    served.vendors.say("Later.")
    accepted = ada.post(URL, json={"prompt": "a", "background": True})
    assert (accepted.status_code, accepted.json()["text"]) == (202, None)
    where = f"{URL}/{accepted.json()['id']}"
    told = ada.get(where, params={"wait": 20}).json()
    assert (told["status"], told["text"], told["model"]) == ("completed", "Later.", "large")
    assert told["ended_at"] >= told["created_at"]
    assert {bob.get(where).status_code, bob.delete(where).status_code} == {404}


def test_a_background_question_that_fails_says_why(ada: httpx2.Client) -> None:
    made = ada.post(URL, json={"prompt": "a", "model": "nobody", "background": True}).json()
    told = ada.get(f"{URL}/{made['id']}", params={"wait": 20}).json()
    assert (told["status"], told["error"]["code"]) == ("failed", "not_found")


def test_a_background_question_is_cancelled(served: Served, ada: httpx2.Client) -> None:
    served.vendors.fail("openai", Fault.hang(), times=1)
    made = ada.post(URL, json={"prompt": "a", "model": "large", "background": True}).json()
    until = time.monotonic() + 10
    while not served.vendors.requests and time.monotonic() < until:
        time.sleep(0.01)
    assert ada.delete(f"{URL}/{made['id']}").json()["status"] == "cancelled"
    assert served.vendors.requests[0].abandoned.wait(10)


def test_a_batch_in_the_background_gives_an_id_for_each(ada: httpx2.Client) -> None:
    requests = [{"prompt": "one"}, {"template": "nothing"}, {"prompt": "two"}]
    answer = ada.post(f"{URL}/batch", json={"requests": requests, "background": True})
    told = answer.json()["results"]
    assert answer.status_code == 202
    assert told[1]["status"] == "failed"
    for each in (told[0], told[2]):
        assert ada.get(f"{URL}/{each['id']}", params={"wait": 20}).json()["status"] == "completed"


def test_what_was_answered_at_once_is_found_by_its_call_id_without_its_text(
    ada: httpx2.Client, bob: httpx2.Client
) -> None:
    made = ada.post(URL, json={"prompt": "a"}).json()
    told = ada.get(f"{URL}/{made['call_id']}").json()
    assert (told["status"], told["text"], told["model"]) == ("completed", None, made["model"])
    assert told["usage"] == made["usage"]
    assert bob.get(f"{URL}/{made['call_id']}").status_code == 404
    assert bob.get(f"{URL}/{NOBODYS}").status_code == 404


def test_who_may_not_chat_may_not_generate(reader: httpx2.Client) -> None:
    for path in ("", "/stream", "/batch"):
        body = {"requests": [{"prompt": "a"}]} if path == "/batch" else {"prompt": "a"}
        assert reader.post(URL + path, json=body).status_code == 403
    assert reader.get(f"{URL}/{NOBODYS}").status_code == 403


def test_a_used_up_limit_is_429_and_says_when_to_come_back(served: Served, bob: httpx2.Client) -> None:
    served.run(served.tk.limits.set("user", "bob", rpm=1))
    try:
        answers = [bob.post(URL, json={"prompt": "a"}) for _ in range(2)]
        left = bob.get("/api/v1/rate_limits").json()["limits"]
    finally:
        served.run(served.tk.limits.remove("user", "bob"))
    assert [each.status_code for each in answers] == [200, 429]
    assert answers[0].headers["x-ratelimit-remaining-requests"] == "0"
    assert int(answers[1].headers["retry-after"]) >= 1
    [limit] = [each for each in left if each["kind"] == "user"]
    assert (limit["name"], limit["unit"], limit["limit"]) == ("bob", "requests", 1)
    assert limit["left"] < 1

"""Sessions over HTTP."""

from typing import Any

import httpx2
import pytest

from tests.mcp_server.inside import Served

NOBODYS = "0199c7a0-1c1e-7b60-8000-6f2b1b7d9a55"
DAY = 86_400


@pytest.fixture
def session(ada: httpx2.Client) -> str:
    answer = ada.post("/v1/sessions", json={"ttl_seconds": 3600, "context": {"project": "docs"}})
    assert answer.status_code == 201, answer.text
    made: str = answer.json()["id"]
    return made


def test_a_session_is_begun_with_its_time_and_context_and_is_read_as_it_was_begun(ada: httpx2.Client) -> None:
    made = ada.post(
        "/v1/sessions",
        json={"ttl_seconds": 300, "context": {"prefs": {"lang": "en"}, "n": [1, 2]}, "title": "Breakers"},
        headers={"X-Origin": "my-app"},
    ).json()
    assert made["context"] == {"prefs": {"lang": "en"}, "n": [1, 2]}
    assert (made["ttl_seconds"], made["title"], made["user"], made["origin"]) == (300, "Breakers", "ada", "my-app")
    assert ada.get(f"/v1/sessions/{made['id']}").json() == made


def test_a_session_needs_no_body(ada: httpx2.Client) -> None:
    assert ada.post("/v1/sessions").json()["ttl_seconds"] == DAY


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"ttl_seconds": 0}, "ttl_seconds"),
        ({"ttl_seconds": 10**12}, "ttl_seconds"),
        ({"ttl_seconds": "soon"}, "ttl_seconds"),
        ({"ttl": 60}, "ttl"),
        ({"context": []}, "context"),
        ({"context": {"a": "\0"}}, "context"),
        ({"context": {"a": 2**70}}, "context"),
        ({"title": "x" * 501}, "title"),
        ({"title": "\0"}, "title"),
    ],
)
def test_a_field_that_cannot_be_used_is_422_and_named(ada: httpx2.Client, body: dict[str, Any], param: str) -> None:
    answer = ada.post("/v1/sessions", json=body)
    assert answer.status_code == 422
    assert answer.json()["error"]["param"] == param
    assert param in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    "body", [b'{"context": {"a": "\\ud800"}}', b'{"context": {"a": NaN}}', b'{"title": "\\ud800"}']
)
def test_what_json_cannot_say_again_is_422(ada: httpx2.Client, body: bytes) -> None:
    assert ada.post("/v1/sessions", content=body, headers={"Content-Type": "application/json"}).status_code == 422


def test_a_context_of_any_depth_is_answered_and_too_deep_a_one_is_refused(ada: httpx2.Client) -> None:
    deep: Any = {}
    for _ in range(25):
        deep = {"a": deep}
    assert ada.post("/v1/sessions", json={"context": deep}).status_code == 201
    for _ in range(300):
        deep = {"a": deep}
    assert ada.post("/v1/sessions", json={"context": deep}).status_code == 422


def test_a_session_is_extended_from_now_on(ada: httpx2.Client, session: str) -> None:
    before = ada.get(f"/v1/sessions/{session}").json()
    after = ada.patch(f"/v1/sessions/{session}", json={"ttl_seconds": 7200}).json()
    assert after["ttl_seconds"] == 7200
    assert after["expires_at"] > before["expires_at"]
    assert after["context"] == before["context"]


def test_title_and_context_are_changed_and_an_empty_title_takes_it_away(ada: httpx2.Client, session: str) -> None:
    changed = ada.patch(f"/v1/sessions/{session}", json={"title": "Retries", "context": {"a": 1}}).json()
    assert (changed["title"], changed["context"], changed["ttl_seconds"]) == ("Retries", {"a": 1}, 3600)
    assert not ada.patch(f"/v1/sessions/{session}", json={"title": ""}).json()["title"]


def test_a_change_of_nothing_is_422(ada: httpx2.Client, session: str) -> None:
    assert ada.patch(f"/v1/sessions/{session}", json={}).status_code == 422


def test_what_was_said_is_read_in_pages_oldest_first(ada: httpx2.Client, session: str) -> None:
    for said in ("one", "two"):
        assert ada.post("/api/v1/generate", json={"prompt": said, "session_id": session}).status_code == 200
    first = ada.get(f"/v1/sessions/{session}/messages", params={"limit": 3}).json()
    assert [(m["position"], m["role"]) for m in first["messages"]] == [(1, "user"), (2, "assistant"), (3, "user")]
    assert [m["content"] for m in first["messages"]][::2] == ["one", "two"]
    rest = ada.get(f"/v1/sessions/{session}/messages", params={"cursor": first["cursor"]}).json()
    assert [m["position"] for m in rest["messages"]] == [4]
    assert rest["cursor"] is None


def test_a_fork_has_the_beginning_and_the_other_stays(ada: httpx2.Client, session: str) -> None:
    ada.post("/api/v1/generate", json={"prompt": "one", "session_id": session})
    fork = ada.post(f"/v1/sessions/{session}/fork", json={"at": 1})
    assert fork.status_code == 201
    assert (fork.json()["parent_id"], fork.json()["parent_at"]) == (session, 1)
    assert len(ada.get(f"/v1/sessions/{fork.json()['id']}/messages").json()["messages"]) == 1
    assert len(ada.get(f"/v1/sessions/{session}/messages").json()["messages"]) == 2
    assert ada.post(f"/v1/sessions/{session}/fork").json()["parent_at"] == 2
    assert ada.post(f"/v1/sessions/{session}/fork", json={"at": 9}).status_code == 400


def test_the_list_goes_on_behind_its_cursor_and_has_each_session_once(root: httpx2.Client) -> None:
    headers = {"X-User-Id": "lister"}
    made = [root.post("/v1/sessions", json={"title": f"n{n}"}, headers=headers).json()["id"] for n in range(5)]
    found, cursor = [], None
    while True:
        params = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = root.get("/v1/sessions", params=params, headers=headers).json()
        found += [each["id"] for each in page["sessions"]]
        if not (cursor := page["cursor"]):
            break
    assert found == made[::-1]
    only = root.get("/v1/sessions", params={"search": "n3"}, headers=headers).json()["sessions"]
    assert [each["title"] for each in only] == ["n3"]


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 201}, {"cursor": "\0"}, {"search": ""}])
def test_a_list_that_cannot_be_asked_for_is_422(ada: httpx2.Client, params: dict[str, Any]) -> None:
    assert ada.get("/v1/sessions", params=params).status_code == 422


def test_a_cursor_of_somebody_else_is_400(ada: httpx2.Client) -> None:
    assert ada.get("/v1/sessions", params={"cursor": "tomorrow"}).status_code == 400


def test_a_deleted_session_is_gone(ada: httpx2.Client, session: str) -> None:
    assert ada.delete(f"/v1/sessions/{session}").json() == {"id": session, "deleted": True}
    assert ada.get(f"/v1/sessions/{session}").status_code == 404
    assert ada.delete(f"/v1/sessions/{session}").status_code == 404


def test_an_expired_session_is_404_and_says_so(served: Served, ada: httpx2.Client, session: str) -> None:
    served.run(served.tk.db.execute("UPDATE sessions SET expires_at = created_at WHERE id = :id", id=session))
    for answer in (
        ada.get(f"/v1/sessions/{session}"),
        ada.get(f"/v1/sessions/{session}/messages"),
        ada.patch(f"/v1/sessions/{session}", json={"ttl_seconds": 60}),
        ada.post("/api/v1/generate", json={"prompt": "x", "session_id": session}),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "session_expired")


@pytest.mark.parametrize("session_id", [NOBODYS, "no-id", "%00", "x" * 200])
def test_an_unknown_session_is_404(ada: httpx2.Client, session_id: str) -> None:
    expected = 422 if session_id == "%00" else 404
    assert ada.get(f"/v1/sessions/{session_id}").status_code == expected


def test_another_users_session_is_as_good_as_none(ada: httpx2.Client, bob: httpx2.Client, session: str) -> None:
    refused = [
        bob.get(f"/v1/sessions/{session}"),
        bob.get(f"/v1/sessions/{session}/messages"),
        bob.patch(f"/v1/sessions/{session}", json={"ttl_seconds": 60}),
        bob.patch(f"/v1/sessions/{session}", json={"title": "mine"}),
        bob.post(f"/v1/sessions/{session}/fork"),
        bob.delete(f"/v1/sessions/{session}"),
        bob.post("/api/v1/generate", json={"prompt": "x", "session_id": session}),
        bob.post("/api/v1/generate/stream", json={"prompt": "x", "session_id": session}),
        bob.post("/v1/tools/execute", json={"name": "list_collections", "session_id": session}),
    ]
    assert {answer.status_code for answer in refused} == {404}
    assert session not in {each["id"] for each in bob.get("/v1/sessions", params={"limit": 200}).json()["sessions"]}
    assert ada.get(f"/v1/sessions/{session}").json()["title"] is None
    told = bob.get(f"/v1/sessions/{session}").json()["error"]["message"].replace(session, "")
    assert told == bob.get(f"/v1/sessions/{NOBODYS}").json()["error"]["message"].replace(NOBODYS, "")


def test_a_header_cannot_make_anybody_somebody_else(bob: httpx2.Client, session: str) -> None:
    assert bob.get(f"/v1/sessions/{session}", headers={"X-User-Id": "ada"}).status_code == 404


def test_without_a_key_it_is_401_and_without_the_scope_403(served: Served, reader: httpx2.Client) -> None:
    nobody = httpx2.post(f"{served.url}/v1/sessions", json={})
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (401, "missing_api_key")
    lacking = reader.post("/v1/sessions", json={})
    assert (lacking.status_code, lacking.json()["error"]["code"]) == (403, "missing_scope")

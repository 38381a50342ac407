"""Documents over HTTP: taken in, searched, answered from, deleted."""

import json
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.mcp_server.inside import Served

TEXT = "# Circuit breakers\n\nA breaker opens after five failures in a row, and is half-open after thirty seconds."


GUIDE = {"text": TEXT, "title": "Breaker guide", "collection": "manual", "metadata": {"lang": "en", "year": 2026}}


@pytest.fixture(scope="module", autouse=True)
def breakers(ada: httpx2.Client) -> dict[str, Any]:
    answer = ada.post("/v1/documents", json=GUIDE)
    assert answer.status_code == 201, answer.text
    done: dict[str, Any] = answer.json()
    return done


def documents(client: httpx2.Client, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get("/v1/documents", params=params).json()["documents"]
    return found


def test_a_text_is_taken_in_once(ada: httpx2.Client, breakers: dict[str, Any]) -> None:
    assert (breakers["added"], breakers["documents"], breakers["collection"]) == (1, 1, "manual")
    again = ada.post("/v1/documents", json=GUIDE).json()
    assert (again["added"], again["unchanged"]) == (0, 1)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": "a", "path": "/b"},
        {"text": ""},
        {"text": "a", "file": "b"},
        {"url": "ftp://example.org/a"},
        {"url": "file:///etc/passwd"},
        {"url": "https://example.org", "title": "mine"},
        {"text": "a", "collection": ""},
    ],
)
def test_what_is_no_document_is_422(ada: httpx2.Client, body: dict[str, Any]) -> None:
    assert ada.post("/v1/documents", json=body).status_code == 422


def test_a_path_of_the_server_needs_admin(ada: httpx2.Client, root: httpx2.Client, tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# Owls\n\nOwls hunt at night.", encoding="utf-8")
    assert ada.post("/v1/documents", json={"path": str(tmp_path)}).status_code == 403
    done = root.post("/v1/documents", json={"path": str(tmp_path), "collection": "birds"})
    assert (done.status_code, done.json()["added"]) == (201, 1)


def test_an_address_of_this_machine_is_not_fetched_for_a_client(served: Served, ada: httpx2.Client) -> None:
    answer = ada.post("/v1/documents", json={"url": f"{served.url}/health"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "unreadable_document")


def test_a_document_is_listed_read_and_deleted(ada: httpx2.Client) -> None:
    ada.post("/v1/documents", json={"text": "Bread needs yeast.", "title": "Bread", "collection": "kitchen"})
    [found] = documents(ada, matching="bread")
    assert (found["title"], found["collection"]) == ("Bread", "kitchen")
    assert ada.get(f"/v1/documents/{found['id']}").json()["text"] == "Bread needs yeast."
    assert ada.delete(f"/v1/documents/{found['id']}").json() == {"id": found["id"], "deleted": True}
    assert not documents(ada, matching="bread")
    for gone in (ada.get(f"/v1/documents/{found['id']}"), ada.delete(f"/v1/documents/{found['id']}")):
        assert gone.status_code == 404


def test_the_list_goes_on_behind_its_cursor(bob: httpx2.Client) -> None:
    for n in range(3):
        bob.post("/v1/documents", json={"text": f"Number {n}.", "title": f"page-{n}", "collection": "pages"})
    first = bob.get("/v1/documents", params={"limit": 2, "matching": "page-"}).json()
    rest = bob.get("/v1/documents", params={"limit": 2, "matching": "page-", "cursor": first["cursor"]}).json()
    assert [each["title"] for each in (*first["documents"], *rest["documents"])] == ["page-2", "page-1", "page-0"]
    assert rest["cursor"] is None
    assert bob.get("/v1/documents", params={"cursor": "x"}).status_code == 400


def test_a_hit_says_where_it_stands_and_why(ada: httpx2.Client) -> None:
    found = ada.post("/v1/search", json={"query": "when does a breaker open", "collection": "manual"}).json()
    hit = found["hits"][0]
    assert (hit["source"], hit["collection"], hit["score"]) == ("Breaker guide", "manual", 1.0)
    assert "five failures" in hit["text"]
    assert hit["metadata"] == {"lang": "en", "year": 2026}
    assert hit["lines"][0] >= 1
    marked = {hit["text"][start:end] for start, end in hit["highlights"]}
    assert "breaker" in {word.lower() for word in marked}


def test_a_search_is_narrowed_by_what_the_documents_say_of_themselves(ada: httpx2.Client) -> None:
    wanted = {"query": "breaker", "collection": ["manual"], "where": {"year": {"$gte": 2027}}}
    assert ada.post("/v1/search", json=wanted).json()["hits"] == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"query": ""}, 422),
        ({"query": "a", "top_k": 0}, 422),
        ({"query": "a", "top_k": 101}, 422),
        ({"query": "a", "mode": "magic"}, 422),
        ({"query": "a", "k": 1}, 422),
        ({"query": "a", "where": {"a\0": 1}}, 422),
        ({"query": "a", "where": {"$no": 1}}, 400),
        ({"query": "a", "cursor": "x"}, 400),
        ({"query": "breaker", "collection": "nowhere"}, 404),
    ],
)
def test_a_search_that_cannot_be_made_says_why(ada: httpx2.Client, body: dict[str, Any], status: int) -> None:
    assert ada.post("/v1/search", json=body).status_code == status


def test_a_search_that_asks_a_model_needs_the_scope_for_it(reader: httpx2.Client) -> None:
    assert reader.post("/v1/search", json={"query": "a", "rewrite": True}).status_code == 403


def test_another_users_documents_are_as_good_as_none(ada: httpx2.Client, bob: httpx2.Client) -> None:
    [mine] = documents(ada, matching="Breaker guide")
    assert not documents(bob, matching="Breaker guide")
    assert bob.get(f"/v1/documents/{mine['id']}").status_code == 404
    assert bob.delete(f"/v1/documents/{mine['id']}").status_code == 404
    assert bob.post("/v1/search", json={"query": "breaker", "collection": "manual"}).status_code == 404
    own = {each["name"]: each["owner"] for each in ada.get("/v1/collections").json()["collections"]}
    assert own["manual"] == "ada"
    assert "ada" not in {each["owner"] for each in bob.get("/v1/collections").json()["collections"]}


def test_who_administers_deletes_anybodys_document(bob: httpx2.Client, root: httpx2.Client) -> None:
    bob.post("/v1/documents", json={"text": "Something rude.", "title": "rude", "collection": "bobs"})
    [found] = documents(bob, matching="rude")
    assert root.delete(f"/v1/documents/{found['id']}").status_code == 200
    assert not documents(bob, matching="rude")


def test_an_answer_cites_the_passages_that_it_rests_on(served: Served, ada: httpx2.Client) -> None:
    served.vendors.say("A breaker opens after five failures in a row [1].")
    answer = ada.post("/v1/answer", json={"question": "When does a breaker open?", "collection": "manual"}).json()
    assert answer["answer"] == "A breaker opens after five failures in a row [1]."
    assert answer["found"]
    assert [(cited["number"], cited["source"]) for cited in answer["citations"]] == [(1, "Breaker guide")]
    assert answer["unsupported"] == []
    assert (answer["model"], answer["attempts"][-1]["provider"]) == ("large", "openai")
    assert answer["usage"]["total_tokens"] > 0


def test_an_answer_comes_piece_by_piece(served: Served, ada: httpx2.Client) -> None:
    served.vendors.say("After five failures [1].")
    wanted = {"question": "When does a breaker open?", "collection": "manual", "stream": True}
    with ada.stream("POST", "/v1/answer", json=wanted) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        events = [each.split("\n") for each in answer.read().decode().split("\n\n") if each]
    kinds = [each[0].removeprefix("event: ") for each in events]
    said = [json.loads(each[1].removeprefix("data: ")) for each in events]
    assert kinds[0] == "delta"
    assert kinds[-1] == "answer"
    assert "".join(each["text"] for each in said[:-1]) == said[-1]["answer"] == "After five failures [1]."


def test_an_answer_is_kept_in_the_session_that_is_named(ada: httpx2.Client) -> None:
    session = ada.post("/v1/sessions", json={}).json()["id"]
    ada.post("/v1/answer", json={"question": "When?", "collection": "manual", "session_id": session})
    assert ada.get(f"/v1/sessions/{session}/messages").json()["messages"][0]["content"] == "When?"


def test_an_answer_needs_both_scopes_and_a_question(ada: httpx2.Client, reader: httpx2.Client) -> None:
    assert reader.post("/v1/answer", json={"question": "?"}).status_code == 403
    assert ada.post("/v1/answer", json={"question": ""}).status_code == 422
    assert ada.post("/v1/answer", json={"question": "a", "collection": "nowhere"}).status_code == 404

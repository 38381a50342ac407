"""Tools over HTTP, and the clients of other gateways that call them."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.mcp_server.inside import Served

GUIDE = "# Circuit breakers\n\nA breaker opens after repeated failure, and is half-open after a pause."


@pytest.fixture(scope="module", autouse=True)
def _handbook(keyed: tuple[Served, dict[str, str]]) -> None:
    served = keyed[0]

    async def moody(mood: str) -> dict[str, Any]:
        """Do as the mood is."""
        if mood == "bad":
            raise RuntimeError("out of order")
        return {"half": "\ud83d", "nul": "\0", "mood": mood}

    served.tk.tools.add(moody)
    served.tk.tools.add(moody, name="wipe", destructive=True)
    served.run(served.tk.ingest(served_document(), collection="handbook"))


def served_document() -> Any:
    from toolkit.search.documents import Document  # noqa: PLC0415 - numpy comes with its neighbours

    return Document("breakers.md", GUIDE, title="Breakers", kind="markdown")


def execute(client: httpx2.Client, name: str, **arguments: Any) -> httpx2.Response:
    return client.post("/v1/tools/execute", json={"name": name, "arguments": arguments})


def test_every_tool_is_listed_with_its_schema_and_what_it_takes(ada: httpx2.Client) -> None:
    tools = {tool["name"]: tool for tool in ada.get("/v1/tools").json()["tools"]}
    assert tools["semantic_search"]["parameters"]["required"] == ["query"]
    assert tools["semantic_search"]["scopes"] == ["search"]
    assert tools["delete_document"]["scopes"] == ["admin"]
    assert tools["moody"]["parameters"]["properties"]["mood"]["type"] == "string"
    assert {"get_chunk", "review_code", "analyze_architecture", "generate_docs"} <= tools.keys()


def test_a_tool_is_called_and_gives_its_structure(ada: httpx2.Client) -> None:
    answer = execute(ada, "list_collections")
    assert answer.status_code == 200
    assert answer.json()["success"] is True
    assert "handbook" in {each["name"] for each in answer.json()["result"]["collections"]}


def test_a_tool_that_fails_says_why_to_a_model(ada: httpx2.Client) -> None:
    answer = execute(ada, "moody", mood="bad")
    assert answer.status_code == 200
    assert answer.json() == {"success": False, "error": "moody failed: RuntimeError: out of order"}


def test_arguments_that_do_not_fit_are_named(ada: httpx2.Client) -> None:
    answer = execute(ada, "moody", temper="bad").json()
    assert answer["success"] is False
    assert "temper" in answer["error"]


def test_whatever_a_tool_says_arrives(ada: httpx2.Client) -> None:
    answer = execute(ada, "moody", mood="good")
    assert answer.json()["result"] == {"half": "\ud83d", "nul": "\0", "mood": "good"}


def test_an_unknown_tool_is_404_and_names_the_nearest(ada: httpx2.Client) -> None:
    answer = execute(ada, "semantic_serch")
    assert answer.status_code == 404
    assert answer.json()["success"] is False
    assert "semantic_search" in answer.json()["error"]


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "moody", "arguments": []}, {"name": "moody", "args": {}}])
def test_a_call_that_is_none_is_422(ada: httpx2.Client, body: dict[str, Any]) -> None:
    assert ada.post("/v1/tools/execute", json=body).status_code == 422


@pytest.mark.parametrize(
    ("who", "name", "arguments", "scope"),
    [
        ("reader", "moody", {"mood": "good"}, "chat"),
        ("reader", "ask", {"question": "?"}, "chat"),
        ("ada", "wipe", {"mood": "good"}, "admin"),
        ("ada", "delete_collection", {"collection": "handbook"}, "admin"),
        ("ada", "ingest", {"path": "/etc"}, "admin"),
        ("ada", "usage_report", {}, "admin"),
    ],
)
def test_a_tool_needs_the_scopes_that_it_needs_over_mcp(
    people: dict[str, httpx2.Client], who: str, name: str, arguments: dict[str, Any], scope: str
) -> None:
    answer = execute(people[who], name, **arguments)
    assert answer.status_code == 403
    assert answer.json()["success"] is False
    assert f"needs the scope {scope}" in answer.json()["error"]


def test_who_may_do_more_may_call_more(root: httpx2.Client, reader: httpx2.Client) -> None:
    assert execute(root, "wipe", mood="good").json()["success"]
    assert execute(reader, "semantic_search", query="breaker").json()["success"]


def test_a_tool_sees_whats_the_callers_only(ada: httpx2.Client, bob: httpx2.Client) -> None:
    made = execute(ada, "create_session", title="mine").json()["result"]["id"]
    assert execute(ada, "get_session", session=made).json()["success"]
    assert not execute(bob, "get_session", session=made).json()["success"]


def test_a_call_is_in_the_ledger_with_who_made_it(served: Served, bob: httpx2.Client) -> None:
    bob.post("/v1/tools/execute", json={"name": "moody", "arguments": {"mood": "good"}}, headers={"X-Origin": "robot"})
    last = served.run(served.tk.usage.tool_calls(limit=1))[0]
    assert (last.tool, last.user, last.origin) == ("moody", "bob", "robot")


class RagClient:
    """As clients of other gateways are written: a search by a tool, whose chunks go into a chat as its context."""

    def __init__(self, client: httpx2.Client) -> None:
        self._client = client

    def search(self, query: str, top_k: int = 5) -> list[dict[str, Any]]:
        answer = execute(self._client, "semantic_search", query=query, top_k=top_k).json()
        return answer["result"].get("chunks", []) if answer["success"] else []

    def context(self, chunks: list[dict[str, Any]]) -> str:
        return "\n\n".join(
            f"[Source: {c.get('metadata', {}).get('source', 'unknown')}]\n{c['content']}" for c in chunks
        )


def test_a_client_of_another_gateway_finds_whole_chunks_with_their_sources(ada: httpx2.Client) -> None:
    client = RagClient(ada)
    context = client.context(client.search("How does a circuit breaker open?"))
    assert context.startswith("[Source: breakers.md]\n")
    assert "half-open after a pause" in context


def test_the_hits_stay_as_they_are_beside_the_chunks_and_a_chunk_reads_likewise(ada: httpx2.Client) -> None:
    result = execute(ada, "semantic_search", query="breaker", source="breakers.md", response_format="concise").json()[
        "result"
    ]
    [hit], [chunk] = result["hits"], result["chunks"]
    assert chunk["chunk_id"] == hit["chunk_id"]
    assert chunk["score"] == hit["score"] == 1.0
    [read] = execute(ada, "get_chunk", chunk_id=hit["chunk_id"]).json()["result"]["chunks"]
    assert read["content"] == read["text"]
    assert read["metadata"]["source"] == "breakers.md"


def test_nothing_of_the_servers_files_is_read_for_who_may_not(ada: httpx2.Client, tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("TOKEN = 'swordfish'", encoding="utf-8")
    answer = execute(ada, "review_code", path=str(secret))
    assert answer.status_code == 403
    assert "swordfish" not in answer.text

"""The documentation of the routes, and the routes held to it."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

import toolkit
from tests.mcp_server.inside import Served

ROOT = Path(__file__).parents[3]
OURS = {"Sessions", "Tools", "Documents", "Generations", "Models", "Usage", "Events"}


@pytest.fixture(scope="module")
def document(keyed: tuple[Served, dict[str, str]]) -> dict[str, Any]:
    """OpenAPI's, as somebody without a key reads it."""
    answer = httpx2.get(f"{keyed[0].url}/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if OURS & set(operation["tags"]):
                yield f"{method.upper()} {path}", operation


def test_it_is_of_openapi_3_1_and_says_who_it_is_and_how_to_prove_who_one_is(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert (document["info"]["title"], document["info"]["version"]) == ("Toolkit", toolkit.__version__)
    assert document["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"
    assert document["security"] == [{"bearer": []}, {}]
    assert {tag["name"] for tag in document["tags"] if tag.get("description")} >= OURS


def test_every_route_of_the_contract_is_there(document: dict[str, Any]) -> None:
    there = {name for name, _ in operations(document)}
    wanted = """
        POST /v1/sessions
        GET /v1/sessions
        GET /v1/sessions/{session_id}
        PATCH /v1/sessions/{session_id}
        DELETE /v1/sessions/{session_id}
        GET /v1/sessions/{session_id}/messages
        GET /v1/tools
        POST /v1/tools/execute
        POST /v1/search
        POST /v1/answer
        POST /v1/documents
        GET /v1/collections
        POST /api/v1/generate
        POST /api/v1/generate/stream
        POST /api/v1/generate/batch
        GET /api/v1/generate/{request_id}
        GET /api/v1/models
        GET /api/v1/models/{model_id}
        POST /api/v1/models/select
        GET /api/v1/usage
        GET /api/v1/usage/{user_id}
        GET /api/v1/rate_limits
        POST /api/v1/events
    """
    assert {line.strip() for line in wanted.strip().splitlines()} <= there


def test_every_operation_says_what_it_does_and_how_it_refuses(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        refused = operation["responses"]["default"]["content"]["application/json"]["schema"]
        assert refused == {"$ref": "#/components/schemas/Refused"}, name
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), f"{name}: {parameter['name']}"


def test_every_field_has_a_description_and_an_example(document: dict[str, Any]) -> None:
    schemas, seen = document["components"]["schemas"], set()
    waiting = [name for _, operation in operations(document) for name in refs(operation)]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        assert schemas[name].get("description"), name
        for field, schema in schemas[name]["properties"].items():
            assert schema.get("description"), f"{name}.{field}"
            assert "examples" in schema, f"{name}.{field}"
        waiting += refs(schemas[name])
    assert {"NewSession", "Generate", "GenerationTold", "AttemptTold", "Search", "Refused", "ErrorTold"} <= seen


def refs(part: Any) -> list[str]:
    return re.findall(r"'#/components/schemas/([^']+)'", str(part))


def test_the_page_needs_nothing_from_elsewhere_and_is_served_without_a_key(served: Served) -> None:
    page = httpx2.get(f"{served.url}/docs")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "://" not in page.text
    files = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(files) == 5
    for file in files:
        answer = httpx2.get(f"{served.url}/{file}")
        assert answer.status_code == 200, file
        assert answer.content
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert httpx2.get(f"{served.url}/docs/..%2F..%2Fetc%2Fpasswd").status_code in (404, 422)


def test_the_page_may_run_its_own_files_only(served: Served) -> None:
    policy = httpx2.get(f"{served.url}/docs").headers["content-security-policy"]
    said = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert said["default-src"] == "'none'"
    assert said["script-src"] == said["connect-src"] == "'self'"
    assert said["frame-ancestors"] == "'none'"
    assert "<script>" not in httpx2.get(f"{served.url}/docs").text


EXAMPLES = re.findall(r"^\$ curl (.*)$", (ROOT / "docs" / "rest.md").read_text(encoding="utf-8"), flags=re.MULTILINE)


def test_the_guide_has_examples() -> None:
    assert len(EXAMPLES) >= 15


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_guide_is_answered(root: httpx2.Client, example: str) -> None:
    words = [word for word in shlex.split(example) if word not in ("-N", "-H", "Content-Type: application/json")]
    where = words.pop(0).removeprefix("localhost:8080")
    method = "POST" if words else "GET"
    body = words[1] if words else None
    with root.stream(method, where, content=body, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status_code in (200, 201, 202), answer.read()

"""The models over HTTP, and what they cost."""

from typing import Any

import httpx2
import pytest

URL = "/api/v1/models"


def test_the_models_are_listed_with_what_is_known_of_them_and_without_their_keys(ada: httpx2.Client) -> None:
    answer = ada.get(URL)
    large, small = answer.json()["models"]
    assert (large["name"], large["provider"], large["priority"]) == ("large", "openai", 10)
    assert large["context_window"] > 100_000
    assert large["vision"]
    assert large["input_usd_per_million"] > 0
    assert small["provider"] == "anthropic"
    assert "API_KEY" not in answer.text
    assert "127.0.0.1" not in answer.text


def test_the_list_is_narrowed(ada: httpx2.Client) -> None:
    assert [m["name"] for m in ada.get(URL, params={"provider": "anthropic"}).json()["models"]] == ["small"]
    assert ada.get(URL, params={"enabled": False}).json()["models"] == []
    assert ada.get(URL, params={"enabled": "maybe"}).status_code == 422


def test_a_model_is_read_by_name_by_id_and_as_its_vendor_calls_it(ada: httpx2.Client) -> None:
    by_name = ada.get(f"{URL}/large").json()
    assert ada.get(f"{URL}/{by_name['id']}").json() == by_name
    unlisted = ada.get(f"{URL}/openai/gpt-4o-mini").json()
    assert (unlisted["provider"], unlisted["model"], unlisted["created_at"]) == ("openai", "gpt-4o-mini", None)
    unknown = ada.get(f"{URL}/larg")
    assert unknown.status_code == 404
    assert "large" in unknown.json()["error"]["message"]


def test_the_model_that_suits_is_found(ada: httpx2.Client) -> None:
    told = ada.post(f"{URL}/select", json={"requirements": {"vision": True, "prefer": "cheapest"}}).json()
    assert told["selected"] == told["models"][0]
    assert told["selected"]["name"] == "small"
    assert (
        ada.post(f"{URL}/select", json={"requirements": {"provider": "openai"}}).json()["selected"]["name"] == "large"
    )
    nobody = ada.post(f"{URL}/select", json={"requirements": {"context_window": 10**9}}).json()
    assert nobody == {"selected": None, "models": []}


@pytest.mark.parametrize(
    ("requirements", "status"),
    [
        ({"wings": True}, 422),
        ({"vision": "much"}, 422),
        ({"prefer": "newest"}, 422),
        ({"context_window": 0}, 422),
        ({"cheapest": True, "fastest": True}, 400),
    ],
)
def test_a_requirement_that_there_is_not_says_so(ada: httpx2.Client, requirements: dict[str, Any], status: int) -> None:
    assert ada.post(f"{URL}/select", json={"requirements": requirements}).status_code == status


@pytest.fixture(scope="module")
def used(root: httpx2.Client) -> None:
    """Two users have asked once each."""
    for user in ("carl", "dora"):
        body = {"prompt": "a", "model": "small"}
        assert root.post("/api/v1/generate", json=body, headers={"X-User-Id": user}).status_code == 200


@pytest.mark.usefixtures("used")
def test_everybody_reads_their_own_figures_and_who_administers_everyones(
    root: httpx2.Client, reader: httpx2.Client
) -> None:
    carl = root.get("/api/v1/usage", headers={"X-User-Id": "carl"}).json()
    assert (carl["user"], carl["calls"], carl["answers"]) == ("carl", 1, 1)
    assert carl == root.get("/api/v1/usage/carl").json()
    assert [row["key"] for row in carl["rows"]] == ["small"]
    everyone = root.get("/api/v1/usage", params={"by": "user", "days": 1}).json()
    assert everyone["user"] is None
    assert {"carl", "dora"} <= {row["key"] for row in everyone["rows"]}
    own = reader.get("/api/v1/usage", headers={"X-User-Id": "carl"}).json()
    assert (own["user"], own["calls"]) == ("reader", 0)


@pytest.mark.usefixtures("used")
def test_anybody_elses_figures_need_admin(ada: httpx2.Client) -> None:
    assert ada.get("/api/v1/usage/ada").status_code == 200
    refused = ada.get("/api/v1/usage/carl")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "missing_scope")


@pytest.mark.parametrize("params", [{"days": 0}, {"days": 4000}, {"by": "mood"}, {"days": "all"}])
def test_figures_that_there_are_not_are_422(ada: httpx2.Client, params: dict[str, Any]) -> None:
    assert ada.get("/api/v1/usage", params=params).status_code == 422


def test_without_a_limit_the_list_is_empty(ada: httpx2.Client) -> None:
    assert ada.get("/api/v1/rate_limits").json() == {"limits": []}

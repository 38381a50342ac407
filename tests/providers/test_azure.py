"""Azure: two forms of address, deployments' names, keys and tokens."""

import json
from typing import Any

import httpx2
import pytest

from tests.providers.conftest import HELLO, KEY, LONG
from toolkit import providers
from toolkit.errors import AuthenticationFailed, ConfigError, ContentRefused, ModelNotFound
from toolkit.messages import ChatRequest
from toolkit.providers.azure import connect
from toolkit.providers.wire.either import structured
from toolkit.testing.vendors import Fault, VendorServer

LIMITED = ChatRequest(HELLO.messages, temperature=0.2, max_tokens=9)


async def asked(auth: dict[str, str], config: dict[str, Any], *, request: ChatRequest = HELLO) -> httpx2.Request:
    """The HTTP request that the SDK sends for `request` to the deployment `my-gpt`."""
    provider = connect(auth, config)
    requests: list[httpx2.Request] = []

    async def keep(request: httpx2.Request) -> None:
        requests.append(request)

    client: Any = provider.wire("my-gpt")._connection._client
    client._client.event_hooks["request"].append(keep)
    try:
        await provider.complete(request, "my-gpt", timeout=LONG)
    finally:
        await provider.close()
    return requests[0]


@pytest.mark.parametrize(
    "tail", ["", "/", "/openai", "/openai/", "/openai/deployments/x/chat/completions?api-version=1"]
)
async def test_with_a_version_a_deployment_is_asked_at_its_own_path(vendors: VendorServer, tail: str) -> None:
    auth = {"endpoint": vendors.url("azure") + tail, "api_key": KEY, "api_version": "2024-10-21"}
    request = await asked(auth, {})
    assert request.url.path == "/azure/openai/deployments/my-gpt/chat/completions"
    assert request.url.params["api-version"] == "2024-10-21"
    assert request.headers["api-key"] == KEY
    assert "authorization" not in request.headers


@pytest.mark.parametrize("tail", ["", "/openai", "/openai/v1", "/openai/v1/"])
async def test_without_a_version_a_deployment_is_asked_at_the_address_that_has_none(
    vendors: VendorServer, tail: str
) -> None:
    request = await asked({"endpoint": vendors.url("azure") + tail, "api_key": KEY}, {})
    assert request.url.path == "/azure/openai/v1/chat/completions"
    assert "api-version" not in request.url.params
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert vendors.requests[0].body["model"] == "my-gpt"


@pytest.mark.parametrize("config", [{"base_url": "/openai/v1"}, {"api_version": "v1"}, {"api_version": "preview"}])
async def test_a_row_can_ask_for_the_address_without_versions_where_a_variable_names_one(
    vendors: VendorServer, config: dict[str, str]
) -> None:
    url = vendors.url("azure") + config.pop("base_url", "")
    request = await asked({"api_key": KEY, "openai_api_version": "2024-10-21"}, {"base_url": url, **config})
    assert request.url.path == "/azure/openai/v1/chat/completions"


async def test_azures_own_variable_for_the_version_wins_and_a_row_wins_over_both(vendors: VendorServer) -> None:
    auth = {"endpoint": vendors.url("azure"), "api_key": KEY}
    both = {"api_version": "2025-01-01", "openai_api_version": "2024-10-21"}
    assert (await asked({**auth, **both}, {})).url.params["api-version"] == "2025-01-01"
    assert (await asked({**auth, **both}, {"api_version": "2024-06-01"})).url.params["api-version"] == "2024-06-01"


@pytest.mark.parametrize("version", [{}, {"api_version": "2024-10-21"}])
async def test_a_token_is_sent_as_one(vendors: VendorServer, version: dict[str, str]) -> None:
    request = await asked({"endpoint": vendors.url("azure"), "ad_token": "token", **version}, {})
    assert request.headers["authorization"] == "Bearer token"
    assert "api-key" not in request.headers


async def test_a_key_wins_over_a_token(vendors: VendorServer) -> None:
    auth = {"endpoint": vendors.url("azure"), "ad_token": "token", "api_key": KEY}
    assert (await asked(auth, {})).headers["authorization"] == f"Bearer {KEY}"
    request = await asked({**auth, "api_version": "2024-10-21"}, {})
    assert (request.headers["api-key"], "authorization" in request.headers) == (KEY, False)


@pytest.mark.parametrize(
    ("version", "limit"),
    [("", "max_completion_tokens"), ("2024-10-21", "max_completion_tokens"), ("2024-06-01", "max_tokens")],
)
async def test_the_limit_is_called_what_the_version_calls_it(vendors: VendorServer, version: str, limit: str) -> None:
    auth = {"endpoint": vendors.url("azure"), "api_key": KEY, "api_version": version}
    assert json.loads((await asked(auth, {}, request=LIMITED)).content)[limit] == 9


@pytest.mark.parametrize(("version", "counts"), [("2024-10-21", True), ("2024-06-01", False)])
async def test_a_version_that_cannot_count_in_a_stream_is_not_asked_to(
    vendors: VendorServer, version: str, counts: bool
) -> None:
    provider = connect({"endpoint": vendors.url("azure"), "api_key": KEY, "api_version": version}, {})
    last = [delta async for delta in provider.stream(HELLO, "m", timeout=LONG)][-1]
    await provider.close()
    assert last.completion
    assert (last.completion.usage is not None) == counts
    assert ("stream_options" in vendors.requests[0].body) == counts


async def test_a_deployment_that_is_called_otherwise_takes_what_its_model_takes(vendors: VendorServer) -> None:
    auth = {"endpoint": vendors.url("azure"), "api_key": KEY}
    sent = json.loads((await asked(auth, {"base_model": "o3-mini"}, request=LIMITED)).content)
    assert "temperature" not in sent
    assert json.loads((await asked(auth, {}, request=LIMITED)).content)["temperature"] == 0.2


async def test_what_azures_filter_stops_is_refused_content(vendors: VendorServer) -> None:
    provider = connect({"endpoint": vendors.url("azure"), "api_key": KEY}, {})
    inner = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}}
    told = "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."
    error = {"message": told, "type": None, "param": "prompt", "code": "content_filter", "status": 400}
    vendors.fail("azure", Fault.status(400, body=json.dumps({"error": {**error, "innererror": inner}})), times=1)
    with pytest.raises(ContentRefused, match="content management policy"):
        await provider.complete(HELLO, "m", timeout=LONG)
    vendors.fail("azure", Fault.status(404, "The API deployment does not exist.", error_code="DeploymentNotFound"))
    with pytest.raises(ModelNotFound, match="deployment does not exist"):
        await provider.complete(HELLO, "m", timeout=LONG)
    await provider.close()


def test_without_an_address_or_a_key_the_variables_are_named() -> None:
    with pytest.raises(ConfigError, match="set AZURE_OPENAI_ENDPOINT"):
        connect({"api_key": KEY}, {})
    with pytest.raises(AuthenticationFailed, match="set AZURE_OPENAI_API_KEY or AZURE_OPENAI_AD_TOKEN"):
        connect({"endpoint": "https://x.openai.azure.com"}, {})


def test_the_resources_own_domain_is_no_path() -> None:
    client: Any = connect({"endpoint": "https://openai.azure.com/", "api_key": KEY}, {}).wire("m")._connection._client
    assert str(client.base_url) == "https://openai.azure.com/openai/v1/"


@pytest.mark.parametrize(
    ("model", "how"),
    [("gpt-35-turbo", "tool"), ("gpt-4", "tool"), ("gpt-4-turbo", "tool"), ("gpt-4o", "native"), ("mine", "native")],
)
def test_models_without_a_form_of_their_own_answer_by_a_tool(model: str, how: str) -> None:
    assert structured(model) == how
    assert providers.vendor("azure").structured(model) == how

"""OpenAI's embeddings, by OpenAI's own client."""

from typing import Any

import httpx2
import openai
import pytest

from tests.mcp_server.inside import Served

BUNDLED = "bundled/all-MiniLM-L6-v2"
TEXTS = ["the cat sat", "a cat was sitting"]


async def test_the_servers_own_embedder_makes_vectors_in_the_form_that_the_sdk_asks_for(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    # Without a form of its own the SDK asks for base64, and decodes it.
    packed = await client.embeddings.create(model="default", input=TEXTS)
    plain = await client.embeddings.create(model=BUNDLED, input=TEXTS, encoding_format="float")
    assert packed.model == plain.model == BUNDLED
    assert [each.index for each in packed.data] == [0, 1]
    for one, other in zip(packed.data, plain.data, strict=True):
        assert len(one.embedding) == len(other.embedding) == 384
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert sum(a * b for a, b in zip(packed.data[0].embedding, packed.data[1].embedding, strict=True)) > 0.6
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0
    assert not served.vendors.requests


async def test_a_vendors_model_is_asked_by_its_name(served: Served, client: openai.AsyncOpenAI) -> None:
    answer = await client.embeddings.create(model="openai/text-embedding-3-small", input="hello")
    assert len(answer.data[0].embedding) == 16
    assert served.vendors.requests[-1].body["input"] == ["hello"]


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({"input": [1, 2, 3]}, "input", "check_embedding_ctx_length=False"),
        ({"input": [[1, 2], [3]]}, "input", "check_embedding_ctx_length=False"),
        ({"input": 5}, "input", "string"),
        ({"input": ""}, "input", "1 character"),
        ({"input": ["a", " "]}, "input.1", "pattern"),
        ({"input": []}, "input", "1 item"),
        ({"input": "a", "dimensions": 5}, "dimensions", "as many numbers"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format", "base64"),
        ({}, "input", "missing"),
    ],
)
async def test_what_cannot_be_used_is_refused_by_its_name(
    served: Served, http: httpx2.AsyncClient, body: dict[str, Any], param: str, said: str
) -> None:
    answer = await http.post("/v1/embeddings", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert said in error["message"]
    assert not served.vendors.requests


async def test_an_embedder_that_is_not_there_is_not_found(served: Served, client: openai.AsyncOpenAI) -> None:
    assert served.url
    with pytest.raises(openai.NotFoundError, match="no-such"):
        await client.embeddings.create(model="no-such", input="a")

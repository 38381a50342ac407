"""The vendors on this machine that speak OpenAI's chat completions almost as OpenAI does."""

from typing import Any

import httpx2
import pytest

from toolkit.testing.vendors import Fault, VendorServer

HI: list[dict[str, Any]] = [{"role": "user", "content": "hi there"}]
CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED: list[dict[str, Any]] = [*HI, {"role": "assistant", "content": None, "tool_calls": [CALL]}]
RESULT = {"role": "tool", "content": "x", "tool_call_id": "a"}
PICTURE = [{"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}]
CLOSED = {"type": "object", "properties": {"x": {"type": "string"}}, "required": ["x"], "additionalProperties": False}
PATHS = {
    "openai": "/v1",
    "azure": "/openai/v1",
    "google": "/v1beta/openai",
    "groq": "/openai/v1",
    "fireworks": "/inference/v1",
    "ollama": "/v1",
    "compatible": "/v1",
}


def form(**changes: Any) -> dict[str, Any]:
    schema = {"name": "x", "strict": True, "schema": CLOSED, **changes}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}


async def ask(vendor: str, **body: Any) -> httpx2.Response:
    with VendorServer() as vendors:
        async with httpx2.AsyncClient() as client:
            asked = {"model": "accounts/x/models/m", "messages": HI, **body}
            return await client.post(f"{vendors.url(vendor)}{PATHS[vendor]}/chat/completions", json=asked)


@pytest.mark.parametrize(
    ("vendor", "body", "reason"),
    [
        ("openai", form(schema={**CLOSED, "additionalProperties": True}), "additionalProperties"),
        ("openai", form(schema={**CLOSED, "properties": {"x": {}, "y": {}}}), "additionalProperties"),
        ("openai", form(schema={**CLOSED, "properties": {"x": {"type": "object"}}}), "additionalProperties"),
        ("openai", form(name="no spaces"), "response_format.json_schema.name"),
        ("openai", {"tool_choice": "required"}, "only allowed when"),
        ("openai", {"model": "o3-mini", "temperature": 0.2}, "temperature"),
        ("openai", {"model": "o3-mini", "max_tokens": 9}, "max_tokens"),
        ("google", {"seed": 1}, 'Unknown name "seed"'),
        ("google", {"messages": [*CALLED, RESULT]}, "thought_signature"),
        ("groq", {"logprobs": True}, "logprobs"),
        ("groq", {"messages": [{**HI[0], "name": "ada"}]}, "'name' is unsupported"),
        ("groq", {**form(), "stream": True}, "does not support streaming"),
        ("groq", {**form(), "tools": [CALL]}, "does not support streaming or tool use"),
        ("fireworks", {"model": "kimi-k3"}, "not a valid model"),
        ("ollama", {"messages": [{"role": "user", "content": PICTURE}]}, "invalid image input"),
        *[(vendor, {"messages": CALLED[1:] + HI}, "") for vendor in PATHS],
    ],
)
async def test_each_refuses_what_the_real_one_refuses(vendor: str, body: dict[str, Any], reason: str) -> None:
    answer = await ask(vendor, **body)
    assert answer.status_code == 400
    assert reason in answer.text.replace("\\", "")


@pytest.mark.parametrize("vendor", PATHS)
async def test_each_answers_what_the_real_one_answers(vendor: str) -> None:
    signed = {**CALL, "extra_content": {"google": {"thought_signature": "x"}}} if vendor == "google" else CALL
    messages = [*HI, {**CALLED[1], "tool_calls": [signed]}, RESULT]
    bodies: list[dict[str, Any]] = [{}, form(), {"messages": messages}, form(strict=False, schema={"type": "object"})]
    for body in bodies:
        assert (await ask(vendor, **body)).status_code == 200


@pytest.mark.parametrize("vendor", PATHS)
async def test_asked_for_a_form_each_answers_in_json_that_fits_nothing_unless_told_what_to_say(vendor: str) -> None:
    answer = await ask(vendor, **form())
    assert answer.json()["choices"][0]["message"]["content"] == '{"you_said": "hi there"}'


@pytest.mark.parametrize("path", ["/openai/v1", "/openai/deployments/m"])
async def test_azure_is_asked_at_either_form_of_its_address(path: str) -> None:
    with VendorServer() as vendors:
        async with httpx2.AsyncClient() as client:
            answer = await client.post(f"{vendors.url('azure')}{path}/chat/completions", json={"messages": HI})
            # A deployment's own path says which model is asked; the other one leaves it to the body.
            assert answer.status_code == (200 if "deployments" in path else 400)
            body = {"model": "m", "input": ["a"]}
            assert (await client.post(f"{vendors.url('azure')}{path}/embeddings", json=body)).status_code == 200


async def test_google_complains_in_a_list_and_azure_in_two_words() -> None:
    with VendorServer() as vendors:
        async with httpx2.AsyncClient() as client:
            for vendor in ("google", "azure"):
                vendors.fail(vendor, Fault.status(429, "Later."))
            google = await client.post(vendors.url("google") + "/v1beta/openai/chat/completions", json={})
            azure = await client.post(vendors.url("azure") + "/openai/v1/chat/completions", json={})
    assert google.json() == [{"error": {"code": 429, "message": "Later.", "status": "RESOURCE_EXHAUSTED"}}]
    assert azure.json() == {"error": {"code": "429", "message": "Later."}}

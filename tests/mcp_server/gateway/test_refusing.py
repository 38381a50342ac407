"""What the gateway refuses on OpenAI's wire, and how it says so."""

import asyncio
from typing import Any

import httpx2
import openai
import pytest

from tests.mcp_server.gateway.conftest import LARGE, SMALL
from tests.mcp_server.gateway.test_chat import HELLO, WEATHER
from tests.mcp_server.inside import Served
from toolkit.testing.faults import Fault

PATH = "/v1/chat/completions"


def user(*parts: Any) -> list[Any]:
    return [{"role": "user", "content": list(parts)}]


@pytest.mark.parametrize(
    ("body", "param", "said"),
    [
        ({"temprature": 0.5}, "temprature", "'temperature'"),
        ({"frobnicate": 1}, "frobnicate", "`extra`"),
        ({"functions": []}, "functions", "`tools`"),
        ({"function_call": "auto"}, "function_call", "`tool_choice`"),
        ({"modalities": ["text", "audio"]}, "modalities", "text"),
        ({"messages": None}, "messages", "array"),
        ({"messages": []}, "messages", "at least 1"),
        ({"messages": [{"content": "x"}]}, "messages.0.role", "missing"),
        ({"messages": [{"role": "function", "name": "f", "content": "x"}]}, "messages.0.role", "'tool'"),
        ({"messages": [{"role": "wizard", "content": "x"}]}, "messages.0.role", "'wizard'"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content", "string"),
        ({"messages": [{"role": "user", "content": "x", "mood": "good"}]}, "messages.0.mood", "mood"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages.0.tool_call_id", "missing"),
        ({"messages": user({"type": "input_audio", "input_audio": {}})}, "messages.0.content.0.type", "pictures"),
        ({"messages": user({"type": "file", "file": {}})}, "messages.0.content.0.type", "collection"),
        ({"messages": user({"type": "image_url", "image_url": {}})}, "messages.0.content.0.image_url.url", "missing"),
        (
            {
                "messages": user(
                    {"type": "image_url", "image_url": {"url": "https://a.example/1.png", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "https://a.example/2.png", "detail": "high"}},
                )
            },
            "messages",
            "detail",
        ),
        (
            {
                "messages": [
                    *HELLO,
                    {
                        "role": "assistant",
                        "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "[1]"}}],
                    },
                ]
            },
            "messages.1.tool_calls.0.function.arguments",
            "JSON object",
        ),
        ({"temperature": "warm"}, "temperature", "number"),
        ({"temperature": 3}, "temperature", "2"),
        ({"stream": "yes"}, "stream", "boolean"),
        ({"n": 9}, "n", "8"),
        ({"n": 2, "session_id": "s"}, "n", "session"),
        ({"n": 2, "cache": True}, "n", "cache"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_tokens", "differ"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "`stream`"),
        ({"tools": [WEATHER], "toolkit_tools": ["ask"]}, "toolkit_tools", "both"),
        ({"tools": [WEATHER, WEATHER]}, "tools", "same name"),
        ({"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "tools.0.custom", "function"),
        ({"tool_choice": "required"}, "tool_choice", "`tools`"),
        (
            {"tools": [WEATHER], "tool_choice": {"type": "function", "function": {"name": "other"}}},
            "tool_choice",
            "'other'",
        ),
        ({"response_format": {"type": "xml"}}, "response_format.type", "'xml'"),
        ({"fallbacks": "chian"}, "fallbacks", "chain"),
    ],
)
async def test_what_cannot_be_used_is_refused_by_its_name(
    served: Served, http: httpx2.AsyncClient, body: dict[str, Any], param: str, said: str
) -> None:
    answer = await http.post(PATH, json={"model": LARGE, "messages": HELLO, **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["type"], error["param"]) == (400, "invalid_request_error", param)
    assert said in error["message"]
    assert not served.vendors.requests


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"5", b"\xff", b'{"messages": "\\ud800"}'])
async def test_what_is_no_json_object_is_refused(served: Served, http: httpx2.AsyncClient, raw: bytes) -> None:
    answer = await http.post(PATH, content=raw)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("The body")
    assert not served.vendors.requests


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent(served: Served) -> None:
    url = httpx2.URL(served.url)
    reader, writer = await asyncio.open_connection(url.host, url.port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {5 << 20}\r\n\r\n".encode())
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    assert not served.vendors.requests


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_not_there_is_not_found(served: Served, client: openai.AsyncOpenAI, stream: bool) -> None:
    asked: dict[str, Any]
    for asked in ({"model": "no-such-model"}, {"model": LARGE, "extra_body": {"session_id": "no-such-session"}}):
        with pytest.raises(openai.NotFoundError) as refusal:
            await client.chat.completions.create(messages=HELLO, stream=stream, **asked)
        assert "no-such-" in refusal.value.message
    assert not served.vendors.requests


async def test_a_session_whose_time_ran_out_is_not_found(served: Served, client: openai.AsyncOpenAI) -> None:
    session = served.run(served.tk.sessions.create(ttl=1))
    served.run(served.tk.db.execute("UPDATE sessions SET expires_at = '2020-01-01 00:00:00.000000+00:00'"))
    with pytest.raises(openai.NotFoundError) as refusal:
        await client.chat.completions.create(model=LARGE, messages=HELLO, extra_body={"session_id": session.id})
    assert refusal.value.code == "session_expired"


async def test_where_everybody_fails_the_error_says_why_each_did(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.fail("openai", Fault.status(401))
    served.vendors.fail("anthropic", Fault.status(404))
    with pytest.raises(openai.InternalServerError) as failure:
        await client.chat.completions.create(model="default", messages=HELLO)
    assert failure.value.status_code == 503
    assert isinstance(failure.value.body, dict)
    attempts = failure.value.body["attempts"]
    assert {(each["name"], each["error"]) for each in attempts} == {
        (LARGE, "AuthenticationFailed"),
        (SMALL, "ModelNotFound"),
    }
    assert failure.value.response.headers["x-toolkit-attempts"].startswith(f"{LARGE}=AuthenticationFailed, {SMALL}=")


async def test_what_the_vendor_refuses_is_refused_and_not_asked_again(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    served.vendors.fail("openai", Fault.status(400, "Unknown parameter: 'x'."), times=1)
    with pytest.raises(openai.BadRequestError) as refusal:
        await client.chat.completions.create(model="default", messages=HELLO)
    assert "Unknown parameter" in refusal.value.message
    assert len(served.vendors.requests) == 1


async def test_who_runs_out_of_time_is_told_so(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.fail("openai", Fault.hang(), times=1)
    with pytest.raises(openai.InternalServerError) as late:
        await client.chat.completions.create(model=LARGE, messages=HELLO, extra_body={"timeout": 0.3})
    assert (late.value.status_code, late.value.code) == (504, "deadline_exceeded")


async def test_a_limit_that_is_used_up_says_when_to_come_back_and_before_that_how_much_is_left(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    unlimited = await client.chat.completions.with_raw_response.create(model=LARGE, messages=HELLO)
    assert not [name for name in unlimited.headers if name.startswith("x-ratelimit")]
    served.run(served.tk.limits.set("user", "bob", rpm=2, tpm=1000))
    asked: dict[str, Any] = {"model": LARGE, "messages": HELLO, "extra_headers": {"X-User-Id": "bob"}}
    first = await client.chat.completions.with_raw_response.create(**asked)
    heads = {name: first.headers[f"x-ratelimit-{name}"] for name in ("limit-requests", "remaining-requests")}
    assert heads == {"limit-requests": "2", "remaining-requests": "1"}
    assert first.headers["x-ratelimit-limit-tokens"] == "1000"
    assert 0 < int(first.headers["x-ratelimit-reset-requests"].removesuffix("s")) <= 60
    stream = await client.chat.completions.with_raw_response.create(**asked, stream=True)
    assert stream.headers["x-ratelimit-remaining-requests"] == "0"
    async for _ in stream.parse():
        pass
    for streamed in (False, True):
        with pytest.raises(openai.RateLimitError) as refusal:
            await client.chat.completions.create(**asked, stream=streamed)
        assert 0 < int(refusal.value.response.headers["retry-after"]) <= 60


async def test_a_disabled_model_is_no_longer_asked(served: Served, client: openai.AsyncOpenAI) -> None:
    served.run(served.tk.models.set(LARGE, enabled=False))
    with pytest.raises(openai.BadRequestError, match="disabled"):
        await client.chat.completions.create(model=LARGE, messages=HELLO)
    with pytest.raises(openai.NotFoundError, match="disabled"):
        await client.models.retrieve(LARGE)
    assert LARGE not in [model.id for model in (await client.models.list()).data]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ("POST /chat/completions", 404, "but at /v1/chat/completions; mend the client's base URL"),
        ("POST /v1/v1/messages", 404, "but at /v1/messages; mend the client's base URL"),
        ("POST /v1/completions", 404, "/docs lists"),
        ("GET /v1/chat/completions", 405, "does not take GET, but POST."),
    ],
)
async def test_who_asks_at_the_wrong_place_is_told_the_right_one(
    served: Served, http: httpx2.AsyncClient, asked: str, status: int, said: str
) -> None:
    answer = await http.request(*asked.split())
    assert (answer.status_code, served.vendors.requests) == (status, [])
    assert said in answer.json()["error"]["message"]

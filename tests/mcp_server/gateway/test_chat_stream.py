"""OpenAI's chat completions, streamed: what its clients read of them, and the bytes themselves."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from tests.mcp_server.gateway.conftest import LARGE, SMALL
from tests.mcp_server.gateway.test_chat import HELLO, WEATHER, City
from tests.mcp_server.inside import Served
from toolkit.messages import Completion, Message, ToolCall, Usage
from toolkit.testing.faults import Fault

ASKED: dict[str, Any] = {"model": LARGE, "messages": HELLO, "stream": True}
CHAIN: dict[str, Any] = {**ASKED, "model": "default"}


async def said(stream: AsyncIterator[ChatCompletionChunk]) -> str:
    return "".join([chunk.choices[0].delta.content or "" async for chunk in stream if chunk.choices])


def events(text: str) -> list[Any]:
    """The data of every event, the end mark as it is."""
    found = [line.removeprefix("data: ") for line in text.split("\n\n") if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in found]


def test_a_program_without_asyncio_reads_it_word_by_word(served: Served) -> None:
    served.vendors.say("Paris it is.")
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none") as client:
        stream = client.chat.completions.create(model="default", messages=HELLO, stream=True)
        words = [chunk.choices[0].delta.content for chunk in stream]
    assert words == ["", "Paris", " it", " is.", None]


async def test_the_bytes_are_those_that_openai_sends(served: Served, http: httpx2.AsyncClient) -> None:
    served.vendors.say(Completion(Message("assistant", "Oui ♥"), usage=Usage(5, 2)))
    answer = await http.post("/v1/chat/completions", json={**ASKED, "stream_options": {"include_usage": True}})
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["x-toolkit-model"] == LARGE
    assert answer.headers["x-toolkit-attempts"] == f"{LARGE}=ok"
    *chunks, counted, done = events(answer.text)
    assert done == "[DONE]"
    assert [chunk["choices"] for chunk in chunks] == [
        [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]
        for delta, reason in [
            ({"role": "assistant", "content": "", "refusal": None}, None),
            ({"content": "Oui"}, None),
            ({"content": " ♥"}, None),
            ({}, "stop"),
        ]
    ]
    assert all(chunk["usage"] is None for chunk in chunks)
    assert (counted["choices"], counted["usage"]["total_tokens"]) == ([], 7)
    assert counted["usage"]["toolkit"]["attempts"][0]["name"] == LARGE
    for name in ("id", "created", "model", "object"):
        assert len({chunk[name] for chunk in (*chunks, counted)}) == 1
    assert counted["object"] == "chat.completion.chunk"
    assert answer.text.endswith("data: [DONE]\n\n")


async def test_the_usage_is_told_only_where_it_is_asked_for(served: Served, http: httpx2.AsyncClient) -> None:
    answer = await http.post("/v1/chat/completions", json=ASKED)
    assert served.vendors.requests
    assert all("usage" not in chunk for chunk in events(answer.text)[:-1])


async def test_calls_of_tools_come_in_pieces(served: Served, client: openai.AsyncOpenAI) -> None:
    calls = (ToolCall("call_1", "get_weather", {"city": "Paris"}), ToolCall("call_2", "get_weather", {"city": "Rome"}))
    served.vendors.say(Message("assistant", "Let me see.", tool_calls=calls))
    async with client.chat.completions.stream(model=LARGE, messages=HELLO, tools=[WEATHER]) as stream:
        whole = await stream.get_final_completion()
    [choice] = whole.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "Let me see."
    assert choice.message.tool_calls
    assert [(call.id, json.loads(call.function.arguments)) for call in choice.message.tool_calls] == [
        (call.id, call.arguments) for call in calls
    ]


async def test_the_calls_of_the_servers_own_tools_are_not_the_clients(served: Served, http: httpx2.AsyncClient) -> None:
    served.vendors.call_tool("list_collections", {})
    answer = await http.post("/v1/chat/completions", json={**ASKED, "toolkit_tools": ["list_collections"]})
    assert len(served.vendors.requests) == 2
    assert "tool_calls" not in answer.text


async def test_an_answer_of_a_form_is_parsed_by_the_sdk(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say('{"name": "Paris", "country": "France"}')
    async with client.chat.completions.stream(model=LARGE, messages=HELLO, response_format=City) as stream:
        whole = await stream.get_final_completion()
    assert whole.choices[0].message.parsed == City(name="Paris", country="France")


async def test_how_likely_each_token_was_comes_with_its_piece(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say("It is Paris.")
    stream = await client.chat.completions.create(model=LARGE, messages=HELLO, stream=True, logprobs=True)
    tokens = [chunk.choices[0].logprobs async for chunk in stream if chunk.choices]
    assert [each.content[0].token for each in tokens if each and each.content] == ["It", " is", " Paris."]


async def test_several_answers_come_at_once(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say(*[Completion(Message("assistant", f"{n} said"), usage=Usage(5, 2)) for n in "ab"])
    stream = await client.chat.completions.create(
        model=LARGE, messages=HELLO, stream=True, n=2, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    texts = ["", ""]
    for chunk in chunks:
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert sorted(texts) == ["a said", "b said"]
    usage = chunks[-1].usage
    assert usage
    assert (usage.prompt_tokens, usage.completion_tokens) == (10, 4)


async def test_where_nobody_answers_the_status_says_so(served: Served, http: httpx2.AsyncClient) -> None:
    served.vendors.fail("openai", Fault.status(401))
    served.vendors.fail("anthropic", Fault.status(401))
    answer = await http.post("/v1/chat/completions", json=CHAIN)
    assert answer.status_code == 503
    assert [each["name"] for each in answer.json()["error"]["attempts"]] == [LARGE, SMALL]


async def test_who_failed_before_the_first_word_stands_in_the_head(served: Served, http: httpx2.AsyncClient) -> None:
    served.vendors.fail("openai", Fault.status(401), times=1)
    answer = await http.post("/v1/chat/completions", json=CHAIN)
    assert answer.headers["x-toolkit-model"] == SMALL
    assert answer.headers["x-toolkit-attempts"] == f"{LARGE}=AuthenticationFailed, {SMALL}=ok"


async def test_a_stream_survives_its_provider(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say("The capital of France", vendor="openai")
    served.vendors.say(" is Paris.", vendor="anthropic")
    served.vendors.fail("openai", Fault.cut(after=4), times=1)
    stream = await client.chat.completions.create(
        model="default", messages=HELLO, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == "The capital of France is Paris."
    told = (chunks[-1].usage.model_extra or {})["toolkit"] if chunks[-1].usage else {}
    assert (told["model"], [each["name"] for each in told["attempts"]]) == (SMALL, [LARGE, SMALL])


async def test_an_answer_that_nobody_finishes_ends_with_an_error_that_the_sdk_raises(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    served.vendors.say("The capital of France is")
    served.vendors.fail("openai", Fault.cut(after=3))
    stream = await client.chat.completions.create(model=LARGE, messages=HELLO, stream=True)
    heard: list[str] = []

    async def listen() -> None:
        async for chunk in stream:
            heard.append(chunk.choices[0].delta.content or "")  # noqa: PERF401 - what came before the error counts

    with pytest.raises(openai.APIError) as failure:
        await listen()
    assert "".join(heard).startswith("The capital of")
    assert failure.value.code == "stream_interrupted"
    assert failure.value.body
    assert failure.value.body["attempts"][0]["name"] == LARGE  # type: ignore[index]  # it is a mapping


async def test_half_a_call_of_a_tool_is_never_gone_on_with_by_another_model(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    call = ToolCall("call_1", "get_weather", {"city": "Paris, the capital of France"})
    served.vendors.say(Message("assistant", tool_calls=(call,)))
    served.vendors.fail("openai", Fault.cut(after=3), times=1)
    stream = await client.chat.completions.create(
        model="default", messages=HELLO, tools=[WEATHER], tool_choice="required", stream=True
    )
    heard: list[str] = []

    async def listen() -> None:
        async for chunk in stream:
            for fragment in chunk.choices[0].delta.tool_calls or ():
                heard.append((fragment.function and fragment.function.arguments) or "")  # noqa: PERF401 - as above

    with pytest.raises(openai.APIError) as failure:
        await listen()
    assert failure.value.code == "stream_interrupted"
    assert json.dumps(call.arguments).startswith("".join(heard))


async def test_a_session_keeps_what_was_streamed(served: Served, client: openai.AsyncOpenAI) -> None:
    session = served.run(served.tk.sessions.create())
    served.vendors.say("Paris.")
    stream = await client.chat.completions.create(
        model=LARGE, messages=HELLO, stream=True, extra_body={"session_id": session.id}
    )
    assert await said(stream) == "Paris."
    assert [each.text for each in served.run(served.tk.sessions.messages(session.id))][-1] == "Paris."


async def test_an_answer_of_the_cache_is_streamed_with_who_gave_it(served: Served, http: httpx2.AsyncClient) -> None:
    body = {**CHAIN, "cache": True, "messages": [{"role": "user", "content": "Stream it once?"}]}
    first, again = [await http.post("/v1/chat/completions", json=body) for _ in range(2)]
    assert [chunk["choices"] for chunk in events(again.text)[:-1]] == [
        chunk["choices"] for chunk in events(first.text)[:-1]
    ]
    assert again.headers["x-toolkit-model"] == LARGE
    assert len(served.vendors.requests) == 1


@pytest.mark.parametrize("after", [0, 3])
async def test_a_client_that_goes_away_cancels_the_vendors_request(
    served: Served, http: httpx2.AsyncClient, after: int
) -> None:
    served.vendors.say("one two three four five six")
    served.vendors.fail("openai", Fault.stall(after=after), times=1)
    heard = asyncio.Event()

    async def listen() -> None:
        async with http.stream("POST", "/v1/chat/completions", json=ASKED) as answer:
            async for _ in answer.aiter_bytes():
                heard.set()

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(10):
        if after:
            await heard.wait()
        while not served.vendors.requests:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.01)
        listening.cancel()
        assert await asyncio.to_thread(served.vendors.requests[0].abandoned.wait, 10)
        while not any(call.status == "cancelled" for call in served.run(served.tk.usage.calls(limit=1))):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_a_stream_that_nothing_comes_from_is_kept_open_with_comments(
    served: Served, http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.gateway.sse.QUIET_SECONDS", 0.05)
    served.vendors.say("one two")
    served.vendors.fail("openai", Fault.drip(0.2), times=1)
    answer = await http.post("/v1/chat/completions", json=ASKED)
    assert ": waiting\n\n" in answer.text
    assert "".join(c["choices"][0]["delta"].get("content", "") for c in events(answer.text)[:-1]) == "one two"

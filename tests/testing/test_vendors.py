"""The vendors on this machine, asked by the vendors' own clients."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from anthropic import AsyncAnthropic, BadRequestError
from openai import APIStatusError, AsyncOpenAI
from openai import BadRequestError as OpenAIBadRequestError

from toolkit.messages import Completion, Message, ToolCall, Usage
from toolkit.testing.faults import TOO_LONG
from toolkit.testing.vendors import Fault, VendorServer

CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}
HI: Any = [{"role": "user", "content": "hi there"}]


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


@pytest.fixture
async def openai(vendors: VendorServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-secret", base_url=vendors.openai_url, max_retries=0) as client:
        yield client


@pytest.fixture
async def anthropic(vendors: VendorServer) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(api_key="sk-secret", base_url=vendors.anthropic_url, max_retries=0) as client:
        yield client


async def test_without_instructions_both_vendors_echo(openai: AsyncOpenAI, anthropic: AsyncAnthropic) -> None:
    one = await openai.chat.completions.create(model="gpt-4o", messages=HI)
    other = await anthropic.messages.create(model="claude", messages=HI, max_tokens=9)
    assert one.choices[0].message.content == "You said: hi there"
    assert other.content[0].type == "text"
    assert other.content[0].text == "You said: hi there"
    assert one.usage
    assert (one.usage.prompt_tokens, one.usage.completion_tokens) == (2, 4)
    assert (other.usage.input_tokens, other.usage.output_tokens) == (2, 4)


async def test_answers_are_said_in_order_by_whom_they_were_given_to_and_then_it_echoes_again(
    vendors: VendorServer, openai: AsyncOpenAI, anthropic: AsyncAnthropic
) -> None:
    vendors.say("first", "second")
    vendors.say("only Anthropic", vendor="anthropic")

    async def ask() -> str | None:
        return (await openai.chat.completions.create(model="m", messages=HI)).choices[0].message.content

    said = [await ask()]
    answer: Any = await anthropic.messages.create(model="m", messages=HI, max_tokens=9)
    assert answer.content[0].text == "only Anthropic"
    assert [*said, await ask(), await ask()] == ["first", "second", "You said: hi there"]


async def test_a_stream_read_by_the_sdks_is_the_whole_answer_with_its_tool_calls_and_usage(
    vendors: VendorServer, openai: AsyncOpenAI, anthropic: AsyncAnthropic
) -> None:
    calls = (ToolCall("a", "f", {"x": "long enough to be cut"}), ToolCall("b", "g", {}))
    answer = Completion(
        Message("assistant", "Let me see.", tool_calls=calls), "tool_calls", Usage(100, 20, 30, 5, 7), None
    )
    vendors.say(answer, answer)
    async with openai.chat.completions.stream(model="m", messages=HI, stream_options={"include_usage": True}) as stream:
        one = await stream.get_final_completion()
    assert one.choices[0].message.content == "Let me see."
    assert [json.loads(c.function.arguments) for c in one.choices[0].message.tool_calls or ()] == [
        {"x": "long enough to be cut"},
        {},
    ]
    assert one.usage
    assert one.usage.prompt_tokens_details
    assert (one.usage.prompt_tokens, one.usage.prompt_tokens_details.cached_tokens) == (100, 30)

    async with anthropic.messages.stream(model="m", messages=HI, max_tokens=9) as events:
        other: Any = await events.get_final_message()
    assert [block.type for block in other.content] == ["text", "tool_use", "tool_use"]
    assert other.content[1].input == {"x": "long enough to be cut"}
    assert other.stop_reason == "tool_use"
    assert (other.usage.input_tokens, other.usage.cache_read_input_tokens, other.usage.output_tokens) == (65, 30, 20)


async def test_a_stream_counts_its_tokens_only_if_it_was_asked_to(openai: AsyncOpenAI) -> None:
    silent = [c.usage async for c in await openai.chat.completions.create(model="m", messages=HI, stream=True)]
    assert silent == [None] * len(silent)


async def test_a_tool_is_wished_for_by_name(vendors: VendorServer, openai: AsyncOpenAI) -> None:
    vendors.call_tool("weather", {"city": "Paris"})
    answer: Any = await openai.chat.completions.create(model="m", messages=HI)
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.tool_calls[0].function.name == "weather"


async def test_a_fault_strikes_as_often_as_it_was_told_to_and_faults_take_turns(
    vendors: VendorServer, openai: AsyncOpenAI
) -> None:
    vendors.fail("openai", Fault.status(500), times=2)
    vendors.fail("openai", Fault.status(429), times=1)
    vendors.fail("anthropic", Fault.status(401))
    seen = []
    for _ in range(4):
        try:
            await openai.chat.completions.create(model="m", messages=HI)
            seen.append(200)
        except APIStatusError as error:
            seen.append(error.status_code)
    assert seen == [500, 500, 429, 200]


async def test_a_fault_without_an_end_strikes_until_the_vendor_recovers(
    vendors: VendorServer, openai: AsyncOpenAI
) -> None:
    vendors.fail("openai", Fault.status(503))
    for _ in range(3):
        with pytest.raises(APIStatusError):
            await openai.models.list()
    vendors.recover()
    assert [model.id async for model in openai.models.list()] == ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"]


async def test_an_answer_is_used_up_by_a_stream_that_breaks_off_and_not_by_a_request_that_fails_before(
    vendors: VendorServer, openai: AsyncOpenAI
) -> None:
    vendors.say("one", "two")
    vendors.fail("openai", Fault.status(500), times=1)
    vendors.fail("openai", Fault.error_event(after=1), times=1)
    with pytest.raises(APIStatusError):
        await openai.chat.completions.create(model="m", messages=HI)
    async with await openai.chat.completions.create(model="m", messages=HI, stream=True) as stream:
        assert [(await anext(stream)).choices[0].delta.content for _ in range(2)] == ["", "one"]
    answer = await openai.chat.completions.create(model="m", messages=HI)
    assert answer.choices[0].message.content == "two"


async def test_the_same_words_have_the_same_vector_and_shared_words_make_vectors_near(openai: AsyncOpenAI) -> None:
    texts = ["The cat sat", "the CAT sat.", "the cat ran", "quantum flux"]
    vectors = [item.embedding for item in (await openai.embeddings.create(model="e", input=texts)).data]

    def near(one: int, other: int) -> float:
        return sum(a * b for a, b in zip(vectors[one], vectors[other], strict=True))

    assert vectors[0] == vectors[1]
    assert near(0, 2) > near(0, 3)
    assert near(3, 3) == pytest.approx(1.0)


async def test_what_was_asked_is_recorded_without_secrets(
    vendors: VendorServer, openai: AsyncOpenAI, anthropic: AsyncAnthropic
) -> None:
    await openai.chat.completions.create(model="gpt-4o", messages=HI)
    await anthropic.messages.create(model="claude", messages=HI, max_tokens=9)
    one, other = vendors.requests
    assert (one.vendor, one.path, one.body["model"]) == ("openai", "/v1/chat/completions", "gpt-4o")
    assert (other.vendor, other.path, other.body["max_tokens"]) == ("anthropic", "/v1/messages", 9)
    assert one.headers["authorization"] == "present"
    assert "sk-secret" not in repr(vendors.requests)


async def test_a_client_that_goes_away_is_noticed_and_one_that_stays_is_not(
    vendors: VendorServer, openai: AsyncOpenAI
) -> None:
    await openai.chat.completions.create(model="m", messages=HI)
    vendors.fail("openai", Fault.hang())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await openai.chat.completions.create(model="m", messages=HI)
    assert await asyncio.to_thread(vendors.requests[1].abandoned.wait, 30)
    assert not vendors.requests[0].abandoned.is_set()


@pytest.mark.parametrize(
    "messages",
    [
        [],
        [{"role": "tool", "content": "x", "tool_call_id": "a"}],
        [
            {
                "role": "assistant",
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": ""}}],
            },
            {"role": "user", "content": "never mind"},
        ],
    ],
)
async def test_openai_refuses_what_the_real_one_refuses(openai: AsyncOpenAI, messages: Any) -> None:
    with pytest.raises(OpenAIBadRequestError):
        await openai.chat.completions.create(model="m", messages=messages)


TOOL_USE = {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "f", "input": {}}]}
TOOL_RESULT = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a", "content": "x"}]}
TOOLS = {"tools": [{"name": "f", "input_schema": {"type": "object"}}]}


@pytest.mark.parametrize(
    ("messages", "options"),
    [
        ([], {}),
        (HI, {"model": ""}),
        (HI, {"max_tokens": None}),
        ([{"role": "assistant", "content": "x"}], {}),
        ([{"role": "user", "content": " "}], {}),
        ([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y "}], {}),
        ([*HI, TOOL_USE, TOOL_RESULT], {}),
        ([*HI, TOOL_USE, *HI], TOOLS),
        ([*HI, TOOL_RESULT], TOOLS),
        (HI, {"temperature": 1.5}),
    ],
)
async def test_anthropic_refuses_what_the_real_one_refuses(
    anthropic: AsyncAnthropic, messages: Any, options: dict[str, Any]
) -> None:
    with pytest.raises(BadRequestError):
        await anthropic.messages.create(model="m", messages=messages, max_tokens=9, extra_body=options)


async def test_anthropic_accepts_a_conversation_with_tools_and_turns_in_sequence(anthropic: AsyncAnthropic) -> None:
    messages: Any = [*HI, *HI, TOOL_USE, TOOL_RESULT, *HI]
    answer = await anthropic.messages.create(model="m", messages=messages, max_tokens=9, extra_body=TOOLS)
    assert answer.stop_reason == "end_turn"


async def test_a_path_that_is_not_there_is_not_found_and_a_body_that_is_not_json_is_refused(
    vendors: VendorServer,
) -> None:
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"{vendors.openai_url}/nothing")).status_code == 404
        assert (await client.get(vendors.openai_url.replace("openai", "mistral"))).status_code == 404
        refused = await client.post(f"{vendors.openai_url}/chat/completions", content=b"not json")
        assert (refused.status_code, refused.json()["error"]["type"]) == (400, "invalid_request_error")


def test_it_serves_plain_code_too_and_leaves_nothing_behind() -> None:
    before = threading.active_count()
    with VendorServer() as vendors:
        environ = vendors.environ()
        asked = urllib.request.Request(
            environ["OPENAI_BASE_URL"] + "/chat/completions",
            json.dumps({"model": "m", "messages": HI}).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(asked) as response:
            assert json.load(response)["choices"][0]["message"]["content"] == "You said: hi there"
        assert environ["ANTHROPIC_BASE_URL"] == vendors.anthropic_url
        assert environ["OPENAI_API_KEY"] == environ["ANTHROPIC_API_KEY"] == "test"
    assert threading.active_count() == before


async def test_it_stops_at_once_although_an_answer_hangs() -> None:
    async with VendorServer() as vendors:
        vendors.fail("openai", Fault.hang())
        async with AsyncOpenAI(api_key="k", base_url=vendors.openai_url, max_retries=0) as client:
            question = asyncio.create_task(client.chat.completions.create(model="m", messages=HI))
            while not vendors.requests:  # noqa: ASYNC110 - another thread fills the list
                await asyncio.sleep(0.01)
            await asyncio.to_thread(vendors.stop)
            with pytest.raises(Exception, match="Connection error"):
                await question


async def test_a_fault_can_last_for_a_time(vendors: VendorServer, openai: AsyncOpenAI) -> None:
    vendors.fail("openai", Fault.status(503), seconds=0.2)
    with pytest.raises(APIStatusError):
        await openai.chat.completions.create(model="m", messages=HI)
    await asyncio.sleep(0.2)
    await openai.chat.completions.create(model="m", messages=HI)
    struck, whole = vendors.requests
    assert struck.struck_at is not None
    assert whole.struck_at is None


async def test_a_refusal_is_said_in_each_vendors_way(
    vendors: VendorServer, openai: AsyncOpenAI, anthropic: AsyncAnthropic
) -> None:
    for vendor in ("openai", "anthropic"):
        vendors.fail(vendor, Fault.refusal())
    one = await openai.chat.completions.create(model="m", messages=HI)
    other = await anthropic.messages.create(model="m", messages=HI, max_tokens=9)
    assert one.choices[0].finish_reason == "content_filter"
    assert other.stop_reason == "refusal"


async def test_messages_that_are_too_long_are_refused_in_each_vendors_words(
    vendors: VendorServer, openai: AsyncOpenAI, anthropic: AsyncAnthropic
) -> None:
    for vendor, fault in TOO_LONG.items():
        vendors.fail(vendor, fault)
    with pytest.raises(OpenAIBadRequestError, match="maximum context length"):
        await openai.chat.completions.create(model="m", messages=HI)
    with pytest.raises(BadRequestError, match="prompt is too long"):
        await anthropic.messages.create(model="m", messages=HI, max_tokens=9)


async def test_what_is_said_by_default_can_depend_on_the_question() -> None:
    with VendorServer(reply=lambda body: str(len(body["messages"]))) as vendors:
        client = AsyncOpenAI(api_key="k", base_url=vendors.openai_url, max_retries=0)
        said = await client.chat.completions.create(model="m", messages=[*HI, *HI])
        await client.close()
    assert said.choices[0].message.content == "2"

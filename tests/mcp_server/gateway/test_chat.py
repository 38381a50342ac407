"""OpenAI's chat completions, whole answers: by OpenAI's own clients over a real port."""

import asyncio
import json
from typing import Any

import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionMessageParam
from pydantic import BaseModel

from tests.mcp_server.gateway.conftest import LARGE, SMALL
from tests.mcp_server.inside import Served
from toolkit.messages import Completion, Message, ToolCall, Usage
from toolkit.testing.faults import Fault

HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "What is the capital of France?"}]
WEATHER: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


def toolkit_of(answer: ChatCompletion) -> dict[str, Any]:
    """What only the toolkit tells."""
    assert answer.usage
    told: dict[str, Any] = (answer.usage.model_extra or {})["toolkit"]
    return told


def test_a_program_that_changes_one_address_gets_its_answer(served: Served) -> None:
    served.vendors.say(Completion(Message("assistant", "Paris."), usage=Usage(14, 3, cached_tokens=4)))
    with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none") as client:
        answer = client.chat.completions.create(model="default", messages=HELLO)
    assert answer.object == "chat.completion"
    assert answer.id.startswith("chatcmpl-")
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content, choice.finish_reason) == ("assistant", "Paris.", "stop")
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (14, 3, 17)
    assert answer.usage.prompt_tokens_details
    assert answer.usage.prompt_tokens_details.cached_tokens == 4
    assert answer.model == LARGE


async def test_who_failed_and_what_it_cost_stands_in_the_head_and_in_the_usage(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    served.vendors.fail("openai", Fault.status(401), times=1)
    raw = await client.chat.completions.with_raw_response.create(
        model="default", messages=HELLO, extra_headers={"X-Request-Id": "mine-1"}
    )
    answer = raw.parse()
    assert answer._request_id == raw.headers["x-request-id"] == "mine-1"
    assert raw.headers["x-toolkit-model"] == SMALL
    assert raw.headers["x-toolkit-attempts"] == f"{LARGE}=AuthenticationFailed, {SMALL}=ok"
    told = toolkit_of(answer)
    assert told["model"] == answer.model == SMALL
    assert [(each["name"], each["provider"], each["error"]) for each in told["attempts"]] == [
        (LARGE, "openai", "AuthenticationFailed"),
        (SMALL, "anthropic", None),
    ]
    assert told["cost_usd"] == told["attempts"][1]["cost_usd"] > 0
    assert "401" not in str(answer.choices)


async def test_what_every_role_says_reaches_the_model(served: Served, client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(
        model=LARGE,
        messages=[
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Say it in French."}]},
            {"role": "user", "content": "Hello.", "name": "ada"},
            {"role": "assistant", "content": [{"type": "text", "text": "Bonjour."}]},
            {"role": "assistant", "content": None, "refusal": "No."},
            {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "two"}]},
        ],
    )
    said = [(each["role"], each["content"]) for each in served.vendors.requests[-1].body["messages"]]
    assert said == [
        ("system", "Be brief."),
        ("system", "Say it in French."),
        ("user", "ada: Hello."),
        ("assistant", "Bonjour."),
        ("assistant", "No."),
        ("user", "One\ntwo"),
    ]


async def test_a_picture_reaches_the_model_as_closely_as_asked(served: Served, client: openai.AsyncOpenAI) -> None:
    picture = {"url": "data:image/png;base64,iVBORw0KGgo=", "detail": "high"}
    await client.chat.completions.create(
        model=LARGE,
        messages=[
            {
                "role": "user",
                "content": [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": picture}],
            }  # type: ignore[misc,list-item]
        ],
    )
    content = served.vendors.requests[-1].body["messages"][0]["content"]
    assert content[1] == {"type": "image_url", "image_url": picture}


async def test_a_tool_that_the_program_runs_is_asked_for_and_its_result_comes_back(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    calls = (ToolCall("call_1", "get_weather", {"city": "Paris"}), ToolCall("call_2", "get_weather", {"city": "Rome"}))
    served.vendors.say(Message("assistant", tool_calls=calls), "Sunny in both.")
    first = await client.chat.completions.create(model=LARGE, messages=HELLO, tools=[WEATHER], tool_choice="required")
    [choice] = first.choices
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content is None
    wanted = choice.message.tool_calls
    assert wanted
    assert [(call.id, call.function.arguments) for call in wanted if call.type == "function"] == [
        ("call_1", '{"city": "Paris"}'),
        ("call_2", '{"city": "Rome"}'),
    ]
    assert served.vendors.requests[-1].body["tool_choice"] == "required"
    assert served.vendors.requests[-1].body["tools"][0]["function"]["name"] == "get_weather"

    second = await client.chat.completions.create(
        model=LARGE,
        messages=[
            *HELLO,
            choice.message,  # type: ignore[list-item]  # as the SDK's documentation does
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "sunny, too"}]},
        ],
        tools=[WEATHER],
    )
    assert second.choices[0].message.content == "Sunny in both."
    assert [each.get("tool_call_id") for each in served.vendors.requests[-1].body["messages"]] == [
        None,
        None,
        "call_1",
        "call_2",
    ]


@pytest.mark.parametrize(
    ("choice", "asked", "names"),
    [
        ("auto", None, ["get_weather", "get_time"]),
        ("none", "none", ["get_weather", "get_time"]),
        (
            {"type": "function", "function": {"name": "get_time"}},
            {"type": "function", "function": {"name": "get_time"}},
            ["get_weather", "get_time"],
        ),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "get_time"}}],
                },
            },
            "required",
            ["get_time"],
        ),
    ],
)
async def test_whether_a_tool_must_be_asked_for_reaches_the_model(
    served: Served, http: httpx2.AsyncClient, choice: Any, asked: Any, names: list[str]
) -> None:
    tools = [WEATHER, {"type": "function", "function": {"name": "get_time"}}]
    body = {"model": LARGE, "messages": HELLO, "tools": tools, "tool_choice": choice}
    assert (await http.post("/v1/chat/completions", json=body)).status_code == 200
    sent = served.vendors.requests[-1].body
    assert sent.get("tool_choice") == asked
    assert [tool["function"]["name"] for tool in sent["tools"]] == names


class City(BaseModel):
    name: str
    country: str


async def test_an_answer_of_a_form_is_parsed_by_the_sdk(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say('{"name": "Paris", "country": "France"}')
    answer = await client.chat.completions.parse(model=LARGE, messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", country="France")
    form = served.vendors.requests[-1].body["response_format"]["json_schema"]
    assert (form["name"], form["schema"]["required"]) == ("City", ["name", "country"])


async def test_an_answer_that_does_not_fit_its_form_is_asked_for_again(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    served.vendors.say('{"name": "Paris"}', '{"name": "Paris", "country": "France"}')
    answer = await client.chat.completions.parse(model=LARGE, messages=HELLO, response_format=City)
    assert answer.choices[0].message.parsed == City(name="Paris", country="France")
    assert len(toolkit_of(answer)["attempts"]) == 2


@pytest.mark.parametrize("model", [LARGE, SMALL])
async def test_any_json_object_will_do_where_that_is_asked_for(
    served: Served, client: openai.AsyncOpenAI, model: str
) -> None:
    served.vendors.say('{"capital": "Paris"}')
    answer = await client.chat.completions.create(model=model, messages=HELLO, response_format={"type": "json_object"})
    assert answer.choices[0].message.content == '{"capital": "Paris"}'
    assert "tools" not in served.vendors.requests[-1].body  # one without parameters would be called without any


async def test_what_clients_add_to_an_answer_may_come_back_with_it(served: Served, client: openai.AsyncOpenAI) -> None:
    arguments = {"name": "Paris", "country": "France"}
    served.vendors.say(Message("assistant", tool_calls=(ToolCall("call_1", "City", arguments),)), "It is.")
    asked: dict[str, Any] = {"model": LARGE, "tools": [openai.pydantic_function_tool(City)]}
    said = (await client.chat.completions.parse(messages=HELLO, **asked)).choices[0].message
    assert said.tool_calls
    assert said.tool_calls[0].function.parsed_arguments == City(**arguments)
    litellms: Any = {"role": "assistant", "content": "Well.", "provider_specific_fields": {"refusal": None}}
    result: Any = {"role": "tool", "tool_call_id": "call_1", "content": "done"}
    messages: Any = [*HELLO, said, result, litellms, *HELLO]
    answer = await client.chat.completions.create(messages=messages, **asked)
    assert answer.choices[0].message.content == "It is."
    sent = served.vendors.requests[-1].body["messages"][1]
    assert json.loads(sent["tool_calls"][0]["function"]["arguments"]) == arguments
    assert not {"parsed", "parsed_arguments"} & (sent.keys() | sent["tool_calls"][0]["function"].keys())


async def test_what_only_vendors_know_is_passed_on_and_what_says_nothing_is_not(
    served: Served, http: httpx2.AsyncClient
) -> None:
    plain = {"temperature": 0.5, "seed": 3}
    passed: dict[str, Any] = {
        "top_p": 0.9,
        "frequency_penalty": 0.5,
        "logit_bias": {"50256": -100},
        "metadata": {"run": "7"},
    }
    passed |= {"top_k": 40, "safety_identifier": "ada", "service_tier": "flex", "parallel_tool_calls": False}
    silent: dict[str, Any] = {"presence_penalty": 0, "store": False, "logprobs": None, "logit_bias": {}, "user": "ada"}
    own = {"max_completion_tokens": 7, "stop": "END", "extra": {"guided_regex": "a+"}}
    body = {"model": LARGE, "messages": HELLO, "tools": [WEATHER], **silent, **plain, **passed, **own}
    assert (await http.post("/v1/chat/completions", json=body)).status_code == 200
    sent = served.vendors.requests[-1].body
    expected = {**plain, **passed, "max_tokens": 7, "stop": ["END"], "guided_regex": "a+"}
    assert {name: sent.get(name) for name in expected} == expected
    assert not {"presence_penalty", "store", "logprobs", "user", "extra"} & sent.keys()


async def test_a_vendor_on_another_wire_is_told_what_it_knows_by_its_own_names(
    served: Served, http: httpx2.AsyncClient
) -> None:
    body = {"model": SMALL, "messages": HELLO, "tools": [WEATHER], "stop": ["END"], "parallel_tool_calls": False}
    body |= {"top_p": 0.9, "frequency_penalty": 0.5, "safety_identifier": "ada", "thinking": {"type": "disabled"}}
    assert (await http.post("/v1/chat/completions", json=body)).status_code == 200
    sent = served.vendors.requests[-1].body
    expected = {
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "metadata": {"user_id": "ada"},
        "thinking": {"type": "disabled"},
    }
    expected["tool_choice"] = {"type": "auto", "disable_parallel_tool_use": True}
    assert {name: sent.get(name) for name in expected} == expected
    assert not {"frequency_penalty", "safety_identifier", "parallel_tool_calls"} & sent.keys()


@pytest.mark.parametrize(("model", "is_told"), [("gpt-5.2", True), ("gpt-oss-120b", True), ("gpt-4o", False)])
async def test_how_much_to_think_is_told_unless_the_model_is_known_to_refuse_it(
    served: Served, client: openai.AsyncOpenAI, model: str, is_told: bool
) -> None:
    await client.chat.completions.create(model=f"openai/{model}", messages=HELLO, reasoning_effort="low")
    assert served.vendors.requests[-1].body.get("reasoning_effort") == ("low" if is_told else None)


async def test_how_likely_each_token_was_is_told_where_the_vendor_tells_it(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    served.vendors.say("It is Paris.")
    answer = await client.chat.completions.create(model=LARGE, messages=HELLO, logprobs=True, top_logprobs=0)
    probabilities = answer.choices[0].logprobs
    assert probabilities
    assert probabilities.content
    assert [token.token for token in probabilities.content] == ["It", " is", " Paris."]


async def test_several_answers_are_several_questions(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.say(*[Completion(Message("assistant", text), usage=Usage(5, 1)) for text in ("a", "b", "c")])
    answer = await client.chat.completions.create(model=LARGE, messages=HELLO, n=3, seed=7)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert {choice.message.content for choice in answer.choices} == {"a", "b", "c"}
    assert answer.usage
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (15, 3)
    assert len(toolkit_of(answer)["attempts"]) == 3
    assert sorted(request.body["seed"] for request in served.vendors.requests) == [7, 8, 9]


async def test_a_session_keeps_the_conversation_and_without_one_nothing_is_kept(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    session = served.run(served.tk.sessions.create())
    asked: dict[str, Any] = {"model": LARGE, "extra_body": {"session_id": session.id}}
    await client.chat.completions.create(messages=[{"role": "user", "content": "I am Ada."}], **asked)
    answer = await client.chat.completions.create(messages=[{"role": "user", "content": "Who am I?"}], **asked)
    assert [each["content"] for each in served.vendors.requests[-1].body["messages"]] == [
        "I am Ada.",
        "You said: I am Ada.",
        "Who am I?",
    ]
    assert toolkit_of(answer)["session_id"] == session.id
    assert len(served.run(served.tk.sessions.messages(session.id))) == 4

    alone = await client.chat.completions.create(model=LARGE, messages=HELLO)
    assert toolkit_of(alone)["session_id"] is None
    assert len(served.vendors.requests[-1].body["messages"]) == 1


async def test_a_client_run_tool_goes_on_in_a_session_with_its_result_alone(
    served: Served, client: openai.AsyncOpenAI
) -> None:
    session = served.run(served.tk.sessions.create())
    served.vendors.call_tool("get_weather", {"city": "Paris"})
    asked: dict[str, Any] = {"model": LARGE, "tools": [WEATHER], "extra_body": {"session_id": session.id}}
    first = await client.chat.completions.create(messages=HELLO, **asked)
    call = first.choices[0].message.tool_calls[0]
    await client.chat.completions.create(
        messages=[{"role": "tool", "tool_call_id": call.id, "content": "sunny"}], **asked
    )
    roles = [each["role"] for each in served.vendors.requests[-1].body["messages"]]
    assert roles == ["user", "assistant", "tool"]


async def test_the_servers_own_tools_run_on_the_server(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.call_tool("list_collections", {})
    answer = await client.chat.completions.create(
        model=LARGE, messages=HELLO, extra_body={"toolkit_tools": ["list_collections"]}
    )
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.tool_calls is None
    assert len(toolkit_of(answer)["attempts"]) == 2


async def test_fallbacks_are_tried_after_the_model_that_was_named(served: Served, client: openai.AsyncOpenAI) -> None:
    served.vendors.fail("openai", Fault.status(401), times=2)
    with pytest.raises(openai.InternalServerError) as alone:
        await client.chat.completions.create(model=LARGE, messages=HELLO)
    assert alone.value.status_code == 502
    answer = await client.chat.completions.create(model=LARGE, messages=HELLO, extra_body={"fallbacks": "chain"})
    assert answer.model == SMALL


async def test_an_answer_of_the_cache_says_so_and_costs_nothing(served: Served, client: openai.AsyncOpenAI) -> None:
    asked: dict[str, Any] = {
        "model": LARGE,
        "messages": [{"role": "user", "content": "Once?"}],
        "extra_body": {"cache": True},
    }
    first = await client.chat.completions.create(**asked)
    again = await client.chat.completions.create(**asked)
    assert again.choices[0].message.content == first.choices[0].message.content
    told = toolkit_of(again)
    assert (told["cached"], told["cost_usd"], told["attempts"], again.model) == (True, 0, [], LARGE)
    assert len(served.vendors.requests) == 1


async def test_the_ledger_knows_on_whose_behalf_it_was(served: Served, client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(model=LARGE, messages=HELLO, user="body-user")
    await client.chat.completions.create(
        model=LARGE, messages=HELLO, user="body-user", extra_headers={"X-User-Id": "ada", "X-Origin": "my-app"}
    )
    calls = served.run(served.tk.usage.calls(limit=2))
    assert [(call.user, call.origin) for call in calls] == [("ada", "my-app"), ("body-user", None)]


async def test_a_client_that_goes_away_cancels_the_vendors_request(served: Served, http: httpx2.AsyncClient) -> None:
    served.vendors.fail("openai", Fault.hang(), times=1)
    asking = asyncio.create_task(http.post("/v1/chat/completions", json={"model": LARGE, "messages": HELLO}))
    async with asyncio.timeout(10):
        while not served.vendors.requests:  # noqa: ASYNC110 - another thread counts
            await asyncio.sleep(0.01)
        asking.cancel()
        assert await asyncio.to_thread(served.vendors.requests[0].abandoned.wait, 10)

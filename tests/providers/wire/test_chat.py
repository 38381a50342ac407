"""Requests over OpenAI's chat completions, and in what its dialects differ."""

import re
from typing import Any

import pytest

from tests.providers.conftest import HELLO, LONG
from toolkit.errors import BadAnswer
from toolkit.messages import ChatRequest, Message, ToolCall
from toolkit.providers.wire.chat import OPENAI, SOMEWHERE, ChatCompletions, Dialect
from toolkit.providers.wire.openai_sdk import connection
from toolkit.testing.vendors import Fault, VendorServer


def body(dialect: Dialect, request: ChatRequest, model: str = "m", *, family: str | None = None) -> dict[str, Any]:
    line = connection("x", "http://127.0.0.1:9", "none")
    return ChatCompletions(line, "x", dialect, family=family)._body(request, model)


LIMITED = ChatRequest(HELLO.messages, temperature=0.2, max_tokens=9)


@pytest.mark.parametrize("model", ["o3-mini", "gpt-5", "gpt-5.2", "openai/gpt-6-sol", "azure/o1"])
def test_a_model_that_thinks_gets_the_new_limit_and_no_temperature(model: str) -> None:
    for dialect in (OPENAI, SOMEWHERE):
        sent = body(dialect, LIMITED, model)
        assert sent["max_completion_tokens"] == 9
        assert not sent.keys() & {"max_tokens", "temperature"}


def test_a_new_model_that_does_not_think_gets_the_new_limit_and_the_temperature() -> None:
    for dialect in (OPENAI, SOMEWHERE):
        sent = body(dialect, LIMITED, "gpt-5-chat-latest")
        assert (sent["max_completion_tokens"], sent["temperature"]) == (9, 0.2)


@pytest.mark.parametrize("model", ["gpt-4o", "llama3.2", "qwen3:8b", "phi-o1", "gpt-35-turbo"])
def test_any_other_model_somewhere_gets_the_old_limit_and_at_openai_the_new_one(model: str) -> None:
    sent = body(SOMEWHERE, LIMITED, model)
    assert (sent["max_tokens"], sent["temperature"]) == (9, 0.2)
    assert "max_completion_tokens" not in sent
    at_home = body(OPENAI, LIMITED, model)
    assert (at_home["max_completion_tokens"], at_home["temperature"]) == (9, 0.2)
    assert "max_tokens" not in at_home


def test_a_model_under_the_users_own_name_is_treated_as_one_of_its_family() -> None:
    sent = body(OPENAI, LIMITED, "my-deployment", family="o3")
    assert sent["model"] == "my-deployment"
    assert "temperature" not in sent


def test_what_a_vendor_lacks_is_left_out_and_what_only_it_has_is_sent_all_the_same() -> None:
    dialect = Dialect(lacks=frozenset({"seed", "stop"}))
    sent = body(dialect, ChatRequest(HELLO.messages, stop=("x",), seed=1, temperature=0.1, extra={"seed": 2}))
    assert sent == {"model": "m", "messages": [{"role": "user", "content": "hi there"}], "temperature": 0.1, "seed": 2}


async def test_a_server_that_refuses_to_be_asked_for_the_count_is_not(vendors: VendorServer) -> None:
    line = connection("compatible", vendors.url("compatible") + "/v1", "none")
    dialect = Dialect(lacks=frozenset({"stream_options"}))
    deltas = [delta async for delta in ChatCompletions(line, "compatible", dialect).stream(HELLO, "m", timeout=LONG)]
    await line.close()
    assert "stream_options" not in vendors.requests[0].body
    assert deltas[-1].completion
    assert deltas[-1].completion.usage is None


def test_what_a_vendor_wanted_back_goes_back_to_it_alone() -> None:
    kept = {"provider": "x", "message": {"reasoning_content": "hm"}, "calls": [{"mark": 1}]}
    message = Message("assistant", tool_calls=(ToolCall("a", "f", {}),), opaque={"chat": kept})
    (sent,) = body(Dialect(), ChatRequest((message,)))["messages"]
    assert (sent["reasoning_content"], sent["tool_calls"][0]["mark"]) == ("hm", 1)
    elsewhere = Message("assistant", tool_calls=message.tool_calls, opaque={"chat": kept | {"provider": "y"}})
    (sent,) = body(Dialect(), ChatRequest((elsewhere,)))["messages"]
    assert "reasoning_content" not in sent
    assert "mark" not in sent["tool_calls"][0]


def test_the_first_call_that_another_made_carries_what_the_vendor_wants_to_see() -> None:
    calls = (ToolCall("a", "f", {}), ToolCall("b", "f", {}))
    (sent,) = body(Dialect(foreign_call={"mark": 0}), ChatRequest((Message("assistant", tool_calls=calls),)))[
        "messages"
    ]
    assert [call.get("mark") for call in sent["tool_calls"]] == [0, None]


def test_a_short_name_of_a_model_is_completed_and_a_full_one_stays() -> None:
    dialect = Dialect(prefix="all/")
    assert [body(dialect, HELLO, name)["model"] for name in ("m", "mine/m")] == ["all/m", "mine/m"]


def test_strict_mode_is_asked_of_the_models_that_have_it() -> None:
    dialect = Dialect(strict=re.compile("big"))
    assert [dialect.has_strict_mode(model) for model in ("big-one", "small")] == [True, False]
    assert not SOMEWHERE.has_strict_mode("gpt-4o")


async def test_texts_that_are_long_together_go_in_several_requests(vendors: VendorServer) -> None:
    line = connection("compatible", vendors.url("compatible") + "/v1", "none")
    texts = ["a" * 200_000, "b" * 300_000, "c", "d" * 600_000, "e"]
    found = await ChatCompletions(line, "compatible").embed(texts, "m", timeout=LONG)
    await line.close()
    assert len(found.vectors) == 5
    sent = [[text[0] for text in request.body["input"]] for request in vendors.requests]
    assert sent == [["a", "b"], ["c"], ["d"], ["e"]]


async def test_fewer_vectors_than_texts_are_no_answer(vendors: VendorServer) -> None:
    line = connection("compatible", vendors.url("compatible") + "/v1", "none")
    vendors.fail("compatible", Fault.not_json('{"data": [{"index": 0, "embedding": [1.0]}]}'))
    with pytest.raises(BadAnswer, match="1 vectors for 2 texts"):
        await ChatCompletions(line, "compatible").embed(["a", "b"], "m", timeout=LONG)
    await line.close()

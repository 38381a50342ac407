"""The agent host's own model, as far as the toolkit knows it."""

import asyncio
import json

import pytest

from tests.providers.conftest import HELLO, LONG
from toolkit import providers
from toolkit.errors import BadAnswer, ModelNotFound, ProviderTimeout
from toolkit.messages import ChatRequest, Completion, Delta, Image, Message, ToolCall, ToolSpec
from toolkit.models.prices import cost_nano_usd
from toolkit.providers.base import Provider
from toolkit.providers.host import Sampler, lend

ADD = ToolSpec("add", "Add two numbers.", {"type": "object", "properties": {"a": {"type": "integer"}}})
CALL = ToolCall("1", "add", {"a": 1})


class Lent:
    """A host's model that says what it was told to, and remembers what it was asked."""

    def __init__(self, said: Completion | Exception, *, tools: bool = False) -> None:
        self.said = said
        self.tools = tools
        self.asked: list[tuple[ChatRequest, str | None, float]] = []

    async def __call__(self, request: ChatRequest, /, *, hint: str | None, timeout: float) -> Completion:
        self.asked.append((request, hint, timeout))
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


@pytest.fixture
def host() -> Provider:
    return providers.connect("host", {}, {})


def saying(text: str = "Hello.", *calls: ToolCall) -> Completion:
    return Completion(Message("assistant", text, tool_calls=calls), "tool_calls" if calls else "stop")


async def test_it_gives_the_answer_of_the_model_that_is_lent_and_hands_over_its_time(host: Provider) -> None:
    lent = Lent(saying("Hello."))
    with lend(lent):
        assert await host.complete(HELLO, "default", timeout=3.5) == saying("Hello.")
    assert lent.asked == [(HELLO, None, 3.5)]


async def test_the_name_of_the_model_is_a_hint_to_the_host(host: Provider) -> None:
    lent = Lent(saying())
    with lend(lent):
        await host.complete(HELLO, "sonnet", timeout=LONG)
    [(_, hint, _)] = lent.asked
    assert hint == "sonnet"


async def test_where_no_host_lends_its_model_there_is_no_such_model(host: Provider) -> None:
    with pytest.raises(ModelNotFound, match="No agent host lends its model"):
        await host.complete(HELLO, "default", timeout=LONG)
    with lend(None), pytest.raises(ModelNotFound, match="use another model"):
        await host.complete(HELLO, "default", timeout=LONG)
    with lend(Lent(saying())):
        await host.complete(HELLO, "default", timeout=LONG)
    with pytest.raises(ModelNotFound):
        await host.complete(HELLO, "default", timeout=LONG)


async def test_a_model_is_lent_to_its_own_call_and_to_no_other(host: Provider) -> None:
    ada, bob = Lent(saying("to Ada")), Lent(saying("to Bob"))
    both = asyncio.Barrier(2)

    async def call(lent: Sampler) -> str:
        with lend(lent):
            await both.wait()
            asking = asyncio.create_task(host.complete(HELLO, "default", timeout=LONG))  # as a router may
            return (await asking).message.text

    assert list(await asyncio.gather(call(ada), call(bob))) == ["to Ada", "to Bob"]
    with pytest.raises(ModelNotFound):
        await host.complete(HELLO, "default", timeout=LONG)


async def test_a_stream_is_the_whole_answer_in_one_piece_and_then_its_end(host: Provider) -> None:
    with lend(Lent(saying("Hello there.", CALL), tools=True)):
        text, end = [delta async for delta in host.stream(HELLO, "default", timeout=LONG)]
    assert text.text == "Hello there."
    assert [(f.index, f.id, f.name, json.loads(f.arguments)) for f in text.tool_calls] == [(0, "1", "add", {"a": 1})]
    assert end == Delta(completion=saying("Hello there.", CALL))


@pytest.mark.parametrize("error", [ModelNotFound("no", provider="host"), ProviderTimeout("late", provider="host")])
async def test_what_keeps_the_host_from_answering_is_raised_as_it_is(host: Provider, error: Exception) -> None:
    with lend(Lent(error)), pytest.raises(type(error)) as raised:
        await host.complete(HELLO, "default", timeout=LONG)
    assert raised.value is error


async def test_an_empty_answer_is_none(host: Provider) -> None:
    with lend(Lent(saying(" \n"))), pytest.raises(BadAnswer, match="empty"):
        await host.complete(HELLO, "default", timeout=LONG)


@pytest.mark.parametrize(
    "request_",
    [
        ChatRequest(HELLO.messages, tools=(ADD,)),
        ChatRequest(
            (*HELLO.messages, Message("assistant", tool_calls=(CALL,)), Message("tool", "1", tool_call_id="1"))
        ),
    ],
    ids=["offered now", "called before"],
)
async def test_a_model_that_may_not_call_tools_is_not_asked_where_they_matter(
    host: Provider, request_: ChatRequest
) -> None:
    lent = Lent(saying())
    with lend(lent), pytest.raises(ModelNotFound, match="call tools"):
        await host.complete(request_, "default", timeout=LONG)
    assert lent.asked == []
    lent.tools = True
    with lend(lent):
        await host.complete(request_, "default", timeout=LONG)
    assert [request for request, _, _ in lent.asked] == [request_]


async def test_a_picture_that_is_only_an_address_is_left_to_another_model(host: Provider) -> None:
    def with_picture(url: str) -> ChatRequest:
        return ChatRequest((Message("user", "What is it?", images=(Image(url),)),))

    lent = Lent(saying("A bird."))
    with lend(lent):
        with pytest.raises(ModelNotFound, match="send the picture itself"):
            await host.complete(with_picture("https://example.org/bird.png"), "default", timeout=LONG)
        await host.complete(with_picture("data:image/png;base64,AAAA"), "default", timeout=LONG)
    assert len(lent.asked) == 1


async def test_it_makes_no_vectors(host: Provider) -> None:
    with lend(Lent(saying())), pytest.raises(ModelNotFound, match="embedding"):
        await host.embed(["text"], "default", timeout=LONG)


def test_what_it_costs_is_unknown_rather_than_nothing() -> None:
    assert cost_nano_usd("host", "default", None, {}) is None


def test_it_is_asked_for_a_form_in_words() -> None:
    assert providers.vendor("host").structured("default") == "instruction"

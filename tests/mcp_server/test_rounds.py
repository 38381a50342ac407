"""Calls in the middle of which the host is asked, by a tool of a server in this process that asks as a program may."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client
from mcp.types import (
    CallToolResult,
    CreateMessageResult,
    ElicitResult,
    ImageContent,
    InputRequiredResult,
    SamplingCapability,
    SamplingToolsCapability,
    TextContent,
)

from mcp_server.house import House
from mcp_server.presets import Offer
from mcp_server.server import create_server
from tests.mcp_server.lending import Lender, said
from tests.mcp_server.serving import ERAS, text_of
from toolkit.messages import Image, Message, ToolCall
from toolkit.toolkit import Toolkit
from toolkit.tools.tool import ToolContext, ToolResult

_, MODERN = ERAS
TOOLS = SamplingCapability(tools=SamplingToolsCapability())
SUM = ToolCall("call-1", "add", {"a": 1, "b": 2})
PICTURE = "data:image/png;base64,aGVsbG8="


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Program:
    """A toolkit whose chain is a model that fails, the host's, and one that answers; and its tool `work`."""

    def __init__(self) -> None:
        self.tk = Toolkit.open("sqlite://")
        self.tk.tools.add(add)
        self.tk.tools.add(self.work)
        self.question: dict[str, Any] = {"prompt": "Who are you?"}
        self.begun = 0
        self.ended = asyncio.Event()

    async def work(self, context: ToolContext) -> ToolResult:
        """Ask the models what the test wants asked."""
        self.begun += 1
        try:
            await context.progress(1, 2, "asking")
            replies = await asyncio.gather(*(self.tk.complete(**each) for each in self.questions))
            await context.progress(2, 2, "asked")
        finally:
            self.ended.set()
        tried = [f"{a.name} {a.error or 'ok'}" for reply in replies for a in reply.attempts]
        return ToolResult(" ".join(reply.text for reply in replies), {"tried": tried})

    @property
    def questions(self) -> list[dict[str, Any]]:
        prompts = self.question.get("prompts") or [self.question["prompt"]]
        rest = {name: value for name, value in self.question.items() if name not in ("prompt", "prompts")}
        return [{"prompt": prompt, **rest} for prompt in prompts]

    @asynccontextmanager
    async def lent(self, lender: Lender, era: str, **more: Any) -> AsyncIterator[Client]:
        """A host of that era that lends its model."""
        server = create_server(House(lambda: self.tk), Offer.of("work"))
        async with Client(server, mode=ERAS[era], sampling_callback=lender, **more) as client:
            assert client.protocol_version == era
            yield client


@pytest.fixture
async def program() -> AsyncIterator[Program]:
    made = Program()
    async with made.tk as tk:
        broken = {"say": [{"error": "QuotaExceeded"}]}
        await tk.models.add("scripted", "broken", name="broken", priority=1, config=broken)
        await tk.models.add("host", "default", name="host", priority=5)
        await tk.models.add("scripted", "m", name="next", priority=10, config={"say": ["I am the next one."]})
        yield made


@pytest.mark.parametrize("era", ERAS)
async def test_a_call_that_asks_its_host_is_begun_once_and_every_model_before_is_asked_once(
    program: Program, era: str
) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:  # noqa: ARG001 - the SDK's
        heard.append(message)

    async with program.lent(Lender("I am the host's."), era) as client:
        result = await client.call_tool("work", progress_callback=hear)
    assert text_of(result) == "I am the host's."
    assert result.structured_content["tried"] == ["broken QuotaExceeded", "host ok"]
    assert program.begun == 1
    assert heard == ["asking", "asking broken", "asking host; broken failed (QuotaExceeded)", "asked"]


@pytest.mark.parametrize("era", ERAS)
async def test_everything_that_is_asked_reaches_the_host(program: Program, era: str) -> None:
    program.question = {
        "prompt": [
            Message("system", "Be brief."),
            Message("user", "What is it?", images=(Image(PICTURE),)),
            Message("assistant", "A bird."),
            Message("user", "Which?"),
        ],
        "model": "sonnet",
        "system": "Speak English.",
        "temperature": 0.5,
        "max_tokens": 77,
        "stop": ["END"],
        "extra": {"effort": "low"},
    }
    await program.tk.models.add("host", "sonnet", name="sonnet")
    lender = Lender("A jay.")
    async with program.lent(lender, era) as client:
        assert text_of(await client.call_tool("work")) == "A jay."
    [asked] = lender.asked
    assert asked.system_prompt == "Speak English.\n\nBe brief."
    assert [(each.role, each.content) for each in asked.messages] == [
        ("user", TextContent(type="text", text="What is it?")),
        ("user", ImageContent(type="image", data="aGVsbG8=", mime_type="image/png")),
        ("assistant", TextContent(type="text", text="A bird.")),
        ("user", TextContent(type="text", text="Which?")),
    ]
    assert (asked.temperature, asked.max_tokens, asked.stop_sequences) == (0.5, 77, ["END"])
    assert asked.metadata == {"effort": "low"}
    assert asked.model_preferences is not None
    assert [hint.name for hint in asked.model_preferences.hints or []] == ["sonnet"]


@pytest.mark.parametrize("era", ERAS)
async def test_a_host_may_lend_a_model_that_calls_the_toolkits_tools(program: Program, era: str) -> None:
    program.question |= {"tools": ["add"], "model": "host"}
    lender = Lender(SUM, "It is 3.")
    async with program.lent(lender, era, sampling_capabilities=TOOLS) as client:
        assert text_of(await client.call_tool("work")) == "It is 3."
    first, second = lender.asked
    assert first.tools is not None
    assert [tool.name for tool in first.tools] == ["add"]
    assert first.model_preferences is None
    _, wish, result = (message.content_as_list for message in second.messages)
    assert [(block.type, block.id, block.input, block.meta) for block in wish if block.type == "tool_use"] == [
        ("tool_use", "call-1", {"a": 1, "b": 2}, {"thought": "signed"})
    ]
    assert [(b.tool_use_id, b.content) for b in result if b.type == "tool_result"] == [
        ("call-1", [TextContent(type="text", text="3")])
    ]


@pytest.mark.parametrize("era", ERAS)
async def test_a_host_whose_model_calls_no_tools_is_not_asked_to(program: Program, era: str) -> None:
    program.question |= {"tools": ["add"]}
    lender = Lender("It is 3.")
    async with program.lent(lender, era) as client:
        result = await client.call_tool("work")
    assert result.structured_content["tried"] == ["broken QuotaExceeded", "host ModelNotFound", "next ok"]
    assert lender.asked == []


@pytest.mark.parametrize("era", ERAS)
async def test_two_questions_of_one_call_get_an_answer_each(program: Program, era: str) -> None:
    program.question = {"prompts": ["One?", "Two?"], "model": "host"}

    class Echo(Lender):
        async def __call__(self, context: Any, params: Any) -> CreateMessageResult:
            await super().__call__(context, params)
            return said(f"to {params.messages[0].content.text}")

    async with program.lent(Echo(""), era) as client:
        assert text_of(await client.call_tool("work")) == "to One? to Two?"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize(("reason", "finish"), [("maxTokens", "length"), ("endTurn", "stop"), ("whatever", "stop")])
async def test_the_reply_says_why_the_hosts_model_stopped(program: Program, era: str, reason: str, finish: str) -> None:
    reasons: list[str] = []

    class Stopping(Lender):
        async def __call__(self, context: Any, params: Any) -> CreateMessageResult:  # noqa: ARG002 - the SDK's
            return said("Once upon", stop_reason=reason)

    async def work() -> str:
        """Ask."""
        reasons.append((await program.tk.complete("Tell me.", model="host")).finish_reason)
        return "told"

    program.tk.tools.remove("work")
    program.tk.tools.add(work)
    async with program.lent(Stopping(""), era) as client:
        await client.call_tool("work")
    assert reasons == [finish]


async def test_what_is_no_answer_of_a_model_is_none(program: Program) -> None:
    async with program.lent(Lender("unused"), MODERN) as client:
        waiting = await call(client)
        wrong = dict.fromkeys(waiting.input_requests or {}, ElicitResult(action="accept", content={}))
        result = await finish(client, waiting, wrong)
        for _ in range(5):  # a bad answer is worth another try
            if isinstance(result, CallToolResult):
                break
            result = await finish(client, result, dict.fromkeys(result.input_requests or {}, wrong["model-1"]))
    assert isinstance(result, CallToolResult)
    assert set(result.structured_content["tried"]) == {"broken QuotaExceeded", "host BadAnswer", "next ok"}


async def test_what_the_host_does_not_bring_it_is_asked_again(program: Program) -> None:
    async with program.lent(Lender("unused"), MODERN) as client:
        first = await call(client)
        second = await finish(client, first, {})
        assert isinstance(second, InputRequiredResult)
        assert second.input_requests == first.input_requests
        assert second.request_state != first.request_state
        result = await finish(client, second, {"model-1": said("At last."), "nobody-asked": said("No.")})
    assert isinstance(result, CallToolResult)
    assert text_of(result) == "At last."
    assert program.begun == 1


async def test_a_host_is_not_asked_again_what_nobody_wants_to_know_any_more(program: Program) -> None:
    async def work() -> str:
        """Ask, and think better of it."""
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(program.tk.complete("One?", model="host"), 0.05)
        asking.set()
        return (await program.tk.complete("Two?", model="host")).text

    asking = asyncio.Event()
    program.tk.tools.remove("work")
    program.tk.tools.add(work)
    async with program.lent(Lender("unused"), MODERN) as client:
        first = await call(client)
        await asking.wait()
        second = await finish(client, first, {})
        assert isinstance(second, InputRequiredResult)
        assert list(second.input_requests or {}) == ["model-2"]
        result = await finish(client, second, {"model-2": said("Two.")})
    assert isinstance(result, CallToolResult)
    assert text_of(result) == "Two."


@pytest.mark.parametrize("how", ["twice", "with other arguments", "with a ticket of its own making"])
async def test_a_host_cannot_go_on_with_a_call_that_is_not_waiting_for_it(program: Program, how: str) -> None:
    async with program.lent(Lender("unused"), MODERN) as client:
        waiting = await call(client)
        answers = {"model-1": said("Mine.")}
        arguments: dict[str, Any] = {}
        match how:
            case "twice":
                assert isinstance(await finish(client, waiting, answers), CallToolResult)
            case "with other arguments":
                arguments = {"more": 1}
            case _:
                waiting = waiting.model_copy(update={"request_state": "guessed"})
        result = await finish(client, waiting, answers, **arguments)
    assert isinstance(result, CallToolResult)
    assert result.is_error
    assert text_of(result) == "work no longer waits for what the host was asked; call it again."
    assert program.begun == 1


async def test_a_host_that_comes_back_too_late_is_told_to_call_again(program: Program) -> None:
    await program.tk.models.set("host", config={"timeout": 0.05})
    async with program.lent(Lender("unused"), MODERN) as client:
        waiting = await call(client)
        await program.ended.wait()
        result = await finish(client, waiting, {"model-1": said("Late.")})
        assert isinstance(result, CallToolResult)
        assert result.is_error
        assert "call it again" in text_of(result)
        calls = await program.tk.usage.calls()
    asked = {(each.attempt.name, each.attempt.error) for each in calls}
    assert asked == {("broken", "QuotaExceeded"), ("host", "Cancelled")}


async def test_a_call_that_waits_ends_with_its_server(program: Program) -> None:
    async with program.lent(Lender("unused"), MODERN) as client:
        await call(client)
        assert not program.ended.is_set()
    assert program.ended.is_set()


async def test_a_call_that_nobody_comes_back_for_is_forgotten(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcp_server.rounds.KEPT_SECONDS", 0.05)
    async with program.lent(Lender("unused"), MODERN) as client:
        await call(client)
        async with asyncio.timeout(20):
            await program.ended.wait()


async def test_a_call_that_is_cancelled_after_its_host_was_asked_ends(program: Program) -> None:
    going_on = asyncio.Event()

    async def work() -> str:
        """Ask, and then wait."""
        await program.tk.complete("Who are you?", model="host")
        going_on.set()
        try:
            await asyncio.sleep(3600)
        finally:
            program.ended.set()
        return "never"

    program.tk.tools.remove("work")
    program.tk.tools.add(work)
    async with program.lent(Lender("I am the host's."), MODERN) as client:
        calling = asyncio.create_task(client.call_tool("work"))
        await going_on.wait()
        calling.cancel()
        async with asyncio.timeout(20):
            await program.ended.wait()


async def call(client: Client) -> InputRequiredResult:
    """A call that has asked its host and is waiting."""
    result = await client.session.call_tool("work", allow_input_required=True)
    assert isinstance(result, InputRequiredResult)
    return result


async def finish(
    client: Client, waiting: InputRequiredResult, answers: Any, **arguments: Any
) -> CallToolResult | InputRequiredResult:
    """What comes of the call when the host is back."""
    return await client.session.call_tool(
        "work",
        arguments or None,
        input_responses=answers,
        request_state=waiting.request_state,
        allow_input_required=True,
    )

"""Answers in a form, through the whole house: the real SDKs against a server that speaks their wire."""

import dataclasses
import enum
import json
import re
from collections.abc import AsyncIterator, Iterable
from datetime import date
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, Field

from toolkit import Toolkit, open_sync
from toolkit.errors import AnswerInvalid
from toolkit.messages import Message, Reply, ToolCall
from toolkit.settings import Settings
from toolkit.testing.vendors import Fault, VendorServer


class City(BaseModel):
    """A city."""

    name: str
    people: int = Field(gt=0)


@dataclasses.dataclass
class Trip:
    start: date
    cities: list[City]


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "bad"


ULM = City(name="Ulm", people=126_000)
GOOD = '{"name": "Ulm", "people": 126000}'
BAD = '{"name": "Ulm", "people": 0}'
WAYS = [
    (provider, how)
    for provider in ("openai/gpt-4o", "anthropic/claude-sonnet-4-5")
    for how in ("native", "tool", "instruction")
]


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


@pytest.fixture
async def tk(vendors: VendorServer) -> AsyncIterator[Toolkit]:
    async with Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url="sqlite://")) as opened:
        yield opened


@pytest.fixture(params=["whole", "streamed"])
def streamed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "streamed")


@pytest.fixture(params=WAYS, ids=lambda way: "-".join(way).replace("/", "-"))
async def way(request: pytest.FixtureRequest, tk: Toolkit) -> str:
    """How the model `it` is made to answer in a form."""
    (provider, _, model), how = request.param[0].partition("/"), str(request.param[1])
    await tk.models.add(provider, model, name="it", config={"structured": how})
    return how


async def ask(tk: Toolkit, *, streamed: bool, **keywords: Any) -> Reply:
    keywords = {"response_model": City, "model": "it", **keywords}
    if not streamed:
        return await tk.complete("Which city?", **keywords)
    last = None
    async for delta in tk.stream("Which city?", **keywords):
        last = delta
    assert last is not None
    assert last.reply is not None
    return last.reply


def said(how: str, text: str) -> str | Message:
    """What a model says that is asked in this way."""
    if how == "instruction":
        return f"Here you are:\n```json\n{text}\n```"
    if how == "tool":
        return Message("assistant", "", tool_calls=(ToolCall("c", "City", json.loads(text)),))
    return text


async def test_every_way_over_either_vendor_gives_the_instance(
    tk: Toolkit, vendors: VendorServer, way: str, streamed: bool
) -> None:
    vendors.say(said(way, GOOD))
    reply = await ask(tk, streamed=streamed)
    assert (reply.parsed, json.loads(reply.text)) == (ULM, json.loads(GOOD))
    assert (len(reply.attempts), reply.message.tool_calls, reply.finish_reason) == (1, (), "stop")


async def test_in_every_way_a_model_is_told_what_does_not_fit(
    tk: Toolkit, vendors: VendorServer, way: str, streamed: bool
) -> None:
    session = await tk.sessions.create()
    vendors.say(said(way, BAD), said(way, GOOD))
    reply = await ask(tk, streamed=streamed, session=session.id)
    assert (reply.parsed, len(reply.attempts)) == (ULM, 2)
    assert "people: Input should be greater than 0 (got 0)" in str(vendors.requests[1].body["messages"][-1])
    assert len(await tk.usage.calls(call_id=reply.call_id)) == 2
    kept = [(message.role, message.text) for message in await tk.sessions.messages(session.id)]
    assert kept == [("user", "Which city?"), ("assistant", reply.text)]


async def test_in_every_way_tools_are_called_before_the_answer(
    tk: Toolkit, vendors: VendorServer, way: str, streamed: bool
) -> None:
    @tk.tool
    def people_of(city: str) -> int:
        """How many live there."""
        return len(city) * 42_000

    vendors.call_tool("people_of", {"city": "Ulm"})
    vendors.say(said(way, GOOD))
    reply = await ask(tk, streamed=streamed, tools=["people_of"])
    assert (reply.parsed, len(reply.attempts)) == (ULM, 2)
    assert "126000" in str(vendors.requests[1].body["messages"][-1])


async def test_in_every_way_the_stream_shows_how_the_answer_grows(tk: Toolkit, vendors: VendorServer, way: str) -> None:
    vendors.say(said(way, BAD), said(way, GOOD))
    deltas = [delta async for delta in tk.stream("Which city?", model="it", response_model=City)]
    again = next(number for number, delta in enumerate(deltas) if delta.restarted)
    assert [delta.restarted for delta in deltas].count(True) == 1
    assert json.loads("".join(delta.text for delta in deltas[again:])) == json.loads(GOOD)
    seen = [len(delta.partial) for delta in deltas[again:] if delta.partial is not None]
    assert (seen == sorted(seen), seen[-1]) == (True, 2)


async def test_the_next_vendor_answers_in_its_own_way(tk: Toolkit, vendors: VendorServer, streamed: bool) -> None:
    await tk.models.add("openai", "gpt-4o", name="sick", priority=1)
    await tk.models.add("anthropic", "claude-sonnet-4-5", name="well", priority=2, config={"structured": "tool"})
    vendors.fail("openai", Fault.status(503))
    vendors.say(said("tool", GOOD), vendor="anthropic")
    reply = await ask(tk, streamed=streamed, model="sick", fallbacks=["well"])
    assert (reply.parsed, reply.model) == (ULM, "well")


async def test_a_stream_that_breaks_off_in_the_middle_of_the_json_is_begun_again(
    tk: Toolkit, vendors: VendorServer
) -> None:
    await tk.models.add("openai", "gpt-4o", name="sick", priority=1)
    await tk.models.add("anthropic", "claude-sonnet-4-5", name="well", priority=2, config={"structured": "native"})
    vendors.fail("openai", Fault.cut(after=3))
    vendors.say(GOOD, GOOD)
    reply = await ask(tk, streamed=True, model="sick", fallbacks=["well"])
    assert (reply.parsed, reply.text) == (ULM, GOOD)


async def test_a_server_that_knows_no_forms_is_asked_in_words_within_the_same_attempt(
    tk: Toolkit, vendors: VendorServer, streamed: bool
) -> None:
    await tk.models.add("openai", "local", name="it", config={"structured": "native"})
    vendors.fail("openai", Fault.status(400, "extra fields not permitted: response_format"), times=1)
    vendors.say(said("instruction", GOOD))
    reply = await ask(tk, streamed=streamed)
    assert (reply.parsed, len(reply.attempts), len(vendors.requests)) == (ULM, 1, 2)


@pytest.mark.parametrize(
    "answer",
    [
        (list[City], f'{{"answer": [{GOOD}]}}', [ULM]),
        (Iterable[City], f'{{"answer": [{GOOD}]}}', [ULM]),
        (City | None, '{"answer": null}', None),
        (Literal["yes", "no"], '{"answer": "yes"}', "yes"),
        (Mood, '{"answer": "bad"}', Mood.BAD),
        (int, '{"answer": 4}', 4),
        (dict[str, int], '{"a": 4}', {"a": 4}),
        (Trip, f'{{"start": "2026-03-01", "cities": [{GOOD}]}}', Trip(date(2026, 3, 1), [ULM])),
    ],
)
async def test_any_type_may_be_asked_for(
    tk: Toolkit, vendors: VendorServer, answer: tuple[Any, str, Any], streamed: bool
) -> None:
    kind, text, value = answer
    vendors.say(text)
    reply = await ask(tk, streamed=streamed, model="openai/gpt-4o", response_model=kind)
    assert (reply.parsed, reply.text) == (value, text)


async def test_what_never_fits_is_an_error_that_says_so(tk: Toolkit, vendors: VendorServer, streamed: bool) -> None:
    vendors.say(BAD, BAD)
    with pytest.raises(AnswerInvalid, match=r"asked 2 times for City, .*people: Input should be greater than 0"):
        await ask(tk, streamed=streamed, model="openai/gpt-4o", validation_retries=1)


async def test_only_models_that_satisfy_the_requirements_are_asked(
    tk: Toolkit, vendors: VendorServer, streamed: bool
) -> None:
    vendors.say(GOOD, GOOD)
    for provider in ("openai", "anthropic"):
        reply = await ask(tk, streamed=streamed, model=None, requirements={"provider": provider})
        assert [attempt.provider for attempt in reply.attempts] == [provider]


async def test_where_the_first_model_is_silent_a_second_one_is_asked_meanwhile(
    tk: Toolkit, vendors: VendorServer, streamed: bool
) -> None:
    vendors.fail("openai", Fault.hang())
    vendors.say(GOOD, vendor="anthropic")
    reply = await ask(tk, streamed=streamed, model=None, hedge=0.05)
    assert (reply.parsed, [attempt.provider for attempt in reply.attempts if attempt.ok]) == (ULM, ["anthropic"])


def test_without_await_it_is_the_same(vendors: VendorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in vendors.environ().items():
        monkeypatch.setenv(name, value)
    vendors.say(BAD, GOOD, GOOD)
    with open_sync("sqlite://") as tk:
        assert tk.complete("Which city?", model="openai/gpt-4o", response_model=City).parsed == ULM
        *deltas, last = tk.stream("Which city?", model="openai/gpt-4o", response_model=City)
    assert deltas[-1].partial == json.loads(GOOD)
    assert last.reply.parsed == ULM


PAGE = (Path(__file__).parent.parent / "docs" / "structured.md").read_text(encoding="utf-8")
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.mark.parametrize(
    "case",
    [
        (0, ['{"name": "München", "people": 0}', '{"name": "München", "people": 1500000}'], "München 1500000"),
        (
            1,
            [
                '{"answer": [{"fact": "They met.", "quote": "Ada saw Grace"}]}',
                '{"answer": [{"fact": "They met.", "quote": "Ada met Grace"}]}',
            ],
            "They met. Ada met Grace 2\n",
        ),
        (2, ['{"answer": [{"name": "München", "people": 1500000}]}'], "so far: [{'name': 'München'}]\n"),
        (3, [], ""),
    ],
)
def test_the_programs_of_the_page_run_as_they_stand_there(
    vendors: VendorServer,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    case: tuple[int, list[str], str],
) -> None:
    number, answers, printed = case
    assert len(PROGRAMS) == 4
    for name, value in (vendors.environ() | {"TOOLKIT_DATABASE_URL": "sqlite://"}).items():
        monkeypatch.setenv(name, value)
    vendors.say(*answers)
    exec(compile(PROGRAMS[number], "docs/structured.md", "exec"), {"__name__": "__main__"})
    assert printed in capsys.readouterr().out

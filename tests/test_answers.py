"""What the toolkit can be asked beside one question: several models, many questions, and a question once more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from toolkit import Document, Toolkit, open_sync
from toolkit.errors import AllModelsFailed, CassetteMiss, ConfigError, NotFound, RateLimited, ToolkitError
from toolkit.messages import Reply, ToolCall
from toolkit.settings import Settings
from toolkit.testing.vendors import Fault, VendorServer
from toolkit.tools.tool import Tool


@pytest.fixture
async def vendors() -> AsyncIterator[VendorServer]:
    async with VendorServer() as server:
        yield server


OPENAI, ANTHROPIC = "openai/gpt-5-mini", "anthropic/claude-haiku-5-5"


@pytest.fixture
async def tk(database_url: str, vendors: VendorServer) -> AsyncIterator[Toolkit]:
    """A toolkit with two vendors: openai is asked first, then anthropic."""
    async with Toolkit.open(settings=Settings.from_env(vendors.environ(), database_url=database_url)) as opened:
        yield opened


async def test_models_are_compared_side_by_side_and_one_that_fails_says_why(tk: Toolkit, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(401))
    vendors.say("Paris.", vendor="anthropic")
    answers = await tk.compare("What is the capital of France?", models=[ANTHROPIC, OPENAI], timeout=5.0)
    assert list(answers) == [ANTHROPIC, OPENAI]
    told, failed = answers.values()
    assert isinstance(told, Reply)
    assert told.text == "Paris."
    assert isinstance(failed, AllModelsFailed)


@pytest.mark.parametrize(
    ("models", "more"),
    [([], {}), (["openai", "openai"], {}), (["openai"], {"session": "x"}), (["openai"], {"fallbacks": "chain"})],
)
async def test_a_comparison_that_makes_no_sense_is_refused(
    tk: Toolkit, models: list[str], more: dict[str, Any]
) -> None:
    with pytest.raises(ConfigError):
        await tk.compare("hi", models=models, **more)


async def test_an_edited_question_begins_a_branch_and_the_old_one_stays(tk: Toolkit, vendors: VendorServer) -> None:
    session = await tk.sessions.create(title="Trip")
    for answer in ("One.", "Two.", "Three."):
        vendors.say(answer, vendor="openai")
    await tk.complete("first", session=session.id)
    await tk.complete("second", session=session.id)
    reply = await tk.edit(session.id, 3, "another second")
    assert reply.session_id not in (None, session.id)
    said = [m.text for m in await tk.sessions.messages(reply.session_id or "")]
    assert said == ["first", "One.", "another second", "Three."]
    assert [m.text for m in await tk.sessions.messages(session.id)] == ["first", "One.", "second", "Two."]
    assert [branch.id for branch in await tk.sessions.branches(session.id)] == [reply.session_id]


async def test_the_last_question_is_asked_once_more_in_a_branch(tk: Toolkit, vendors: VendorServer) -> None:
    session = await tk.sessions.create()
    vendors.say("No.", vendor="openai")
    vendors.say("Yes.", vendor="anthropic")
    await tk.complete("Is it?", session=session.id)
    reply = await tk.regenerate(session.id, model=ANTHROPIC)
    assert reply.text == "Yes."
    assert [m.text for m in await tk.sessions.messages(reply.session_id or "")] == ["Is it?", "Yes."]


async def test_a_branch_whose_question_nobody_answers_is_not_left_behind(tk: Toolkit, vendors: VendorServer) -> None:
    session = await tk.sessions.create()
    await tk.complete("Is it?", session=session.id)
    vendors.fail("openai", Fault.status(401))
    with pytest.raises(AllModelsFailed):
        await tk.regenerate(session.id, model=OPENAI)
    assert [each.id for each in await tk.sessions.list()] == [session.id]


async def test_only_a_question_can_be_edited(tk: Toolkit) -> None:
    session = await tk.sessions.create()
    with pytest.raises(NotFound, match="Nothing was asked"):
        await tk.regenerate(session.id)
    await tk.complete("hi", session=session.id)
    for place in (0, 2, 3):
        with pytest.raises(ConfigError, match="not a question"):
            await tk.edit(session.id, place, "x")


async def test_a_batch_is_answered_in_order_and_an_error_does_not_stop_it(tk: Toolkit) -> None:
    requests = ["one", {"prompt": "two", "model": "nobody"}, {"prompt": "three", "user": "ada"}]
    async with aclosing(tk.batch(requests, concurrency=2, origin="night")) as outcomes:
        found = [outcome async for outcome in outcomes]
    assert [type(outcome).__name__ for outcome in found] == ["Reply", "NotFound", "Reply"]
    assert {(call.user, call.origin) for call in await tk.usage.calls()} == {(None, "night"), ("ada", "night")}


async def test_a_question_in_the_background_is_answered_and_can_be_asked_for(
    tk: Toolkit, vendors: VendorServer
) -> None:
    vendors.say("Paris.", vendor="openai")
    place = await tk.events.last()
    accepted = await tk.generate("What is the capital of France?", user="ada")
    done = await tk.jobs.wait(accepted.id, 10.0)
    assert done.status == "completed"
    generation = await tk.jobs.generation(accepted.id)
    assert generation.reply
    assert generation.reply.text == "Paris."
    async with aclosing(tk.events.subscribe("generation.*", after=place)) as events:
        kinds = [(await anext(events)).kind for _ in range(2)]
    assert kinds == ["generation.requested", "generation.completed"]


async def test_another_service_may_wish_answers_to_be_forgotten(tk: Toolkit) -> None:
    for question in ("old news", "old prices", "new prices"):
        await tk.complete(question, cache=True)
    assert await tk.accept("cache.invalidate", "x", {"pattern": "old *"}) == {"invalidated": 2}
    first = (await tk.models.chain())[0].name
    assert await tk.accept("model.updated", first) == {"invalidated": 1}
    assert await tk.accept("cache.invalidate", "x") == {"invalidated": 0}
    with pytest.raises(ConfigError, match="there are 'model', 'prompt', 'pattern'"):
        await tk.accept("cache.invalidate", "x", {"key": "y"})
    with pytest.raises(ConfigError, match=r"body of the event 'prices\.changed' must be a mapping"):
        await tk.accept("prices.changed", "x", [1])  # type: ignore[arg-type] # as JSON of another service may be


async def test_another_service_may_wish_a_question_to_be_answered(tk: Toolkit) -> None:
    wished = await tk.accept("generation.requested", "x", {"prompt": "hi", "user": "ada"})
    assert (await tk.jobs.wait(wished["id"], 10.0)).status == "completed"
    with pytest.raises(ConfigError):
        await tk.accept("generation.requested", "x", {"no": "prompt"})


async def test_any_other_event_is_told_on(tk: Toolkit) -> None:
    place = await tk.events.last()
    assert await tk.accept("prices.changed", "list", {"n": 1}) == {}
    async with aclosing(tk.events.subscribe(after=place)) as events:
        event = await anext(events)
    assert (event.kind, event.subject, event.body) == ("prices.changed", "list", {"n": 1})


async def test_a_session_for_a_block_is_gone_after_it(tk: Toolkit) -> None:
    async with tk.session_scope(ttl=300, user="ada") as session:
        await tk.complete("hi", session=session.id)
    with pytest.raises(NotFound):
        await tk.sessions.get(session.id)


def test_a_plain_program_has_all_of_it_too(tmp_path: Path) -> None:
    with open_sync(f"sqlite:///{tmp_path / 'x.db'}") as tk:
        with tk.session_scope(ttl=300) as session:
            assert tk.complete("hi", model="offline", session=session.id).session_id == session.id
        outcomes = list(tk.batch(["a", "b"], model="offline"))
        assert [type(outcome).__name__ for outcome in outcomes] == ["Reply", "Reply"]


async def test_another_persons_session_is_not_found_by_any_question(tk: Toolkit) -> None:
    session = await tk.sessions.create(user="ada")
    await tk.complete("hi", session=session.id, user="ada", authenticated=True)
    bob: dict[str, Any] = {"user": "bob", "authenticated": True}
    with pytest.raises(NotFound):
        await tk.complete("hi", session=session.id, **bob)
    with pytest.raises(NotFound):
        await tk.edit(session.id, 1, "x", **bob)
    with pytest.raises(NotFound):
        await tk.regenerate(session.id, **bob)
    with pytest.raises(NotFound):
        async with aclosing(tk.stream("hi", session=session.id, **bob)) as deltas:
            await anext(deltas)
    assert len(await tk.sessions.messages(session.id)) == 2


async def test_what_one_proven_user_was_told_is_not_given_to_another_from_the_cache(
    tk: Toolkit, vendors: VendorServer
) -> None:
    for user in ("ada", "bob"):
        vendors.say(f"For {user}.", vendor="openai")
    told = [(await tk.complete("hi", cache=True, user=user, authenticated=True)).text for user in ("ada", "bob", "ada")]
    assert told == ["For ada.", "For bob.", "For ada."]


async def test_every_call_of_a_tool_is_in_the_ledger(tk: Toolkit, vendors: VendorServer) -> None:
    @tk.tool(destructive=True)
    def erase(name: str) -> str:
        """Erase something."""
        return name

    async def no(_call: ToolCall, _tool: Tool) -> bool:
        return False

    vendors.call_tool("erase", {"name": "a"}, vendor="openai")
    vendors.say("I may not.", vendor="openai")
    await tk.complete("Erase it.", tools=["erase"], approve=no, user="ada")
    await tk.tools.call("erase", {"name": "b"})
    with pytest.raises(ToolkitError):
        await tk.tools.call("erase", {})
    rows = await tk.usage.tool_calls()
    assert {(row.tool, row.status, row.user) for row in rows} == {
        ("erase", "ok", None),
        ("erase", "refused", "ada"),
        ("erase", "refused", None),
    }


async def test_the_limits_of_the_environment_hold(database_url: str, vendors: VendorServer) -> None:
    environ = {**vendors.environ(), "TOOLKIT_RATE_LIMIT_RPM": "2"}
    async with Toolkit.open(settings=Settings.from_env(environ, database_url=database_url)) as tk:
        await asyncio.gather(*(tk.complete("hi", user="ada") for _ in range(2)))
        with pytest.raises(RateLimited):
            await tk.complete("hi", user="ada")
        await tk.complete("hi", user="bob")


async def test_a_model_whose_own_limit_is_used_up_is_passed_over(tk: Toolkit) -> None:
    first, second, *_ = await tk.models.chain()
    await tk.models.set(first.name, config={**first.config, "rpm": 1})
    assert (await tk.complete("hi")).model == first.name
    reply = await tk.complete("hi")
    assert reply.model == second.name
    assert reply.attempts[0].error == "RateLimited"
    assert first.name in (reply.attempts[0].message or "")


async def test_a_prompt_that_says_so_is_a_tool(tmp_path: Path, vendors: VendorServer) -> None:
    (tmp_path / "greet.md").write_text("---\ntool: true\narguments: [whom]\n---\nGreet {{ whom }}.", encoding="utf-8")
    environ = {**vendors.environ(), "TOOLKIT_PROMPTS_DIR": str(tmp_path)}
    vendors.say("Hello, Ada.", vendor="openai")
    async with Toolkit.open(settings=Settings.from_env(environ, database_url="sqlite://")) as tk:
        result = await tk.tools.call("greet", {"whom": "Ada"})
        assert result.text.startswith("Hello, Ada.")


async def test_the_models_that_fulfil_a_wish_are_named_with_the_reason(tk: Toolkit) -> None:
    found = await tk.usage.hints("cheapest")
    assert found
    with pytest.raises(ConfigError, match="cheapest"):
        await tk.usage.hints("nicest")


async def test_without_a_model_a_batch_says_so_and_keeps_no_answer() -> None:
    async with Toolkit.open(settings=Settings("sqlite://")) as tk:
        async with aclosing(tk.batch(["one"], job="nightly")) as outcomes:
            (outcome,) = [each async for each in outcomes]
        assert isinstance(outcome, ConfigError)
        assert "OPENAI_API_KEY" in str(outcome)


async def test_a_plain_function_may_approve(tk: Toolkit, vendors: VendorServer) -> None:
    erased = []

    @tk.tool(destructive=True)
    def erase(name: str) -> str:
        """Erase something."""
        erased.append(name)
        return name

    vendors.call_tool("erase", {"name": "a"}, vendor="openai")
    vendors.say("Done.", vendor="openai")
    await tk.complete("Erase it.", tools="erase", approve=lambda _call, _tool: True)
    assert erased == ["a"]


async def test_answers_to_a_prompt_of_the_library_are_forgotten_by_its_id(tk: Toolkit) -> None:
    await tk.complete("Greet Ada.", cache=True, prompt_id="greet")
    await tk.complete("Greet Bob.", cache=True)
    assert await tk.cache.invalidate(prompt="greet") == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"cache": "bad"},
        {"queue": -1},
        {"queue": "x"},
        {"timeout": "x"},
        {"max_tokens": -1},
        {"max_tokens": True},
        {"temperature": "hot"},
        {"user": 5},
        {"model": 5},
    ],
    ids=str,
)
async def test_an_argument_that_cannot_be_is_refused_by_name(tk: Toolkit, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        await tk.complete("hi", **wrong)


@pytest.mark.parametrize(
    "prompt", [5, None, b"x", [5], [{"role": "x", "content": "y"}], [{"role": "user", "content": 5}]]
)
async def test_a_prompt_that_is_none_is_refused_in_words(tk: Toolkit, prompt: Any) -> None:
    with pytest.raises(ConfigError):
        await tk.complete(prompt)


async def test_one_message_as_a_mapping_is_a_prompt(tk: Toolkit) -> None:
    assert (await tk.complete({"role": "user", "content": "hi"}, stop="END")).text  # type: ignore[arg-type]


async def test_an_answer_from_documents_comes_from_the_cache_until_it_is_invalidated_by_its_prompt(tk: Toolkit) -> None:
    await tk.ingest(Document("birds.md", "The wren sings at dawn."))
    first = await tk.answer("When does the wren sing?", cache=True)
    again = await tk.answer("When does the wren sing?", cache=True)
    assert (first.reply.cached, again.reply.cached) == (False, True)
    assert again.text == first.text
    assert await tk.cache.invalidate(prompt="answer_from_sources") == 1


async def test_what_the_last_resort_said_is_not_kept() -> None:
    async with Toolkit.open(settings=Settings("sqlite://")) as tk:
        await tk.ingest(Document("birds.md", "The wren sings at dawn."))
        answers = [(await tk.answer("When does the wren sing?", cache=True)).reply for _ in range(2)]
    assert [answer.cached for answer in answers] == [False, False]


async def test_a_comparison_in_a_replay_fails_where_the_cassette_has_no_answer(tmp_path: Path) -> None:
    tape = tmp_path / "tape.yaml"
    tape.write_text("toolkit_cassette: 1\nrecorded: '2026-01-01'\nepisodes: []\n")
    settings = Settings.from_env({"OPENAI_API_KEY": "x", "TOOLKIT_CASSETTE": str(tape)}, database_url="sqlite://")
    async with Toolkit.open(settings=settings) as tk:
        with pytest.raises(CassetteMiss):
            await tk.compare("hi", models=[OPENAI, "openai/gpt-5"])

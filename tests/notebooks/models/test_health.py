"""How each model fares: what the pills say, and what a test of a model gives."""

import asyncio
from typing import Any

import pytest

from notebooks.models.panel import ModelsPanel
from tests.notebooks.models.conftest import row
from tests.notebooks.seeing import seen
from toolkit.testing.vendors import Fault, VendorServer

OPENAI, ANTHROPIC = "gpt-6-luna", "claude-haiku-5-5"


def health(panel: ModelsPanel, name: str) -> str:
    value: str = row(panel, name)._health.value
    return value


async def test_a_model_that_nobody_asked_is_said_to_be_ready_and_never_asked(panel: ModelsPanel) -> None:
    assert 'toolkit-quiet">ready, never asked<' in health(panel, OPENAI)


async def test_an_answer_anywhere_brings_the_median(panel: ModelsPanel, elsewhere: Any) -> None:
    await elsewhere.complete("Who?")
    told = await seen(panel, row(panel, OPENAI)._health, "value", lambda html: "toolkit-good" in html)
    assert ">ready · " in told
    assert ">its last answer<" in told
    assert list(panel.to_frame()["milliseconds"].notna()) == [True, False, False]


async def test_a_key_that_is_not_set_is_named(tk: Any, panel: ModelsPanel) -> None:
    await tk.models.add("groq", "llama", auth={"api_key_env": "TEAM_GROQ_KEY"})
    await seen(panel, panel._list, "children", lambda rows: len(rows) == 4)
    assert 'toolkit-bad">no key<' in health(panel, "llama")
    assert ">set TEAM_GROQ_KEY<" in health(panel, "llama")


async def test_a_rest_says_until_when_and_why_and_is_looked_at_again_at_its_end(
    tk: Any, panel: ModelsPanel, vendors: VendorServer
) -> None:
    vendors.fail("openai", Fault.status(429, "Slow down, please.", headers={"retry-after": "90"}))
    await tk.complete("Who?")
    told = await seen(panel, row(panel, OPENAI)._health, "value", lambda html: "resting until " in html)
    assert "toolkit-warn" in told
    assert "Slow down, please" in told
    again = await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(panel._look(), panel._home))
    assert again is not None
    assert 0 < again <= 90


async def test_the_last_error_is_told_in_plain_words(tk: Any, panel: ModelsPanel, vendors: VendorServer) -> None:
    vendors.fail("openai", Fault.status(400, "There is <b>no</b> such parameter."))
    with pytest.raises(Exception, match="parameter"):
        await tk.complete("Who?", model=OPENAI)
    told = await seen(panel, row(panel, OPENAI)._health, "value", lambda html: "last time: did not take" in html)
    assert "There is &lt;b&gt;no&lt;/b&gt; such parameter" in told
    vendors.recover()
    await tk.complete("Who?", model=OPENAI)
    await seen(panel, row(panel, OPENAI)._health, "value", lambda html: ">ready · " in html)


async def test_what_a_test_costs_is_said_before_and_after(panel: ModelsPanel) -> None:
    assert "A test asks “Answer with the one word: ready”, all of them for about $0.0000" in panel._note.value
    row(panel, OPENAI).test.click()
    told = await seen(panel, row(panel, OPENAI)._health, "value", lambda html: "answered in" in html)
    assert " tokens · $0.0000" in told


async def test_a_model_whose_price_is_unknown_is_not_said_to_be_free(tk: Any, panel: ModelsPanel) -> None:
    await tk.models.add("openai", "made-up-model")
    await seen(panel, panel._note, "value", lambda html: "besides 1 whose price is unknown" in html)


async def test_each_result_comes_when_it_is_there(panel: ModelsPanel, vendors: VendorServer) -> None:
    vendors.fail("anthropic", Fault.hang())
    panel._test_all.click()
    await seen(panel, row(panel, OPENAI)._health, "value", lambda html: "answered in" in html)
    assert "asking …" in health(panel, ANTHROPIC)
    assert row(panel, ANTHROPIC).test.disabled
    assert not row(panel, OPENAI).test.disabled


async def test_a_test_of_all_is_summed_up(panel: ModelsPanel) -> None:
    panel._test_all.click()
    told = await seen(panel, panel._said, "value", lambda html: "answered; that took" in html)
    assert "3 of 3 answered; that took $0.0000" in told


async def test_a_test_gives_the_trial_and_a_test_of_all_each_one_by_name(
    panel: ModelsPanel, vendors: VendorServer
) -> None:
    assert (await panel.test(OPENAI)).ok
    vendors.fail("anthropic", Fault.status(401, "The key sk-ant-1234567890abcdef is wrong."))
    trials = await panel.test()
    assert {name: trial.ok for name, trial in trials.items()} == {OPENAI: True, ANTHROPIC: False, "offline": True}
    assert 'toolkit-bad">does not answer<' in health(panel, ANTHROPIC)
    assert "AuthenticationFailed" in health(panel, ANTHROPIC)
    assert "1234567890" not in health(panel, ANTHROPIC)


async def test_a_model_without_a_key_is_not_asked(tk: Any, panel: ModelsPanel, vendors: VendorServer) -> None:
    await tk.models.add("groq", "llama")
    trial = await panel.test("llama")
    assert not trial.asked
    assert "set GROQ_API_KEY" in health(panel, "llama")
    assert vendors.requests == []


async def test_what_a_test_gave_makes_way_for_what_comes_later(
    tk: Any, panel: ModelsPanel, vendors: VendorServer
) -> None:
    vendors.fail("openai", Fault.status(400, "No."), times=1)
    assert not (await panel.test(OPENAI)).ok
    assert "does not answer" in health(panel, OPENAI)
    await tk.complete("Who?", model=OPENAI)
    await seen(panel, row(panel, OPENAI)._health, "value", lambda html: ">ready · " in html)

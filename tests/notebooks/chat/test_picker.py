"""Which model answers, how each fares, and what it costs."""

from typing import Any

from notebooks.chat.meters import meters
from notebooks.chat.panel import ChatPanel
from tests.notebooks.chat.said import until
from toolkit.sessions.filling import Filling
from toolkit.testing.vendors import Fault, VendorServer

NO_MONEY = Fault.status(429, "You exceeded your current quota.", error_code="insufficient_quota")


def fares(panel: ChatPanel) -> dict[str, str]:
    return {name: label.rpartition(" · ")[2] for label, name in panel._picker.choices if name}


async def test_the_chain_is_offered_with_how_each_model_fares(tk: Any, vendors: VendorServer) -> None:
    panel = ChatPanel(tk)
    chain = [model.name for model in await tk.models.chain()]
    assert list(fares(panel)) == chain
    assert set(fares(panel).values()) == {"ready"}
    vendors.fail("openai", NO_MONEY)
    await panel.ask("One")
    assert fares(panel)[chain[0]] == "resting"


async def test_the_chosen_model_is_asked(tk: Any) -> None:
    panel = ChatPanel(tk)
    panel._picker.widget.value = "offline"
    assert panel.model == "offline"
    assert (await panel.ask("One")).model == "offline"
    panel.model = None
    assert (await panel.ask("Two")).model != "offline"
    assert (await panel.ask("Three", model="offline")).model == "offline"
    assert panel.model is None


async def test_a_change_of_the_models_is_seen(tk: Any) -> None:
    panel = ChatPanel(tk)
    await tk.models.add("openai", "gpt-6-luna", name="quick", priority=1)
    await until(lambda: "quick" in fares(panel))
    assert next(iter(fares(panel))) == "quick"


async def test_a_model_without_a_key_says_so(tk: Any) -> None:
    await tk.models.add("groq", "llama-4", name="far")
    panel = ChatPanel(tk)
    assert fares(panel)["far"] == "no key"


async def test_a_chosen_model_stays_chosen_where_it_is_not_in_the_chain(tk: Any) -> None:
    panel = ChatPanel(tk, model="anthropic/claude-sonnet-5")
    assert panel.model == "anthropic/claude-sonnet-5"
    assert (await panel.ask("One")).model == "anthropic/claude-sonnet-5"


async def test_a_resumed_session_shows_what_it_has_cost_and_how_full_the_window_is(tk: Any) -> None:
    session = await tk.sessions.create()
    reply = await tk.complete("One", session=session.id)
    panel = ChatPanel(tk, session.id)
    assert f"{reply.usage.input_tokens} in · {reply.usage.output_tokens} out" in panel._meters.value
    assert 'role="meter" aria-label="Context"' in panel._meters.value
    assert "1 turn<" in panel._title.value


def test_a_window_that_is_nearly_full_says_so_in_words() -> None:
    assert "nearly full" in meters(Filling("small", 900, 1000), None)
    assert "nearly full" not in meters(Filling("small", 100, 1000), None)
    assert "about 100 tokens" in meters(Filling("small", 100, None), None)

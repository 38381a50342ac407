"""The form in which a model is added."""

from typing import Any

from notebooks.models.panel import ModelsPanel
from tests.notebooks.models.conftest import names
from tests.notebooks.seeing import seen
from toolkit import providers

KEY = "sk-proj-abcdefghijklmnop1234"


async def test_every_provider_that_the_toolkit_knows_can_be_chosen(panel: ModelsPanel) -> None:
    assert panel._form.provider.options == providers.known()


async def test_the_variable_is_named_and_its_value_is_nowhere(panel: ModelsPanel) -> None:
    panel._open_form.click()
    assert panel._form.layout.display == ""
    panel._form.provider.value = "anthropic"
    assert "<code>ANTHROPIC_API_KEY</code>, which is set" in panel._form._variables.value
    panel._form.provider.value = "groq"
    assert "<code>GROQ_API_KEY</code>, which is <b>not set</b>" in panel._form._variables.value
    panel._form.provider.value = "offline"
    assert "It needs no key." in panel._form._variables.value


async def test_a_model_is_added_where_its_priority_says(tk: Any, panel: ModelsPanel) -> None:
    form = panel._form
    panel._open_form.click()
    form.model.value, form.name.value, form.priority.value = "gpt-4o-mini", "small", "505"
    form.add.click()
    await seen(panel, panel._said, "value", lambda html: "small is added" in html)
    assert names(panel) == ["gpt-6-luna", "small", "claude-haiku-5-5", "offline"]
    assert form.layout.display == "none"
    assert form.model.value == ""
    (change,) = await tk.models.history("small")
    assert change.changed_by


async def test_what_cannot_be_used_is_told_and_stays_in_the_form(panel: ModelsPanel) -> None:
    form = panel._form
    panel._open_form.click()
    form.add.click()
    assert "Say which model it is" in panel._notice.value
    form.model.value, form.priority.value = "gpt-4o-mini", "soon"
    form.add.click()
    assert "A priority is a whole number" in panel._notice.value
    form.priority.value, form.name.value = "5", "offline"
    form.add.click()
    await seen(panel, panel._notice, "value", lambda html: "taken by another model" in html)
    assert form.model.value == "gpt-4o-mini"
    assert form.layout.display == ""


async def test_a_key_that_is_typed_by_mistake_is_refused_and_forgotten(tk: Any, panel: ModelsPanel) -> None:
    panel._open_form.click()
    panel._form.model.value = KEY
    panel._form.add.click()
    told = await seen(panel, panel._notice, "value", lambda html: "looks like a key" in html)
    assert KEY not in told
    assert KEY not in panel._form.model.value
    assert names(panel) == [model.name for model in await tk.models.list()]

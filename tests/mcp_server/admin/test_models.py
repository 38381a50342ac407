"""Models are managed by plain forms."""

from typing import Any

import pytest

from tests.mcp_server.admin.person import Page, Person
from tests.mcp_server.inside import Served
from toolkit.models.model import Model
from toolkit.testing.vendors import Fault

HOSTILE = "<script>alert('x')</script>"
KEY = "sk-proj-abcdefghijklmnop"


@pytest.fixture
def three(served: Served) -> dict[str, Model]:
    """Three models, of which the last one is disabled."""
    add = served.tk.models.add
    made = (
        served.run(add("openai", "gpt-4o", name="large", priority=10, by="ada")),
        served.run(add("anthropic", "claude-haiku-5-5", name="small", priority=20, by="ada")),
        served.run(add("groq", "openai/gpt-oss-120b", name="spare", priority=30, enabled=False, by="ada")),
    )
    return {model.name: model for model in made}


def press_in_row(person: Person, page: Page, name: str, label: str) -> Page:
    row = page.row(name)
    [button] = [
        each
        for each in row.css("button")
        if label in (" ".join(each.text().split()), each.attributes.get("aria-label"))
        and "disabled" not in each.attributes
    ]
    return person.send(page, button, {})


def names(page: Page) -> list[str]:
    return page.all("tr[data-id] .name a")


def test_a_model_is_added_tested_and_asked(served: Served, person: Person) -> None:
    vendors = person.go("/admin/llms/add")
    assert "openai OPENAI_API_KEY is set" in vendors.all(".vendors li")
    assert "groq GROQ_API_KEY is not set" in vendors.all(".vendors li")

    form = person.go("/admin/llms/add?provider=openai")
    page = person.press(form, "Add", model="gpt-4o-mini", name="small", priority="7", config='{"temperature": 0.2}')
    assert page.one(".told > span") == "small is added. Test whether it answers."
    model = served.run(served.tk.models.get("small"))
    assert (model.provider, model.model, model.priority) == ("openai", "gpt-4o-mini", 7)
    assert dict(model.config) == {"temperature": 0.2}
    assert served.run(served.tk.models.history("small"))[0].changed_by == "admin page"

    served.vendors.say(f"ready {HOSTILE}")
    tried = person.press(page, "Test now")
    assert tried.all("#trial b") == ["It answers."]
    assert tried.one("#trial blockquote") == f"ready {HOSTILE}"
    assert HOSTILE not in tried.source
    assert tried.all("#trial dt") == ["Time", "Cost", "Tokens"]
    assert "$" in tried.one("#trial dd:nth-of-type(2)")
    [call] = served.run(served.tk.usage.calls(limit=1))
    assert (call.origin, call.attempt.name) == ("admin", "small")


def test_what_is_wrong_stands_beside_its_field_and_nothing_typed_is_lost(served: Served, person: Person) -> None:
    form = person.go("/admin/llms/add?provider=openai")
    typed = {
        "model": " ",
        "name": "default",
        "priority": "soon",
        "scope": "my-app",
        "config": '{"temperature": 3,}',
        "auth.api_key": "my_key",
        "more": "nothing",
    }
    page = person.press(form, "Add", **typed)
    assert page.status == 422
    assert "cannot be called 'default'" in page.one("#wrong-name")
    assert page.one("#wrong-priority") == "A priority is a whole number, such as 10."
    assert "line 1" in page.one("#wrong-config")
    assert "must be the name of an environment variable" in page.one("#wrong-auth")
    assert "NAME=VALUE" in page.one("#wrong-more")
    assert page.attribute("[name=config]", "aria-describedby") == "wrong-config h-config"
    assert {name: page.value(name) for name in typed} == {**typed, "model": ""}
    assert served.run(served.tk.models.list()) == []

    better = {"model": "m", "name": "n", "priority": "1", "config": '{"temperature": 3}', "auth.api_key": "MY_KEY"}
    again = person.press(page, "Add", **better, more="")
    assert again.all(".field .wrong") == ["The setting 'temperature' of a model must be a number from 0 to 2."]
    assert person.press(again, "Add", config="{}").status == 200
    assert dict(served.run(served.tk.models.get("n")).auth) == {"api_key_env": "MY_KEY"}


def test_the_variables_of_another_provider_are_shown_without_losing_what_was_typed(person: Person) -> None:
    form = person.go("/admin/llms/add?provider=openai")
    page = person.press(form, "Show its variables", provider="azure", model="gpt-4o", priority="3")
    assert page.attribute("[name='auth.endpoint']", "placeholder") == "AZURE_OPENAI_ENDPOINT"
    assert (page.value("model"), page.value("priority")) == ("gpt-4o", "3")


@pytest.mark.parametrize(
    "typed",
    [
        {"auth.api_key": KEY},
        {"auth.api_key": "0123456789abcdef0123456789abcdef"},
        {"more": f"api_key={KEY}"},
        {"config": '{"extra": {"k": "' + KEY + '"}}'},
        {"name": KEY},
    ],
    ids=["a key", "letters", "others", "settings", "name"],
)
def test_a_key_that_is_typed_by_mistake_is_neither_kept_nor_shown(
    served: Served, person: Person, typed: dict[str, str]
) -> None:
    page = person.press(person.go("/admin/llms/add?provider=openai"), "Add", **{"model": "m", **typed})
    assert page.status == 422
    assert KEY not in page.source
    assert "0123456789abcdef" not in page.source
    assert served.run(served.tk.models.list()) == []


def test_a_name_that_is_taken_is_told_beside_the_name(three: dict[str, Model], person: Person) -> None:
    page = person.press(person.go("/admin/llms/add?provider=openai"), "Add", model="x", name="large")
    assert (page.status, "taken" in page.one("#wrong-name")) == (422, True)
    page = person.press(person.go(f"/admin/llms/{three['small'].id}"), "Save", within=".fields .end", name="large")
    assert (page.status, "taken" in page.one("#wrong-name")) == (422, True)


def test_only_what_was_changed_is_changed_and_others_are_not_overwritten(
    served: Served, three: dict[str, Model], person: Person
) -> None:
    tk, large = served.tk, three["large"]
    form = person.go(f"/admin/llms/{large.id}")
    served.run(tk.models.set("large", priority=11, by="bob"))
    told = person.press(form, "Save", within=".fields .end", config='{"temperature": 1}')
    assert (told.status, "Somebody has changed this model" in told.one("#trouble > p")) == (422, True)
    assert "changed by bob" in told.one(".latest li:first-child")
    assert served.run(tk.models.get("large")).priority == 11

    saved = person.press(told, "Save", within=".fields .end", priority="11", scope="team")
    assert saved.one(".told > span") == "large is saved."
    [change, *_] = served.run(tk.models.history("large"))
    changed = {name for name, value in (change.after or {}).items() if value != (change.before or {})[name]}
    assert changed == {"config", "scope"}
    nothing = person.press(saved, "Save", within=".fields .end")
    assert nothing.one(".told > span") == "Nothing was changed in large."
    assert "Undo" not in nothing.all("button")


@pytest.mark.usefixtures("three")
def test_the_list_is_filtered_and_keeps_the_filter_after_a_change(person: Person) -> None:
    assert names(person.go("/admin/llms")) == ["large", "small", "spare"]
    assert names(person.go("/admin/llms?provider=anthropic")) == ["small"]
    assert names(person.go("/admin/llms?state=disabled")) == ["spare"]
    assert names(person.go("/admin/llms?state=unset")) == ["spare"]
    assert names(person.go("/admin/llms?q=GPT")) == ["large", "spare"]
    assert "No model fits." in person.go("/admin/llms?q=nothing").one(".empty")
    found = person.press(person.go("/admin/llms"), "Filter", q="spare", state="disabled")
    assert names(found) == ["spare"]
    page = press_in_row(person, found, "spare", "Enable")
    assert (page.path, names(page)) == ("/admin/llms?provider=&q=spare&state=disabled", [])
    assert page.one(".told > span") == "spare is enabled."
    assert names(person.press(page, "Undo", within=".told")) == []
    assert names(person.go("/admin/llms?state=disabled")) == ["spare"]


def test_the_order_is_changed_by_typing_and_by_steps_and_the_chain_follows(
    served: Served, three: dict[str, Model], person: Person
) -> None:
    page = person.go("/admin/llms")
    assert page.chain() == ["large", "small"]
    page = person.press(page, "Save priorities", **{f"priority.{three['large'].id}": "25"})
    assert page.one(".told > span") == "Priorities are saved: large 25."
    assert page.chain() == ["small", "large"]
    page = press_in_row(person, page, "large", "Move large up")
    assert (page.chain(), names(page)) == (["large", "small"], ["large", "small", "spare"])
    page = press_in_row(person, page, "large", "Move large down")
    assert page.chain() == ["small", "large"]
    page = press_in_row(person, page, "small", "Move small down")
    page = press_in_row(person, page, "small", "Move small down")
    assert names(page) == ["large", "spare", "small"]

    page = person.go("/admin/llms")
    served.run(served.tk.models.set("spare", priority=1, by="bob"))
    person.press(page, "Save priorities", **{f"priority.{three['large'].id}": "2"})
    assert served.run(served.tk.models.get("spare")).priority == 1
    refused = person.press(page, "Save priorities", **{f"priority.{three['large'].id}": "first"})
    assert (refused.status, "whole number" in refused.one("main p")) == (400, True)


def test_enabling_the_default_and_deleting_are_one_press_each_and_can_be_undone(
    served: Served, three: dict[str, Model], person: Person
) -> None:
    page = press_in_row(person, person.go("/admin/llms"), "small", "Make it the default")
    assert page.all("tr[data-id] .star") == ["default"]
    assert served.run(served.tk.models.default()) is not None
    page = press_in_row(person, page, "small", "No longer the default")
    assert served.run(served.tk.models.default()) is None
    page = press_in_row(person, page, "small", "Disable")
    assert page.chain() == ["large"]

    question = person.go(f"/admin/llms/{three['large'].id}/delete")
    assert question.one("h1") == "Delete large?"
    page = person.press(question, "Delete")
    assert names(page) == ["small", "spare"]
    assert "Nobody." in page.one("aside")
    page = person.press(page, "Undo", within=".told")
    assert served.run(served.tk.models.get("large")).id == three["large"].id


def test_many_are_changed_at_once_and_deleted_after_a_question(
    served: Served, three: dict[str, Model], person: Person
) -> None:
    ids = [three["small"].id, three["spare"].id]
    page = person.press(person.go("/admin/llms"), "Enable", within=".tools", id=ids)
    assert page.one(".told > span") == "small, spare are enabled."
    page = person.press(page, "Disable", within=".tools", id=ids)
    assert page.chain() == ["large"]
    assert person.press(page, "Disable", within=".tools").one(".told > span").startswith("No model was ticked")
    question = person.press(page, "Delete", within=".tools", id=ids)
    assert question.one("h1") == "Delete 2 models?"
    assert len(served.run(served.tk.models.list())) == 3
    page = person.press(question, "Delete")
    assert names(page) == ["large"]


def test_the_history_says_who_changed_what_and_brings_it_back(
    served: Served, three: dict[str, Model], person: Person
) -> None:
    served.run(served.tk.models.set("large", priority=99, by="carol"))
    served.run(served.tk.models.remove("small", by="carol"))
    page = person.go("/admin/llms/history")
    removed, changed = page.all(".changes > li")[:2]
    assert removed.startswith("Deleted small by carol, just now")
    assert "Changed large by carol" in changed
    assert "priority from 10 → to 99" in changed
    page = person.press(page, "Bring it back", within=".changes > li:nth-child(1)")
    assert page.one("h1") == "small"
    assert person.go("/admin/llms").chain() == ["small", "large"]

    mine = person.go(f"/admin/llms/{three['large'].id}/history")
    assert [line.split()[0] for line in mine.all(".changes > li > p")] == ["Changed", "Added"]
    person.press(mine, "Restore this", within=".changes > li:nth-child(2)")
    assert served.run(served.tk.models.get("large")).priority == 10
    assert served.run(served.tk.models.history("large"))[0].action == "restore"


def test_a_model_that_fails_says_why_and_rests_in_the_list_and_the_chain(
    served: Served, three: dict[str, Model], person: Person
) -> None:
    served.vendors.fail("openai", Fault.status(401), times=5)
    tried = person.press(person.go(f"/admin/llms/{three['large'].id}"), "Test now")
    assert tried.all("#trial b") == ["It does not answer."]
    assert "AuthenticationFailed" in tried.one("#trial p:nth-of-type(2)")
    assert "401" in tried.one("#trial dl")
    page = person.go("/admin/llms")
    assert "resting, back in" in page.all(".chain > li")[0]
    assert "resting" in page.row("large").text()
    assert names(person.go("/admin/llms?state=resting")) == ["large"]


def test_a_model_whose_key_is_not_set_is_not_asked(served: Served, three: dict[str, Model], person: Person) -> None:
    tried = person.press(person.go(f"/admin/llms/{three['spare'].id}"), "Test now")
    assert tried.one("#trial p") == "It was not asked: set GROQ_API_KEY where the server runs."
    assert served.vendors.requests == []


@pytest.mark.usefixtures("three")
def test_a_file_is_looked_at_before_it_is_taken_and_is_what_was_written(served: Served, person: Person) -> None:
    written = person.client.get("/admin/llms/export")
    assert written.headers["content-disposition"] == 'attachment; filename="models.toml"'
    assert "[[models]]" in written.text
    served.run(served.tk.models.remove("small"))
    form = person.go("/admin/llms/import")
    plan = person.press(form, "Show what it would do", text=written.text)
    assert plan.all(".plan li") == ["Add small, anthropic/claude-haiku-5-5"]
    assert len(served.run(served.tk.models.list())) == 2
    assert person.press(plan, "Do it").one(".told > span") == "Models: 1 added."
    wrong = person.press(form, "Show what it would do", text="[[models]]\nname = 3")
    assert (wrong.status, wrong.value("text")) == (422, "[[models]]\nname = 3")


def test_hostile_names_stay_text(served: Served, person: Person) -> None:
    evil: dict[str, Any] = {"name": HOSTILE, "config": {"extra": {"x": HOSTILE}}, "by": HOSTILE, "scope": HOSTILE}
    model = served.run(served.tk.models.add("openai", f"m{HOSTILE}", **evil))
    for path in ("", f"/{model.id}", "/history", f"/{model.id}/history", f"/{model.id}/delete", f"?q={HOSTILE}"):
        page = person.go(f"/admin/llms{path}")
        assert page.status == 200
        assert HOSTILE not in page.source
        assert "&lt;script&gt;" in page.source
    assert person.go("/admin/llms/import").status == 200


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/admin/llms/nothing", 404, "There is no model 'nothing'"),
        ("/admin/llms/nothing/history", 404, "No model with this id"),
        ("/admin/llms/add?provider=nobody", 404, "There is no provider 'nobody'"),
        ("/admin/elsewhere", 404, "There is no page"),
        ("/admin/usage?days=never", 400, "whole number"),
        ("/admin/usage?days=0", 400, "whole number"),
        ("/admin/sessions/nothing", 404, "session"),
        ("/admin/sessions?after=nothing", 400, "no place in a list"),
        ("/admin/keys/nothing/revoke", 404, "no such key"),
    ],
)
def test_what_is_not_there_is_a_page_in_words(person: Person, path: str, status: int, said: str) -> None:
    page = person.go(path)
    assert page.status == status
    assert said in page.one("main p:nth-of-type(1)")
    assert "Traceback" not in page.source
    assert "content-security-policy" in page.headers

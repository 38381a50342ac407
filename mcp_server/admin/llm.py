"""One model: its form, its facts, and a question to see whether it answers."""

import asyncio
from typing import TYPE_CHECKING, Any, Final

from starlette.responses import Response

from mcp_server.admin.forms import ModelForm, required, variables
from mcp_server.admin.llms import vendors
from mcp_server.admin.standing import standings
from mcp_server.admin.visit import Visit
from toolkit.errors import ConfigError, Conflict, NotFound
from toolkit.messages import Caller
from toolkit.models.checks import SETTINGS
from toolkit.models.facts import facts_of
from toolkit.models.reach import missing
from toolkit.models.trial import QUESTION, SECONDS, Trial, try_out

if TYPE_CHECKING:
    from toolkit.models.model import Model

_ORIGIN = "admin"
_LATEST = 5  # changes that are shown beside the form
_ABOUT: Final = {
    "bedrock": "the credentials of AWS",
    "bundled": "vectors for search, in this package",
    "compatible": "any server that speaks OpenAI's wire",
    "host": "the agent host's own model",
    "offline": "quotes your documents",
    "ollama": "models of a machine of yours",
    "scripted": "says what it is told to, for tests",
    "vertex": "the credentials of Google Cloud",
}


async def ask_for_vendor(visit: Visit) -> Response:
    """Of which vendor the new model is to be; the form where the address says it."""
    provider = visit.query("provider")
    if provider:
        return _form(visit, ModelForm.empty(provider))
    environ = visit.tk.settings.environ
    known = [
        (name, [(each, bool(environ.get(each))) for plain, each in found.items() if plain in required(name)])
        for name, found in vendors()
    ]
    return visit.page("vendors.html", vendors=known, about=_ABOUT)


async def add(visit: Visit) -> Response:
    """Add what was typed."""
    form = ModelForm.sent(visit)
    if visit.field("do") == "vendor":
        return _form(visit, form)
    found = form.read()
    if not form.wrong:
        found["default"] = found.pop("is_default")
        try:
            model = await visit.tk.models.add(found.pop("provider"), found.pop("model"), **found, by=visit.by)
        except Conflict as error:
            form.wrong["name"] = str(error)
        except ConfigError as error:
            form.wrong[""] = str(error)
        else:
            return visit.back(f"/admin/llms/{model.id}", f"{model.name} is added. Test whether it answers.")
    return _form(visit, form.shown_again(), status=422)


async def show_model(visit: Visit) -> Response:
    """A model's form, and what is known of it."""
    model = await visit.tk.models.get(visit.request.path_params["id"])
    return await _model(visit, model, ModelForm.of(model))


async def save(visit: Visit) -> Response:
    """Change what was changed in the form, and nothing that others have changed meanwhile."""
    model = await visit.tk.models.get(visit.request.path_params["id"])
    form = ModelForm.sent(visit)
    if visit.field("do") == "vendor":
        return await _model(visit, model, form)
    found = form.read()
    if not form.wrong and visit.field("seen") != model.updated_at.isoformat():
        form.wrong[""] = (
            "Somebody has changed this model since you opened the form; the latest changes are listed beside it. "
            "Save again to have it as you typed it."
        )
    if not form.wrong:
        changed = {name: value for name, value in found.items() if value != getattr(model, name)}
        try:
            after = await visit.tk.models.set(model.id, **_words(changed), by=visit.by)
        except Conflict as error:
            form.wrong["name"] = str(error)
        except ConfigError as error:
            form.wrong[""] = str(error)
        else:
            same = after.updated_at == model.updated_at
            said = f"Nothing was changed in {after.name}." if same else f"{after.name} is saved."
            return visit.back(f"/admin/llms/{model.id}", said, undo=None if same else model.id)
    return await _model(visit, model, form.shown_again(), status=422)


async def test(visit: Visit) -> Response:
    """Ask the model one short question, and show what became of it."""
    tk = visit.tk
    model = await tk.models.get(visit.request.path_params["id"])
    trial = await try_out(tk.router, model, tk.settings.environ, caller=Caller(visit.visitor.user, _ORIGIN))
    return await _model(visit, model, ModelForm.of(model), trial=trial)


def _words(changed: dict[str, Any]) -> dict[str, Any]:
    """The fields of a row by the names that `Catalog.set` has for them."""
    words = {"name": "new_name", "is_default": "default"}
    return {words.get(name, name): value for name, value in changed.items()}


async def _model(
    visit: Visit, model: "Model", form: ModelForm, *, status: int = 200, trial: Trial | None = None
) -> Response:
    tk = visit.tk
    (standing,), changes, facts = await asyncio.gather(
        standings(tk, [model], await tk.models.list()),
        tk.models.history(model.id, limit=_LATEST),
        asyncio.to_thread(facts_of, model),  # the first time it loads the price list
    )
    about = {"standing": standing, "changes": changes, "facts": facts, "trial": trial}
    return _form(visit, form, model=model, status=status, **about)


def _form(visit: Visit, form: ModelForm, *, model: "Model | None" = None, status: int = 200, **about: Any) -> Response:
    environ, provider = visit.tk.settings.environ, form.texts["provider"]
    names = [name for name, _ in vendors()]
    if model is None and provider not in names:
        raise NotFound(f"There is no provider {provider!r} here.")
    hints = [
        (plain, usual, bool(environ.get(usual)), plain in required(provider))
        for plain, usual in variables(provider).items()
    ]
    return visit.page(
        "llm.html",
        status,
        form=form,
        model=model,
        hints=hints,
        vendors=names,
        settings={name: words for name, (_, words) in SETTINGS.items()},
        question=QUESTION,
        seconds=int(SECONDS),
        lacking=missing(model, environ) if model else (),
        **about,
    )

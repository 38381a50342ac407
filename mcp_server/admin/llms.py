"""The list of models, and what is done to models without opening a form."""

from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from mcp_server.admin.standing import DAYS, Standing, chain, standings
from mcp_server.admin.visit import Visit
from mcp_server.refusals import Refusal
from toolkit import providers

if TYPE_CHECKING:
    from toolkit.models.model import Model

STATES: Final = {
    "enabled": "enabled",
    "disabled": "disabled",
    "default": "default of its scope",
    "resting": "resting after failures",
    "unset": "key not set",
}


async def show_models(visit: Visit) -> Response:
    """The list, filtered as the address says, and the chain of a scope."""
    listed = await visit.tk.models.list()
    filters = {name: visit.query(name) for name in ("q", "provider", "state", "scope")}
    scopes = sorted({"global", *(model.scope for model in listed)})
    wanted = [model for model in listed if _fits(model, filters)]
    shown = [each for each in await standings(visit.tk, wanted, listed) if _is(each, filters["state"])]
    scope = filters["scope"] or "global"
    asked, trouble = await chain(visit.tk, scope)
    return visit.page(
        "llms.html",
        shown=shown,
        total=len(listed),
        filters=filters,
        filtered=any(filters.values()),
        vendors=sorted({model.provider for model in listed}),
        states=STATES,
        scopes=scopes,
        scope=scope,
        chain=asked,
        trouble=trouble,
        days=DAYS,
        query=f"?{visit.request.url.query}" if visit.request.url.query else "",
    )


async def enable(visit: Visit) -> Response:
    """Let a model be asked."""
    model = await visit.tk.models.set(_id(visit), enabled=True, by=visit.by)
    return _done(visit, f"{model.name} is enabled.", model)


async def disable(visit: Visit) -> Response:
    """Leave a model out of the chain."""
    model = await visit.tk.models.set(_id(visit), enabled=False, by=visit.by)
    return _done(visit, f"{model.name} is disabled.", model)


async def make_default(visit: Visit) -> Response:
    """Make a model the default of its scope, or no longer."""
    default = visit.field("default") != "no"
    model = await visit.tk.models.set(_id(visit), default=default, by=visit.by)
    said = f"{model.name} is {'the' if default else 'no longer the'} default of the scope {model.scope}."
    return _done(visit, said, model)


async def move(visit: Visit) -> Response:
    """Put a model ahead of another one."""
    model = await visit.tk.models.move(_id(visit), ahead_of=visit.field("ahead_of") or None, by=visit.by)
    return visit.back(_list(visit, model), f"{model.name} has priority {model.priority} now.")


async def prioritize(visit: Visit) -> Response:
    """Take the priorities that were typed; those that nobody touched stay, whatever others made of them meanwhile."""
    typed = {name.removeprefix("priority."): visit.field(name).strip() for name in visit.form if _is_priority(name)}
    changed = {model: text for model, text in typed.items() if text != visit.field(f"was.{model}")}
    try:
        wanted = {model: int(text) for model, text in changed.items()}
    except ValueError:
        raise Refusal(
            400, "A priority is a whole number, such as 10; nothing was changed.", "invalid_request"
        ) from None
    if not wanted:
        return visit.back(_list(visit), "No priority was changed.")
    models = await visit.tk.models.prioritize(wanted, by=visit.by)
    said = ", ".join(f"{model.name} {model.priority}" for model in models)
    return visit.back(_list(visit), f"Priorities are saved: {said}.")


async def do_many(visit: Visit) -> Response:
    """Do the same to every model that is ticked."""
    ids, what = visit.fields("id"), visit.field("do")
    if not ids:
        return visit.back(_list(visit), "No model was ticked, so nothing was done.")
    if what == "delete" and not visit.field("sure"):
        known = {model.id: model for model in await visit.tk.models.list()}
        return _confirm(visit, [known[each] for each in ids if each in known], "/admin/llms/many")
    if what == "delete":
        models, done = await visit.tk.models.remove_many(*ids, by=visit.by), "deleted"
    elif what in ("enable", "disable"):
        models = await visit.tk.models.set_many(*ids, enabled=what == "enable", by=visit.by)
        done = f"{what}d"
    else:
        raise Refusal(400, "Models can be enabled, disabled or deleted; nothing was done.")
    names = ", ".join(model.name for model in models)
    return visit.back(_list(visit), f"{names} {'is' if len(models) == 1 else 'are'} {done}.")


async def ask_to_delete(visit: Visit) -> Response:
    """Whether it is meant."""
    model = await visit.tk.models.get(_id(visit))
    return _confirm(visit, [model], f"/admin/llms/{model.id}/delete")


async def delete(visit: Visit) -> Response:
    """Remove a model's row."""
    model = await visit.tk.models.get(_id(visit))
    await visit.tk.models.remove(model.id, by=visit.by)
    return visit.back(_list(visit), f"{model.name} is deleted.", undo=model.id)


def _confirm(visit: Visit, models: "list[Model]", action: str) -> Response:
    if not models:
        raise Refusal(404, "These models are gone already.", "not_found")
    names = ", ".join(model.name for model in models)
    return visit.page(
        "confirm.html",
        title=f"Delete {names}?" if len(models) == 1 else f"Delete {len(models)} models?",
        text=[
            *([] if len(models) == 1 else [names]),
            "It is asked no more, by nobody. Its history and what it cost stay, and the history brings it back."
            if len(models) == 1
            else "They are asked no more, by nobody. Their history and what they cost stay, and the history brings "
            "them back.",
        ],
        action=action + (f"?{visit.request.url.query}" if visit.request.url.query else ""),
        hidden=[("do", "delete"), ("sure", "yes"), *(("id", model.id) for model in models)],
        button="Delete",
        cancel=_list(visit),
        section="llms",
    )


def _done(visit: Visit, said: str, model: "Model") -> Response:
    place = f"/admin/llms/{model.id}" if visit.query("from") == "model" else _list(visit, model)
    return visit.back(place, said, undo=model.id)


def _list(visit: Visit, model: "Model | None" = None) -> str:
    """The list as it was filtered, at the row of a model."""
    query = visit.request.url.query
    return "/admin/llms" + (f"?{query}" if query else "") + (f"#m-{model.id}" if model else "")


def _id(visit: Visit) -> str:
    return str(visit.request.path_params["id"])


def _is_priority(name: str) -> bool:
    return name.startswith("priority.")


def _fits(model: "Model", filters: dict[str, str]) -> bool:
    words = filters["q"].casefold().split()
    text = f"{model.name} {model.provider}/{model.model} {model.scope}".casefold()
    return (
        all(word in text for word in words)
        and filters["provider"] in ("", model.provider)
        and filters["scope"] in ("", model.scope)
    )


def _is(standing: Standing, state: str) -> bool:
    match state:
        case "enabled" | "disabled":
            return standing.model.enabled is (state == "enabled")
        case "default":
            return standing.model.is_default
        case "resting":
            return standing.state != "ready"
        case "unset":
            return bool(standing.lacking)
        case _:
            return True


def vendors() -> list[tuple[str, dict[str, str]]]:
    """Every vendor that a model may be of, with its variables by what they give."""
    return [(name, dict(found.variables)) for name in providers.known() if (found := providers.find(name))]

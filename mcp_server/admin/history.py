"""Who changed which model, when and how; and the way back. Also the table as a file."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from starlette.datastructures import UploadFile
from starlette.responses import Response

from mcp_server.admin.visit import Visit
from mcp_server.refusals import Refusal
from toolkit.errors import ConfigError

if TYPE_CHECKING:
    from toolkit.models.model import Change

_PAGE: Final = 50
_MOST: Final = 5_000


@dataclass(frozen=True, slots=True)
class Told:
    """A change, and what it changed.

    Attributes:
        fields: name, before and after of each field that is another one; of a new row those that are set.
        present: whether the model is still as this change left it.
    """

    change: "Change"
    fields: list[tuple[str, Any, Any]]
    present: bool


async def show_history(visit: Visit) -> Response:
    """The changes of all models, or of the one that the address names."""
    which = visit.request.path_params.get("id")
    limit = min(_MOST, max(_PAGE, int(visit.query("limit") or "0") if visit.query("limit").isdecimal() else _PAGE))
    changes = await visit.tk.models.history(which, limit=limit + 1)
    if which and not changes:
        raise Refusal(404, "No model with this id was ever here.", "not_found")
    newest: set[str] = set()
    told = []
    for change in changes[:limit]:
        told.append(Told(change, differences(change), change.model_id not in newest and change.after is not None))
        newest.add(change.model_id)
    more = limit + _PAGE if len(changes) > limit else None
    return visit.page("history.html", told_changes=told, which=which, more=more, name=changes[0].name if which else "")


async def restore(visit: Visit) -> Response:
    """Bring a model back to what it was after a change, or before its last one."""
    which, at = visit.request.path_params["id"], visit.field("at") or None
    model = await visit.tk.models.restore(which, at=at, by=visit.by)
    return visit.back(f"/admin/llms/{model.id}", f"{model.name} is as it was.", undo=model.id)


async def export(visit: Visit) -> Response:
    """The table as a file."""
    text = await visit.tk.models.export_toml()
    return Response(
        text, media_type="application/toml", headers={"Content-Disposition": 'attachment; filename="models.toml"'}
    )


async def show_import(visit: Visit) -> Response:
    """Where a file is taken."""
    return visit.page("import.html", text="", wrong="", plan=None, replace=False)


async def import_(visit: Visit) -> Response:
    """Say what a file would do; the second time, do it."""
    file = visit.form.get("file")
    text, wrong, plan = visit.field("text"), "", None
    replace = bool(visit.field("replace"))
    if isinstance(file, UploadFile) and file.size:
        try:
            text = (await file.read()).decode("utf-8-sig")
        except UnicodeDecodeError:
            wrong = "The file is not UTF-8 text, as TOML must be."
    really = visit.field("do") == "import"
    if not wrong:
        try:
            plan = await visit.tk.models.import_toml(text, replace=replace, dry_run=not really, by=visit.by)
        except ConfigError as error:
            wrong = str(error)
    if plan is None or not really:
        return visit.page("import.html", 422 if wrong else 200, text=text, wrong=wrong, plan=plan, replace=replace)
    parts = ("added", "changed", "removed")
    done = ", ".join(f"{len(getattr(plan, part))} {part}" for part in parts if getattr(plan, part))
    return visit.back("/admin/llms", f"Models: {done}." if done else "Nothing was to be changed.")


def differences(change: "Change") -> list[tuple[str, Any, Any]]:
    """What a change changed, field by field."""
    before, after = change.before or {}, change.after or {}
    names = dict.fromkeys((*after, *before))
    return [
        (name, before.get(name), after.get(name))
        for name in names
        if before.get(name) != after.get(name) and (change.before or after.get(name) not in (None, False, {}))
    ]

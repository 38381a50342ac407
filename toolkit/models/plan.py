"""A list of changes to the table of models: what it would do, and the statements that do it, all or none."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from toolkit import providers
from toolkit.db import Statement
from toolkit.display.card import Card, Code, Table
from toolkit.display.shown import Shown
from toolkit.errors import ConfigError, Conflict, NotFound, choices
from toolkit.models import rows as table
from toolkit.models.checks import FIELDS, check_row
from toolkit.models.lookup import no_such_model
from toolkit.models.model import Model
from toolkit.redaction import redact
from toolkit.stamps import new_id, now

_APART: Final = 10
"""How far from its neighbour a model is put at either end of the order, so that there is room between them."""


class Edit(NamedTuple):
    """A row that is there, and what becomes of it."""

    before: Model
    after: Model


@dataclass(frozen=True, slots=True, repr=False)
class Plan(Shown):
    """What a list of changes does.

    Attributes:
        added: rows that are not there yet.
        changed: rows that are, and what becomes of them. Where a new default is among the others, this has the former
            one of its scope, too.
        removed: rows that go.
        unchanged: rows that are as they should be already.
    """

    added: tuple[Model, ...] = ()
    changed: tuple[Edit, ...] = ()
    removed: tuple[Model, ...] = ()
    unchanged: tuple[Model, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not (self.added or self.changed or self.removed)

    def statements(self, *, by: str | None) -> list[Statement]:
        """What does it, with one change per row for the history, and one event.

        Equal ones follow one another, so that a database takes them together. What frees a name or the place of a
        default comes first, and within one kind rows are in the order of their names, so that two processes that
        change the same rows wait for one another rather than each for the other.
        """
        edits = sorted(self.changed, key=lambda edit: (edit.after.is_default, edit.before.name))
        moving = [edit for edit in edits if _takes_its_place_elsewhere(edit)]
        written = [table.delete(model) for model in sorted(self.removed, key=_name)]
        written += [table.update(edit.before, _stepped_down(edit)) for edit in moving]
        written += [table.update(_stepped_down(e) if e in moving else e.before, e.after) for e in edits]
        written += [table.insert(model) for model in sorted(self.added, key=_name)]
        audits = [
            *(table.audit("remove", model, None, at=table.next_stamp(model), by=by) for model in self.removed),
            *(table.audit("set", before, after, at=after.updated_at, by=by) for before, after in self.changed),
            *(table.audit("add", None, model, at=model.created_at, by=by) for model in self.added),
        ]
        return [*written, *(kept for kept, _ in audits), *(told for _, told in audits)]

    def _shown(self) -> Card:
        rows = [("add", model) for model in self.added]
        rows += [("change", edit.after) for edit in self.changed] + [("remove", model) for model in self.removed]
        table = Table(("", "name", "model"), [(what, m.name, Code(f"{m.provider}/{m.model}")) for what, m in rows])
        changes = f"{len(rows):,} change{'' if len(rows) == 1 else 's'}"
        return Card(changes, {"unchanged": len(self.unchanged) or None}, (table,) if rows else (), kind="Plan")


def to_add(wanted: Sequence[Model], listed: Sequence[Model]) -> Plan:
    """The plan that adds `wanted` to the rows `listed`.

    Raises:
        ConfigError: one of them cannot be used.
        Conflict: a name is taken.
    """
    taken = {model.name for model in listed}
    for model in wanted:
        if model.name in taken:
            raise Conflict(f"The name {model.name!r} is taken by another model; choose another.")
    return _deposing(Plan(added=tuple(_new(model) for model in wanted)), listed)


def to_set(rows: Iterable[Model], fields: Mapping[str, Any]) -> Plan:
    """The plan that changes `fields` of `rows`; they say nothing of defaults."""
    return _sorted_out([(row, replace(row, **fields)) for row in rows], fields)


def to_prioritize(listed: Sequence[Model], priorities: Mapping[str, int]) -> Plan:
    """The plan that gives models their priorities, by name or id.

    Raises:
        NotFound: one of them is not there.
        ConfigError: none is named, or a priority cannot be used.
    """
    pairs = [(row, replace(row, priority=p)) for n, p in priorities.items() for row in chosen(listed, [n], None, None)]
    if not pairs:
        raise ConfigError("Say which models get which priority.")
    return _sorted_out(pairs, ("priority",))


def to_move(listed: Sequence[Model], name: str, ahead_of: str | None) -> Plan:
    """The plan that puts a model ahead of another one of its scope, None: behind all.

    Raises:
        NotFound: one of the two is not there.
        ConfigError: they are not of one scope.
    """
    (moved,) = chosen(listed, [name], None, None)
    others = table.in_order(model for model in listed if model.scope == moved.scope and model.id != moved.id)
    place = len(others)
    if ahead_of is not None:
        (other,) = chosen(listed, [ahead_of], None, None)
        if other.id == moved.id:
            return Plan(unchanged=(moved,))
        if other.scope != moved.scope:
            raise ConfigError(
                f"{moved.name!r} is of the scope {moved.scope!r} and {other.name!r} of {other.scope!r}; "
                "models have an order within a scope only."
            )
        place = others.index(other)
    before, after = others[:place], others[place:]
    if table.in_order([*before, moved, *after]) == [*before, moved, *after]:
        return Plan(unchanged=(moved,))
    return to_prioritize(listed, _made_room(moved, before, after))


def _made_room(moved: Model, before: Sequence[Model], after: Sequence[Model]) -> dict[str, int]:
    """The priorities, by id, with which `moved` comes between the others; as few as possible change."""
    least = before[-1].priority + 1 if before else after[0].priority - _APART if after else moved.priority
    most = after[0].priority - 1 if after else least + _APART - 1
    if least <= most:
        return {moved.id: (least + most) // 2 if before and after else most if before else least}
    made, last = {moved.id: least}, least
    for model in after:
        if model.priority > last:
            break
        made[model.id] = last = last + 1
    return made


def chosen(listed: Sequence[Model], names: Sequence[str], provider: str | None, scope: str | None) -> list[Model]:
    """Those of `listed` that are called one of `names` or have such an id, or, without names, that fit.

    Raises:
        ConfigError: it is not said which ones, or in two ways.
        NotFound: one of them is not there, or none is.
    """
    if bool(names) is bool(provider or scope):
        raise ConfigError("Say which models: by their names, or all of a provider, a scope, or both; not in both ways.")
    if not names:
        fitting = [m for m in listed if provider in (None, m.provider) and scope in (None, m.scope)]
        if not fitting:
            vendors, scopes = (sorted({value(m) for m in listed}) for value in (_vendor, _scope))
            raise NotFound(f"No model fits: of providers {choices(vendors)}; of scopes {choices(scopes)}.")
        return fitting
    known = {model.id: model for model in listed} | {model.name: model for model in listed}
    for name in names:
        if name not in known:
            raise no_such_model(name, listed)
    return list({known[name].id: known[name] for name in names}.values())


def to_import(wanted: Sequence[Model], listed: Sequence[Model], *, replace_all: bool) -> Plan:
    """The plan that makes the rows `listed` what `wanted` says of the names in it.

    Args:
        wanted: rows without ids.
        listed: all rows that are there.
        replace_all: those of which `wanted` says nothing go.

    Raises:
        ConfigError: a row that is not there as it is wanted cannot be used.
    """
    there = {model.name: model for model in listed}
    pairs = [(row, _as(row, model)) for model in wanted if (row := there.get(model.name))]
    names = {model.name for model in wanted}
    plan = _sorted_out(pairs, FIELDS)
    added = tuple(_new(model) for model in wanted if model.name not in there)
    removed = tuple(model for model in listed if model.name not in names) if replace_all else ()
    return _deposing(replace(plan, added=added, removed=removed), listed)


def check_provider(model: Model) -> None:
    """Refuse a vendor that there is not.

    Raises:
        ConfigError: the sentence names those there are.
    """
    if model.provider not in providers.known():
        raise ConfigError(f"There is no provider {model.provider!r}; {choices(providers.known())}.")


def same(one: Model, other: Model) -> bool:
    """Whether a person has nothing to tell them apart by; 1 is 1.0, as in JSON, and is not True."""
    return _alike(one.to_json(), other.to_json())


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_alike(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_alike, one, other))
    return isinstance(one, bool) is isinstance(other, bool) and bool(one == other)


def _sorted_out(pairs: Iterable[tuple[Model, Model]], touched: Iterable[str]) -> Plan:
    changed, unchanged = [], []
    for before, after in pairs:
        if same(before, after):
            unchanged.append(before)
        else:
            _check(after, touched, new_vendor=before.provider != after.provider)
            changed.append(Edit(before, replace(after, updated_at=table.next_stamp(before))))
    return Plan(changed=tuple(changed), unchanged=tuple(unchanged))


def _deposing(plan: Plan, listed: Sequence[Model]) -> Plan:
    """`plan`, and that the former defaults of its new defaults' scopes are none any more."""
    heirs = {
        model.scope: model.id for model in (*plan.added, *(after for _, after in plan.changed)) if model.is_default
    }
    handled = {model.id for model in (*plan.removed, *(before for before, _ in plan.changed))}
    deposed = [
        Edit(model, replace(model, is_default=False, updated_at=table.next_stamp(model)))
        for model in listed
        if model.is_default and model.id not in handled and heirs.get(model.scope, model.id) != model.id
    ]
    ids = {before.id for before, _ in deposed}
    unchanged = tuple(model for model in plan.unchanged if model.id not in ids)
    return replace(plan, changed=(*plan.changed, *deposed), unchanged=unchanged)


def _new(model: Model) -> Model:
    _check(model, FIELDS, new_vendor=True)
    moment = now()
    return replace(model, id=new_id(), created_at=moment, updated_at=moment)


def _check(model: Model, touched: Iterable[str], *, new_vendor: bool) -> None:
    """Refuse a row that cannot be used; among many, the sentence must say which one it is."""
    try:
        if new_vendor:
            check_provider(model)
        check_row(model, touched)
    except ConfigError as error:
        raise ConfigError(f"{redact(model.name)!r}: {error}") from None


def _as(row: Model, wanted: Model) -> Model:
    """`row` with all that a person may change taken from `wanted`."""
    return replace(wanted, id=row.id, created_at=row.created_at, updated_at=row.updated_at)


def _takes_its_place_elsewhere(edit: Edit) -> bool:
    """Whether a default becomes that of another scope, whose own may be about to do the same."""
    return edit.before.is_default and edit.after.is_default and edit.before.scope != edit.after.scope


def _stepped_down(edit: Edit) -> Model:
    return replace(edit.before, is_default=False)


def _vendor(model: Model) -> str:
    return model.provider


def _scope(model: Model) -> str:
    return model.scope


def _name(model: Model) -> str:
    return model.name

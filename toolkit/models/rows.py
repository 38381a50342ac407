"""The tables `models` and `model_changes`: their rows as objects, and objects as the statements that write them."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from toolkit.db import Row, Statement, as_json, as_time
from toolkit.db.feed import event
from toolkit.display.shown import Listing
from toolkit.errors import Conflict
from toolkit.messages import Json
from toolkit.models.model import Change, Model
from toolkit.stamps import new_id, now

_KEEP_CHANGE = """
    INSERT INTO model_changes (id, model_id, name, action, before, after, changed_by, changed_at)
    VALUES (:id, :model_id, :name, :action, :before, :after, :changed_by, :changed_at)
    ON CONFLICT (id) DO NOTHING
    RETURNING id
"""


class Stale(Conflict):
    """The row was changed between reading and writing it, or is there already."""


def model_of(row: Row) -> Model:
    """A row of `models`."""
    return Model(
        id=row["id"],
        name=row["name"],
        provider=row["provider"],
        model=row["model"],
        scope=row["scope"],
        priority=row["priority"],
        enabled=bool(row["enabled"]),
        is_default=bool(row["is_default"]),
        auth=as_json(row["auth"]),
        config=as_json(row["config"]),
        created_at=as_time(row["created_at"]),
        updated_at=as_time(row["updated_at"]),
    )


def models_of(rows: Iterable[Row]) -> Listing[Model]:
    """Rows of `models` by scope, priority and name."""
    return in_order(map(model_of, rows))


def in_order(models: Iterable[Model]) -> Listing[Model]:
    """Models by scope, priority and name; sorted here, because databases differ about letters."""
    return Listing(sorted(models, key=lambda model: (model.scope, model.priority, model.name)))


def model_from(kept: Json, *, id_: str, created_at: datetime) -> Model:
    """A row as a change of the history has it; `updated_at` is not known any more."""
    return Model(id=id_, created_at=created_at, updated_at=created_at, **kept)


def change_of(row: Row) -> Change:
    """A row of `model_changes`."""
    return Change(
        id=row["id"],
        model_id=row["model_id"],
        name=row["name"],
        action=row["action"],
        before=as_json(row["before"]),
        after=as_json(row["after"]),
        changed_by=row["changed_by"],
        changed_at=as_time(row["changed_at"]),
    )


def next_stamp(model: Model) -> datetime:
    """The moment of a change to `model`: now, and later than its last change, which an update is guarded by."""
    return max(now(), model.updated_at + timedelta(microseconds=1))


def insert(model: Model) -> Statement:
    """Adds the row of `model`; `Stale` if a row of that id is there already."""
    return Statement(
        """
        INSERT INTO models (id, name, provider, model, scope, priority, enabled, is_default, auth, config,
                            created_at, updated_at)
        VALUES (:id, :name, :provider, :model, :scope, :priority, :enabled, :is_default, :auth, :config,
                :created_at, :updated_at)
        ON CONFLICT (id) DO NOTHING
        RETURNING id
        """,
        {**model.to_json(), "id": model.id, "created_at": model.created_at, "updated_at": model.updated_at},
        unmatched=Stale("The model is there already; try again."),
    )


def update(before: Model, after: Model) -> Statement:
    """Turns the row `before` into `after`; `Stale` if it is not what it was."""
    return Statement(
        """
        UPDATE models
           SET name = :name, provider = :provider, model = :model, scope = :scope, priority = :priority,
               enabled = :enabled, is_default = :is_default, auth = :auth, config = :config, updated_at = :updated_at
         WHERE id = :id AND updated_at = :seen
        RETURNING id
        """,
        {**after.to_json(), "id": before.id, "seen": before.updated_at, "updated_at": after.updated_at},
        unmatched=Stale("The model was changed by someone else meanwhile; try again."),
    )


def delete(model: Model) -> Statement:
    """Removes the row of `model`; `Stale` if it is not what it was."""
    return Statement(
        "DELETE FROM models WHERE id = :id AND updated_at = :seen RETURNING id",
        {"id": model.id, "seen": model.updated_at},
        unmatched=Stale("The model was changed by someone else meanwhile; try again."),
    )


def audit(
    action: str, before: Model | None, after: Model | None, *, at: datetime, by: str | None
) -> tuple[Statement, ...]:
    """Keeps one change for the history, and tells listeners of it.

    Args:
        action: `seed`, `add`, `set`, `remove` or `restore`.
        before: the row before, None where there was none.
        after: the row after, None where it is gone.
        at: when.
        by: who, None if they did not say.
    """
    return Statement(_KEEP_CHANGE, _change(new_id(), action, before, after, at, by)), _told(action, before, after)


def audit_once(change_id: str, after: Model, *, at: datetime) -> tuple[Statement, ...]:
    """Keeps the change `change_id`, a seed, and tells listeners of it; `Stale` if it was kept before."""
    values = _change(change_id, "seed", None, after, at, None)
    kept = Statement(_KEEP_CHANGE, values, unmatched=Stale("The model was seeded before."))
    return kept, _told("seed", None, after)


def _told(action: str, before: Model | None, after: Model | None) -> Statement:
    """`was` is the name before, None where there was none: whoever remembers models by name forgets both."""
    named = _named(before, after)
    body = {"action": action, "id": named.id, "was": before.name if before else None}
    return event("model.updated", named.name, body)


def _named(before: Model | None, after: Model | None) -> Model:
    return next(model for model in (after, before) if model is not None)


def _change(  # noqa: PLR0917 - private, and called in two lines
    change_id: str, action: str, before: Model | None, after: Model | None, at: datetime, by: str | None
) -> Json:
    named = _named(before, after)
    return {
        "id": change_id,
        "model_id": named.id,
        "name": named.name,
        "action": action,
        "before": before.to_json() if before else None,
        "after": after.to_json() if after else None,
        "changed_by": by,
        "changed_at": at,
    }

"""What a model was: found in the record of its changes."""

from collections.abc import Iterator, Sequence

from toolkit.errors import ConfigError, NotFound
from toolkit.models.model import Change, Model
from toolkit.models.rows import model_from
from toolkit.redaction import redact


def as_it_was(changes: Sequence[Change], name_or_id: str, *, present: Model | None, at: str | None) -> Model | None:
    """A model as `Catalog.restore` brings it back; None if no model was ever called so.

    Args:
        changes: all of the models that were ever called `name_or_id`, newest first.
        name_or_id: of a model, or of one that was removed.
        present: the row that is called so now, None if there is none.
        at: the id of a change; None is the last one.

    Raises:
        NotFound: there is no such change, or the model is called otherwise now.
        ConfigError: there is nothing before the last change.
    """
    if at is None:
        change = _last(changes, name_or_id, present)
        if change is None:
            return None
        # What came back after its removal stays, also where two bring it back at the same time.
        kept = change.after if change.action == "restore" and change.before is None else change.before
    else:
        change = _named(changes, name_or_id, at)
        kept = change.before if change.after is None else change.after
    if kept is None:
        raise ConfigError(
            f"The model {change.name!r} was not changed since it was added; there is nothing before that."
        )
    first = min(_of(changes, change.model_id), key=lambda each: each.changed_at)
    return model_from(kept, id_=change.model_id, created_at=first.changed_at)


def _named(changes: Sequence[Change], name_or_id: str, at: str) -> Change:
    change = next((each for each in changes if each.id == at), None)
    if change is None:
        raise NotFound(
            f"There is no change {redact(at)!r} of a model {redact(name_or_id)!r}; "
            f"`toolkit models history {redact(name_or_id)}` lists them."
        )
    return change


def _last(changes: Sequence[Change], name_or_id: str, present: Model | None) -> Change | None:
    """The last change of the row that is called so, else of the last removed one that was."""
    if present:
        return next(_of(changes, present.id), None)
    called = dict.fromkeys(each.model_id for each in changes if name_or_id in (each.name, each.model_id))
    newest = [next(_of(changes, model_id)) for model_id in called]
    removed = next((change for change in newest if change.after is None), None)
    if removed is None and newest:
        now = newest[0].name
        raise NotFound(f"The model {redact(name_or_id)!r} is called {now!r} now; restore it under that name.")
    return removed


def _of(changes: Sequence[Change], model_id: str) -> Iterator[Change]:
    return (change for change in changes if change.model_id == model_id)

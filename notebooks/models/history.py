"""Who changed which model, when and how; and the way back."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from ipywidgets import HTML, HBox, VBox

from notebooks.widgets.closing import discard
from notebooks.widgets.controls import button
from notebooks.widgets.panel import named
from notebooks.widgets.when import when
from toolkit.models.model import Change

if TYPE_CHECKING:
    from notebooks.models.panel import ModelsPanel

SHOWN: Final = 12
"""Changes in the panel; `tk.models.history()` has them all."""

_DONE: Final = {"seed": "found", "add": "added", "set": "changed", "remove": "removed", "restore": "restored"}
_LONGEST = 60  # letters of a value


class History(VBox):  # type: ignore[misc] # ipywidgets ships no types
    """The last changes, newest first, each with a button that brings the model back to what it was after it.

    Args:
        panel: does what is asked here.
    """

    def __init__(self, panel: "ModelsPanel") -> None:
        self._panel = panel
        self._lines: dict[str, HBox] = {}
        self._said = HTML()
        super().__init__([self._said])
        named(self, "history").layout.display = "none"

    @property
    def unfolded(self) -> bool:
        """Whether it is seen."""
        return bool(self.layout.display != "none")

    def unfold(self, *, seen: bool) -> None:
        """Show it, or hide it."""
        self.layout.display = "" if seen else "none"

    def show(self, changes: Sequence[Change]) -> None:
        """Show these changes; those that were shown before keep their widgets."""
        said = "The last changes, newest first" if changes else "Nothing was changed yet"
        self._said.value = f'<div class="toolkit-note">{said}.</div>'
        lines, newest = {}, set[str]()
        for change in changes:
            line = self._lines.pop(change.id, None) or self._line(change)
            # A model is already as its last change left it, unless that removed it.
            line.children[1].disabled = change.model_id not in newest and change.after is not None
            newest.add(change.model_id)
            lines[change.id] = line
        gone, self._lines = self._lines, lines
        self.children = (self._said, *lines.values())
        for line in gone.values():
            discard(line)

    def _line(self, change: Change) -> Any:
        restore = button("", self._panel.guarded(lambda: self._panel.restore(change)), look="link")
        restore.description = f"Restore {change.name} as of {when(change.changed_at)}"
        restore.tooltip = restore.description
        return named(HBox([HTML(_told(change)), named(restore, "restore")]), "change")


def differences(change: Change) -> list[tuple[str, Any, Any]]:
    """What a change changed: each field's name, and what it was and is; of a new row only what is set."""
    before, after = change.before or {}, change.after or {}
    return [
        (name.removeprefix("is_"), before.get(name), after.get(name))
        for name in dict.fromkeys((*after, *before))
        if before.get(name) != after.get(name) and (change.before or after.get(name) not in (None, False, {}))
    ]


def _told(change: Change) -> str:
    by = change.changed_by or ("the toolkit itself" if change.action == "seed" else "somebody who did not say")
    return (
        f"<b>{escape(change.name)}</b> {_DONE.get(change.action, change.action)} by {escape(by)}, "
        f"{when(change.changed_at)}<small>{escape(_what(change))}</small>"
    )


def _what(change: Change) -> str:
    if change.after is None:
        kept = change.before or {}
        return f"it was {kept.get('provider')}/{kept.get('model')} with priority {kept.get('priority')}"
    if change.before is None:
        return ", ".join(f"{name} {_value(now)}" for name, _, now in differences(change) if name != "name")
    return ", ".join(f"{name} {_value(was)} → {_value(now)}" for name, was, now in differences(change))


def _value(value: Any) -> str:
    text = {True: "yes", False: "no", None: "nothing"}.get(value, str(value)) if _plain(value) else str(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool)

"""A model of the chain: its place, its switches, how it fares, and what can be done with it."""

from collections.abc import Callable
from datetime import datetime
from html import escape
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, HBox

from notebooks.models.standing import Standing, pill
from notebooks.widgets.controls import button, checkbox
from notebooks.widgets.panel import named
from toolkit import providers
from toolkit.display.words import dollars, seconds
from toolkit.models.trial import Trial
from toolkit.stamps import now

if TYPE_CHECKING:
    from notebooks.models.panel import ModelsPanel


class Row(HBox):  # type: ignore[misc] # ipywidgets ships no types
    """One model's line; it stays the same one's wherever the model moves.

    Args:
        panel: does what is asked here.
        standing: the model, and how it fares.
    """

    def __init__(self, panel: "ModelsPanel", standing: Standing) -> None:
        self.standing = standing
        self.trial: Trial | None = None
        self._tried_at: datetime | None = None
        self.asked = False
        self._panel = panel
        self._place = HTML()
        self._name = HTML()
        self._health = HTML()
        self.up = self._button("▲", lambda: panel.step(self, -1))
        self.down = self._button("▼", lambda: panel.step(self, 1))
        self.test = self._button("Test", lambda: panel.try_row(self), look="quiet")
        self.remove = self._button("✕", lambda: panel.ask_to_remove(self))
        model = standing.model
        self.enabled = checkbox("", model.enabled, panel.guarded(self._switch), shown=False)
        self.default = checkbox("", model.is_default, panel.guarded(self._choose), shown=False)
        super().__init__(
            [
                named(HBox([self._place, self.up, self.down]), "order"),
                named(self._name, "model"),
                named(self.enabled, "switch"),
                named(self.default, "radio"),
                named(self._health, "health"),
                self.test,
                self.remove,
            ]
        )
        named(self, "row")

    def show(self, standing: Standing, *, place: int | None, first: bool, last: bool) -> None:
        """Show how the model stands now.

        Args:
            standing: the model, and how it fares.
            place: in the chain, 1 is asked first; None where it is not asked.
            first: nothing stands above it.
            last: nothing stands below it.
        """
        if self._tried_at and max(standing.model.updated_at, standing.asked_at or self._tried_at) > self._tried_at:
            self.trial = self._tried_at = None  # it was changed or asked since
        self.standing = standing
        model = standing.model
        self._place.value = f"<span>{place or '–'}</span>"
        resort = " · last resort" if providers.last_resort(model.provider) else ""
        self._name.value = (
            f"<b>{escape(model.name)}</b><small>{escape(f'{model.provider}/{model.model}{resort}')}</small>"
        )
        for control, name in (
            (self.up, f"Move {model.name} up"),
            (self.down, f"Move {model.name} down"),
            (self.test, f"Test {model.name}"),
            (self.remove, f"Remove {model.name}"),
            (self.enabled, f"Ask {model.name}"),
            (self.default, f"Make {model.name} the default"),
        ):
            control.description = control.tooltip = name
        self.up.disabled, self.down.disabled = first, last
        self.enabled.value, self.default.value = model.enabled, model.is_default
        (self.remove_class if model.enabled else self.add_class)("toolkit-off")
        self._show_health()

    def begin_test(self) -> None:
        """Show that the model is being asked."""
        self.asked, self.test.disabled = True, True
        self._show_health()

    def end_test(self, trial: Trial | None) -> None:
        """Show what became of it; None where nobody knows, because it was stopped."""
        self.asked, self.test.disabled, self.trial, self._tried_at = False, False, trial, now()
        self._show_health()

    def _show_health(self) -> None:
        if self.asked:
            self._health.value = pill("quiet", "asking …")
        elif self.trial is not None:
            self._health.value = pill("good" if self.trial.ok else "bad", *told(self.trial))
        else:
            self._health.value = self.standing.html

    def _switch(self, on: bool) -> None:
        # What is shown was changed by somebody else, and told to the widget by `show`.
        if on != self.standing.model.enabled:
            self._panel.change(self, enabled=on)

    def _choose(self, on: bool) -> None:
        if on != self.standing.model.is_default:
            self._panel.change(self, default=on)

    def _button(self, sign: str, act: Callable[[], object], **look: Any) -> Any:
        # Its description is its name, which a screen reader reads; the sheet shows the sign instead.
        made = button("", self._panel.guarded(act), **{"look": "link", **look})
        return named(made, {"▲": "up", "▼": "down", "✕": "remove", "Test": "test"}[sign])


def told(trial: Trial) -> tuple[str, str]:
    """What became of a test: in a few words, and in some more."""
    if not trial.asked:
        return "not asked", trial.error or ""
    spent = [f"{trial.tokens} tokens" if trial.tokens else "", dollars(trial.cost_usd)]
    figures = " · ".join(filter(None, spent))
    took = "" if trial.milliseconds is None else seconds(trial.milliseconds)
    if trial.ok:
        return f"answered in {took}", f"“{_short(trial.answer)}” · {figures}"
    return "does not answer", f"{trial.error} ({took})" if took else trial.error or ""


def _short(answer: str) -> str:
    words = " ".join(answer.split())
    return words if len(words) <= 40 else f"{words[:39]}…"  # noqa: PLR2004 - what a row has room for

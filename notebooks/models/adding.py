"""The form in which a model is added."""

from html import escape
from typing import TYPE_CHECKING, Any

from ipywidgets import HTML, HBox, VBox

from notebooks.widgets.controls import button, dropdown, line
from notebooks.widgets.panel import named
from toolkit import providers
from toolkit.errors import ConfigError
from toolkit.redaction import redact

if TYPE_CHECKING:
    from notebooks.models.panel import ModelsPanel

USUAL_PRIORITY = 100
"""Of a model of which nobody says another; those that a new database begins with come behind it."""


class Adding(VBox):  # type: ignore[misc] # ipywidgets ships no types
    """Provider, model, name and priority. A key is never asked for: the form names the variable that holds it.

    Args:
        panel: does what is asked here.
    """

    def __init__(self, panel: "ModelsPanel") -> None:
        self._panel = panel
        known = providers.known()
        self.provider = dropdown(
            "Provider", known, lambda _: self._show_variables(), "openai" if "openai" in known else known[0]
        )
        self.model = line("Model, as its provider writes it", "gpt-6-luna")
        self.name = line("Name", "a name of your own")
        self.priority = line("Priority, the lowest is asked first", "100", str(USUAL_PRIORITY))
        self.add = button("Add the model", panel.guarded(self._take), look="main")
        self.cancel = button("Cancel", lambda: self.unfold(seen=False))
        self._variables = HTML()
        fields = (("Provider", self.provider), ("Model", self.model), ("Name", self.name), ("Priority", self.priority))
        labelled = [
            named(VBox([HTML(f'<span aria-hidden="true">{label}</span>'), field]), "labelled")
            for label, field in fields
        ]
        super().__init__(
            [named(HBox(labelled), "fields"), self._variables, named(HBox([self.add, self.cancel]), "buttons")]
        )
        named(self, "adding").layout.display = "none"

    @property
    def unfolded(self) -> bool:
        """Whether it is seen."""
        return bool(self.layout.display != "none")

    def unfold(self, *, seen: bool) -> None:
        """Show it, or hide it."""
        self.layout.display = "" if seen else "none"
        if seen:
            self._show_variables()
            self.model.focus()

    def empty(self) -> None:
        """Begin anew."""
        self.model.value = self.name.value = ""
        self.priority.value = str(USUAL_PRIORITY)

    def _take(self) -> None:
        try:
            priority = int(self.priority.value.strip() or USUAL_PRIORITY)
        except ValueError:
            raise ConfigError("A priority is a whole number, such as 10; the lowest is asked first.") from None
        model, name = self.model.value.strip(), self.name.value.strip()
        for field in (self.model, self.name):
            field.value = redact(field.value)  # a key that was typed by mistake is refused, and not kept here either
        if not model:
            raise ConfigError("Say which model it is, as its provider writes it.")
        self._panel.add(self.provider.value, model, name=name or None, priority=priority)

    def _show_variables(self) -> None:
        self._variables.value = (
            f'<div class="toolkit-note">{_variables(self.provider.value, self._panel.environ)}</div>'
        )


def _variables(provider: str, environ: Any) -> str:
    """Which variables of the environment lead to a provider's models, and which are set; never what they hold."""
    vendor = providers.find(provider)
    if vendor is None:
        return "This provider cannot be loaded here."
    needed = [vendor.variables.get(plain, plain) for plain in vendor.required]
    if not needed:
        return "It needs no key."
    told = [
        f"<code>{escape(name)}</code>, which is {'set' if environ.get(name) else '<b>not set</b>'}" for name in needed
    ]
    return f"It needs {' and '.join(told)} where this kernel runs. A key is neither typed nor kept here."

"""A row of a form: what the argument is, the field, and beneath it what is wrong with it."""

import re
from html import escape

from ipywidgets import HTML, HBox, VBox

from notebooks.tools.fields import Field
from notebooks.tools.shape import hint, shown
from notebooks.widgets.panel import named

_NAME = re.compile(r"`([^`]+)`")  # how sentences for models name an argument


class Row(HBox):  # type: ignore[misc] # ipywidgets ships no types
    """A field with its name, what may be written there, and what is wrong with what is.

    Args:
        field: of one argument.

    Attributes:
        touched: somebody has written or chosen something there.
    """

    def __init__(self, field: Field) -> None:
        self.field, self.touched = field, False
        self._wrong = named(HTML(), "wrong")
        super().__init__([HTML(_label(field)), VBox([field.widget, HTML(_about(field)), self._wrong])])
        self.add_class("toolkit-row")
        self.tell([])

    def tell(self, said: list[str]) -> None:
        """Show what is wrong; an empty list takes it away."""
        clauses = "; ".join([*said, f"it is not JSON yet: {self.field.unread}"] if said and self.field.unread else said)
        named_in = _NAME.sub(r"<code>\1</code>", escape(clauses))
        html = f'<div role="alert"><b aria-hidden="true">✕</b> {named_in}</div>' if said else ""
        if self._wrong.value != html:
            self._wrong.value = html
        self._wrong.layout.display = "" if said else "none"


def _label(field: Field) -> str:
    mark = ' <span class="toolkit-required" title="required">*</span>' if field.required else ""
    return (
        f'<div class="toolkit-argument"><span>{escape(field.name) or "(no name)"}{mark}</span>'
        f"<small>{escape(hint(field.schema))}</small></div>"
    )


def _about(field: Field) -> str:
    said = field.schema.get("description")
    about = f'<div class="toolkit-about">{escape(said)}</div>' if isinstance(said, str) and said.strip() else ""
    if not field.in_json:
        return about
    return f"{about}<details><summary>its schema</summary><pre>{escape(shown(field.schema))}</pre></details>"

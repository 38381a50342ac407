"""Buttons and fields with a name that a screen reader reads, and callbacks whose errors somebody sees."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from ipywidgets import Button, Checkbox, Dropdown, Text

from notebooks.widgets.unblocked import unblocked

Look = Literal["main", "quiet", "link"]


def button(label: str, on_click: Callable[[], object], *, tip: str = "", look: Look = "quiet") -> Any:
    """A button.

    Args:
        label: what stands on it.
        on_click: called on whichever thread the browser's message comes in; what it raises is lost, so give it a
            panel's `_guard`.
        tip: what it does, in full, where the label alone does not say; shown beside the pointer.
        look: one `main` in a row, the others `quiet`; `link` for what stands below a text.
    """
    made = unblocked(Button(description=label, tooltip=tip))
    made.add_class(f"toolkit-{look}")
    made.on_click(lambda _: on_click())
    return made


def dropdown(
    label: str, options: Sequence[str | tuple[str, Any]], on_change: Callable[[Any], object], value: Any = None
) -> Any:
    """A list to choose from; `label` is for screen readers only, `value` what is chosen at first."""
    given = {} if value is None else {"value": value}
    made = unblocked(Dropdown(description=label, options=list(options), **given))
    made.add_class("toolkit-choice")
    made.observe(lambda change: on_change(change["new"]), "value")
    return made


def checkbox(label: str, value: bool, on_change: Callable[[bool], object], *, shown: bool = True) -> Any:
    """A box to tick; with `shown` false its label is for screen readers only."""
    made = unblocked(Checkbox(description=label, value=value, indent=False))
    made.add_class("toolkit-tick" if shown else "toolkit-tick-only")
    made.observe(lambda change: on_change(change["new"]), "value")
    return made


def line(label: str, placeholder: str = "", value: str = "") -> Any:
    """A line to write in, `label` for screen readers only; see `Entry` for one that Enter sends."""
    made = unblocked(Text(description=label, placeholder=placeholder, value=value, continuous_update=False))
    made.add_class("toolkit-field")
    return made

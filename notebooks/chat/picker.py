"""Which model answers: a list to choose from, with how each fares."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from notebooks.widgets.controls import dropdown
from toolkit.models.model import Model
from toolkit.models.reach import missing

if TYPE_CHECKING:
    from toolkit.toolkit import Toolkit

WHOLE_CHAIN = ""
"""Stands in the list for no model in particular."""

Choices = list[tuple[str, str]]


class ModelPicker:
    """A list of the chain's models.

    Args:
        on_change: called when a person chose: with a model's name, or None for the whole chain.
        model: what is chosen at first.

    Attributes:
        widget: the list.
    """

    def __init__(self, on_change: Callable[[str | None], object], model: str | None) -> None:
        self._on_change, self._showing = on_change, False
        self.widget = dropdown("Model", _with([], model), self._chosen, model or WHOLE_CHAIN)

    @property
    def model(self) -> str | None:
        """The chosen model; None is the whole chain."""
        return self.widget.value or None

    @property
    def choices(self) -> Choices:
        """What can be chosen: what is read, and what it stands for."""
        return list(self.widget.options)

    def choose(self, model: str | None) -> None:
        """Choose as if a person had, but without telling."""
        self.show([(label, name) for label, name in self.choices if name], model)

    def show(self, models: Choices, model: str | None) -> None:
        """Offer these, of which `model` is chosen; it is offered also where it is not among them."""
        offered = _with(models, model)
        self._showing = True
        try:
            if offered != self.choices:
                self.widget.options = offered
            self.widget.value = model or WHOLE_CHAIN
        finally:
            self._showing = False

    def _chosen(self, name: str | None) -> None:
        if not self._showing:
            self._on_change(name or None)


async def models_of(tk: "Toolkit") -> Choices:
    """The models of the chain in their order, each with how it fares, in words."""
    health = tk.router.health()
    resting = {key.model for key in health if key.state == "open"} - {k.model for k in health if k.state != "open"}
    return [(f"{model.name} · {_fares(tk, model, resting)}", model.name) for model in await tk.models.chain()]


def _fares(tk: "Toolkit", model: Model, resting: set[str]) -> str:
    if missing(model, tk.environ):
        return "no key"
    return "resting" if model.name in resting else "ready"


def _with(models: Choices, model: str | None) -> Choices:
    own = [] if model is None or any(name == model for _, name in models) else [(model, model)]
    return [("First model that answers", WHOLE_CHAIN), *models, *own]

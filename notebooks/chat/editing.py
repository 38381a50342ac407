"""Says that the next Send asks an earlier question differently."""

from collections.abc import Callable

from ipywidgets import HTML, HBox

from notebooks.chat.turn import Turn
from notebooks.widgets.controls import button
from notebooks.widgets.panel import named


class Editing(HBox):  # type: ignore[misc] # ipywidgets ships no types
    """A row above the line; hidden unless a question is being edited.

    Args:
        on_cancel: called when a person wants to edit it no longer.

    Attributes:
        turn: whose question it is; None where none is being edited.
    """

    def __init__(self, on_cancel: Callable[[], object]) -> None:
        self.turn: Turn | None = None
        self._text = HTML()
        super().__init__([self._text, button("Cancel", on_cancel, tip="Ask a new question instead", look="link")])
        named(self, "editing")
        self.end()

    @property
    def said(self) -> str:
        """What the row says, as HTML."""
        return str(self._text.value)

    def begin(self, turn: Turn, number: int) -> None:
        """The next Send asks question `number` differently, in a branch."""
        self.turn = turn
        self._text.value = (
            f'<div role="status">Question {number} is being edited: the next Send asks it in a branch.</div>'
        )
        self.layout.display = ""

    def end(self) -> None:
        """The next Send asks a new question."""
        self.turn, self._text.value = None, ""
        self.layout.display = "none"

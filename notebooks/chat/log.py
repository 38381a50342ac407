"""The turns of a conversation on the page."""

from collections.abc import Sequence

from ipywidgets import VBox

from notebooks.chat.turn import Turn
from notebooks.chat.view import Acts, TurnView
from notebooks.widgets.closing import discard
from notebooks.widgets.panel import named

TURNS_SHOWN = 100
"""Older turns leave the page, since a browser keeps every widget that is open; the transcript has them."""


class Log(VBox):  # type: ignore[misc] # ipywidgets ships no types
    """The last `TURNS_SHOWN` turns, oldest first.

    Args:
        acts: what can be done with each.
    """

    def __init__(self, acts: Acts) -> None:
        self._acts = acts
        super().__init__()
        named(self, "turns")

    @property
    def page(self) -> str:
        """All that is shown, as HTML."""
        return "\n".join(view.page for view in self.children)

    def add(self, turn: Turn) -> TurnView:
        """Show one more turn."""
        view = TurnView(turn, self._acts)
        self._show([*self.children, view])
        return view

    def put_before(self, turns: Sequence[Turn]) -> None:
        """Show turns above the others, as far as there is room."""
        room = max(TURNS_SHOWN - len(self.children), 0)
        self._show([*(TurnView(turn, self._acts) for turn in turns[len(turns) - room :]), *self.children])

    def take(self, turns: Sequence[Turn]) -> list[TurnView]:
        """Show these turns no longer; gives their views, which are still open."""
        taken = [view for view in self.children if view.turn in turns]
        self._show([view for view in self.children if view.turn not in turns])
        return taken

    def put_back(self, views: Sequence[TurnView]) -> None:
        """Show views again that were taken, below all others."""
        self._show([*self.children, *views])

    def _show(self, views: list[TurnView]) -> None:
        self.children = views[-TURNS_SHOWN:]
        for view in views[:-TURNS_SHOWN]:
            discard(view)

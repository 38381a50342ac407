"""A turn on the page: a few widgets, of which only those change whose part of the turn does."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ipywidgets import HTML, HBox, VBox

from notebooks.chat.turn import Turn
from notebooks.widgets.closing import discard
from notebooks.widgets.controls import button, dropdown
from notebooks.widgets.panel import named


@dataclass(frozen=True, slots=True)
class Acts:
    """What can be done with a turn; each is told of whichever it is.

    Attributes:
        retry: with the name of a model, or an empty text for the one of the panel.
        edit: say the question differently.
        branch: go on from here in a new session.
        models: what `retry` may be told, as a list to choose from.
    """

    retry: Callable[[Turn, str], object]
    edit: Callable[[Turn], object]
    branch: Callable[[Turn], object]
    models: Callable[[], list[tuple[str, str]]]


class TurnView(VBox):  # type: ignore[misc] # ipywidgets ships no types
    """A question and its answer; below a whole answer stands what can be done with it.

    What was unfolded in a part stays so while another part changes.

    Args:
        turn: what is shown.
        acts: what can be done with it.
    """

    def __init__(self, turn: Turn, acts: Acts) -> None:
        self.turn, self._acts = turn, acts
        self._asked, self._steps, self._answer = HTML(turn.asked_html()), HTML(), HTML()
        self._foot = HTML()
        self._rows: list[Any] = []
        self._below = named(HBox([self._foot]), "below")
        super().__init__([self._asked, self._steps, self._answer, self._below])
        named(self, "turn")
        self.show()

    @property
    def page(self) -> str:
        """All that it shows, as HTML."""
        return "\n".join(part.value for part in (self._asked, self._steps, self._answer, self._foot))

    def show(self) -> None:
        """Show how the turn stands now."""
        turn = self.turn
        self._steps.value, self._answer.value = turn.steps_html(), turn.answer_html()
        self._foot.value = turn.foot_html()
        if turn.state != "running" and len(self._below.children) == 1:
            self._offer()

    def add(self, row: Any) -> None:
        """Put a row of widgets below the answer, above its foot."""
        self._rows = [*self._rows, row]
        self._place_rows()

    def remove(self, row: Any) -> None:
        """Take the row away and close it."""
        self._rows = [other for other in self._rows if other is not row]
        self._place_rows()
        discard(row)

    def _place_rows(self) -> None:
        self.children = [self._asked, self._steps, self._answer, *self._rows, self._below]

    def _offer(self) -> None:
        turn, acts = self.turn, self._acts
        self._below.children = [
            self._foot,
            button("Retry", self._choose, tip="Ask this question again, with a model that you choose", look="link"),
            button("Edit", lambda: acts.edit(turn), tip="Say this question differently, in a branch", look="link"),
            button("Branch", lambda: acts.branch(turn), tip="Go on from here in a new session", look="link"),
        ]

    def _choose(self) -> None:
        """Ask with which model, in a row of its own."""

        def close() -> None:
            self.remove(row)

        def again() -> None:
            model = models.value
            close()
            self._acts.retry(self.turn, model)

        models = dropdown("Ask again with", self._acts.models(), lambda _: None, "")
        row = named(HBox([models, button("Ask again", again, look="main"), button("Cancel", close)]), "again")
        self.add(row)

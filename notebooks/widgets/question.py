"""A question that must be answered before something is done that cannot be taken back lightly."""

from collections.abc import Callable
from html import escape
from typing import Any

from ipywidgets import HTML, HBox

from notebooks.widgets.controls import button
from notebooks.widgets.panel import named


class Question(HBox):  # type: ignore[misc] # ipywidgets ships no types
    """A sentence and two buttons; hidden until something is asked, and after each answer.

    Args:
        guard: a panel's `_guard`.
    """

    def __init__(self, guard: Callable[..., None]) -> None:
        self._guard = guard
        self._act: Callable[[], object] = lambda: None
        self._asker: Any = None
        self._text = HTML()
        self.yes = button("Yes", self._answered, look="main")
        self.no = button("No", self._refused)
        super().__init__([self._text, self.yes, self.no])
        named(self, "question").layout.display = "none"

    def ask(self, text: str, yes: str, no: str, act: Callable[[], object], asker: Any) -> None:
        """Ask, and do `act` where the answer is `yes`; a question before it is forgotten.

        Args:
            text: the question.
            yes: what is done, as the button says it.
            no: what the other button says; it has the focus.
            act: done after `yes`.
            asker: the button that led here; it gets the focus back after `no`.
        """
        self._text.value = f'<div role="alert">{escape(text)}</div>'
        self.yes.description, self.no.description, self._act, self._asker = yes, no, act, asker
        self.layout.display = ""
        self.no.focus()

    def hide(self) -> None:
        """Ask no more; nothing is done."""
        self._act = lambda: None
        self._text.value = ""
        self.layout.display = "none"

    def _refused(self) -> None:
        self.hide()
        self._asker.focus()

    def _answered(self) -> None:
        act = self._act
        self.hide()
        self._guard(act)

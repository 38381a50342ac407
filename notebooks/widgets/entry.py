"""A line to write in, and the button beside it."""

import threading
import time
from collections.abc import Callable

from ipywidgets import Button, HBox, Text

from notebooks.widgets.unblocked import unblocked

WAIT_SECONDS = 2.0
"""How long after Enter the text that was written may arrive."""

GRACE_SECONDS = 0.25
"""How long after Enter a newer text may replace one that had arrived before."""


class Entry(HBox):  # type: ignore[misc] # ipywidgets ships no types
    """A line and a button; Enter and the button send what is written.

    A browser tells of Enter before it tells what was written, and holds the text back while an earlier one is on its
    way. So Enter waits for the text.

    Args:
        label: what the line is for; for screen readers.
        placeholder: shown while the line is empty.
        verb: what stands on the button.
        on_send: called with the text, never an empty one, on whichever thread the browser's message came in.
        on_press: called first when the button is pressed; true if that was all that the button was to do.
    """

    def __init__(
        self,
        label: str,
        placeholder: str,
        verb: str,
        on_send: Callable[[str], object],
        on_press: Callable[[], bool] = lambda: False,
    ) -> None:
        self._on_send, self._on_press = on_send, on_press
        self._taking = threading.Lock()
        self._wanted_until = 0.0
        self.text = unblocked(Text(description=label, placeholder=placeholder, continuous_update=False))
        self.text.add_class("toolkit-field")
        self.button = unblocked(Button(description=verb))
        super().__init__([self.text, self.button])
        self.add_class("toolkit-bar")
        self.text.on_msg(lambda _widget, content, _buffers: self._enter() if content.get("event") == "submit" else None)
        self.text.observe(lambda _: self._take(), "value")
        self.button.on_click(lambda _: self._press())

    def _press(self) -> None:
        if not self._on_press():
            self._want()
            self._take()

    def _enter(self) -> None:
        self._want()
        if self.text.value:
            timer = threading.Timer(GRACE_SECONDS, self._take)
            timer.daemon = True
            timer.start()

    def _want(self) -> None:
        self._wanted_until = time.monotonic() + WAIT_SECONDS

    def _take(self) -> None:
        text = self.text.value.strip()
        with self._taking:
            wanted, self._wanted_until = time.monotonic() < self._wanted_until, 0.0 if text else self._wanted_until
        if wanted and text:
            self._on_send(text)

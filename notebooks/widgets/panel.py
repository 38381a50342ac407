"""What all panels share: their look, work on the toolkit's own event loop, and errors in plain words."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for
from html import escape
from typing import Any

from ipywidgets import HTML, VBox

from notebooks.widgets.closing import parts
from notebooks.widgets.style import SHEET
from toolkit.bridge import CLEANUP_SECONDS, Blocking, Lane, Work, inside, running
from toolkit.errors import ConfigError, ToolkitError
from toolkit.redaction import redact

logger = logging.getLogger(__name__)


class Panel(VBox):  # type: ignore[misc] # ipywidgets ships no types
    """A panel over a toolkit from `connect`, `connect_sync` or `Toolkit.open`.

    Its work runs where the toolkit lives: after `connect` it goes on while a cell computes.

    Args:
        tk: the toolkit.
        kind: the panel's CSS class.
        children: what is seen, from top to bottom.

    Raises:
        ConfigError: the toolkit lives on an event loop, and none is running.
    """

    def __init__(self, tk: Any, kind: str, *children: Any) -> None:
        try:
            self._tk, self._home = inside(tk)
        except RuntimeError:
            raise ConfigError(
                "This toolkit can only be used with await; give the panel one from `notebooks.connect_sync()`."
            ) from None
        self._waits = isinstance(tk, Blocking)
        self._lane: Lane | None = None
        self._sheet = HTML(SHEET)
        self._notice = HTML()
        super().__init__([named(self._sheet, "sheet"), *children, named(self._notice, "notice")])
        self.add_class("toolkit-panel")
        self.add_class(f"toolkit-{kind}")
        self._tell("")

    def stop(self) -> None:
        """Cancel what runs; nothing happens if nothing does."""
        if self._lane is not None:
            self._lane.cancel()

    def close(self) -> None:
        """Stop what runs, and take the panel off the page with everything in it."""
        self.stop()
        for part in tuple(parts(self)):
            super().close() if part is self else part.close()

    def _tell(self, error: str) -> None:
        """Show a sentence below everything else; an empty one takes it away."""
        self._notice.value = f'<div class="toolkit-error" role="alert">{escape(error)}</div>' if error else ""
        self._notice.layout.display = "" if error else "none"

    def _do(self, work: Work, then: Callable[[Any], object] = lambda _: None) -> None:
        """Have `work` done where the toolkit lives, and then `then` with what it gave; the panel tells what fails."""

        def done(outcome: Future[Any]) -> None:
            error = outcome.exception()
            if error is None:
                self._guard(then, outcome.result())
            elif not isinstance(error, asyncio.CancelledError):
                self._tell(sentence(error))

        self._tell("")
        with Lane(self._home) as lane:
            lane.call(work).add_done_callback(done)

    def _given(self, lane: Lane, outcome: Future[Any]) -> Any:
        """What a method gives that a cell calls: the result itself, or, where the toolkit is awaited, to be awaited.

        An interrupt of the cell cancels what `lane` does, and waits until it has cleaned up.
        """
        if not self._waits or running() is self._home:  # a loop cannot wait for itself
            return lane.result(outcome)
        try:
            return outcome.result()
        except BaseException:
            wait_for([lane.cancel()], CLEANUP_SECONDS)
            raise

    def _guard(self, act: Callable[..., object], *given: Any) -> None:
        """Call what a widget's message calls: what it raises would be seen by nobody, and is told in the panel."""
        try:
            act(*given)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is told
            self._tell(sentence(error))


def named(widget: Any, name: str) -> Any:
    """`widget` with the sheet's class `toolkit-name`."""
    widget.add_class(f"toolkit-{name}")
    return widget


def sentence(error: BaseException) -> str:
    """What a person is told of `error`; one that the toolkit does not know goes to the log with its trace."""
    if isinstance(error, ToolkitError):
        return redact(str(error))
    logger.error("A panel's work failed.", exc_info=error)
    return redact(f"Something unexpected went wrong ({type(error).__name__}: {error}); the log says where.")

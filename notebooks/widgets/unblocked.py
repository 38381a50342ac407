"""Widgets that are heard at once, also while a cell computes."""

from typing import Any


def unblocked(widget: Any) -> Any:
    """`widget`, whose messages come on a thread of their own where the notebook offers one.

    JupyterLab and Notebook 7 send the messages of widgets to such a thread, a subshell. From version 7.4 on the kernel
    brings them back to the thread that made the widget, which is the one that runs cells: a press of Stop would be
    heard when the cell has ended. What our callbacks do they do on the toolkit's own loop, so they may come on any.
    """
    comm = getattr(widget, "comm", None)
    if comm is not None and hasattr(comm, "_reply_subshell_for"):
        comm._reply_subshell_for = _as_sent  # noqa: SLF001 - there is no public way
    return widget


def _as_sent(_data: Any, subshell: Any) -> Any:
    return subshell

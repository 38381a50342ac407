"""Whom a question is waiting for, said to whoever wants to hear it: `asking large; small failed (RateLimited)`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

from toolkit.messages import Attempt

Hear: TypeAlias = Callable[[str], None]
"""Takes a few words; it is in the way of the question, so it must neither wait nor raise."""

_hearing: ContextVar[Hear | None] = ContextVar("hearing", default=None)


@contextmanager
def heard_by(hear: Hear) -> Iterator[None]:
    """Inside, and in the tasks that are begun inside, `hear` is told who is asked."""
    before = _hearing.set(hear)
    try:
        yield
    finally:
        _hearing.reset(before)


def asking(model: str, attempts: Sequence[Attempt]) -> None:
    """Say that a model is asked now, and who failed last before it."""
    if hear := _hearing.get():
        failed = f"; {attempts[-1].name} failed ({attempts[-1].error})" if attempts and not attempts[-1].ok else ""
        hear(f"asking {model}{failed}")

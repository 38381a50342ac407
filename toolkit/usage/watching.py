"""What the ledger tells, the moment it happens, to whoever measures: figures and names, nothing of what was said."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

from toolkit.messages import Attempt

Status: TypeAlias = Literal["ok", "error", "cancelled", "cached"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """A model was asked, and what came of it.

    Attributes:
        attempt: the model, and how it went.
        kind: `chat`, `stream`, `embed` or `batch`.
        status: how it ended; `cached`: no model was asked, the answer was there.
        started_at: when the model was asked.
        before: whom the same question went to before; None if this was the first.
        listed: the model is one of the table, so that there are not many such names.
        address: of the vendor's server, where the model's row names one.
    """

    attempt: Attempt
    kind: str
    status: Status
    started_at: datetime
    before: Attempt | None = None
    listed: bool = False
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Began:
    """A model began to answer piece by piece.

    Attributes:
        model: its name.
        listed: as for `Asked`.
        seconds: from the question to the first words.
    """

    model: str
    listed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ToolUsed:
    """A call of a tool is over.

    Attributes:
        tool: its name.
        status: `ok`, `error`, `refused`, `timeout` or `cancelled`.
        error: the class of the error, None if it answered.
        milliseconds: from the call to its end.
        started_at: when it was called.
    """

    tool: str
    status: str
    error: str | None
    milliseconds: float
    started_at: datetime


Told: TypeAlias = Asked | Began | ToolUsed
Watcher: TypeAlias = Callable[[Told], None]
"""It stands in the way of the answer, so it must not wait. Whatever it raises is logged, and the answer goes on."""


class Watchers:
    """Those who want to be told; falsy where there is nobody."""

    def __init__(self) -> None:
        self._all: tuple[Watcher, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._all)

    def add(self, watcher: Watcher) -> None:
        """From now on `watcher` is told, in the task in which it happens."""
        self._all = (*self._all, watcher)

    def tell(self, told: Told) -> None:
        """Tell everybody; never raises."""
        for watcher in self._all:
            try:
                watcher(told)
            except Exception:  # noqa: BLE001 - whoever measures breaks no answer
                _log.exception("What the ledger told could not be measured.")

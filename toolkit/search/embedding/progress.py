"""How far the background embedder is with a collection."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from toolkit.display.shown import Shown
from toolkit.errors import ToolkitError

_SMALLEST: Final = 8
_LARGEST: Final = 256
_SHORT, _LONG = 1.0, 4.0  # seconds of a part, between which its size is right
_REST, _LONGEST_REST = 2.0, 300.0  # seconds after a failure, doubled by each further one


@dataclass(frozen=True, slots=True, repr=False)
class Progress(Shown):
    """How far a collection is.

    Attributes:
        embedded: texts to which this process made a vector since it began.
        pending: chunks without a vector when it last looked; None if it never did.
        per_second: texts a second, of late; 0 before the first.
        skipped: texts that the embedder refuses; `problem` says why the last one was.
        paused: whether it was told to wait.
        problem: what keeps it from going on, or what it did not like; None if all is well.
    """

    embedded: int
    pending: int | None
    per_second: float
    skipped: int
    paused: bool
    problem: str | None

    @property
    def seconds_left(self) -> float | None:
        """At the present pace; None where that is not known."""
        return self.pending / self.per_second if self.pending is not None and self.per_second else None


@dataclass(slots=True)
class Desk:
    """What lies on the worker's desk of one collection.

    Attributes:
        pending: chunks that lacked a vector at the last look; None before it.
        size: texts of the next part.
        skipped: texts that are not tried again, by their hashes, with the reason.
        idle: nothing is pending that could be done, as far as it knows.
        error: what the last part failed with; None after one that did not.
    """

    pending: int | None = None
    size: int = _SMALLEST * 2
    skipped: dict[int, str] = field(default_factory=dict)
    idle: bool = False
    error: ToolkitError | None = None
    _embedded: int = 0
    _per_second: float = 0.0
    _failures: int = 0
    _rests_until: float = 0.0
    _of_part: int = 0

    def progress(self, *, paused: bool) -> Progress:
        """The same for people."""
        problem = str(self.error) if self.error else next(reversed(self.skipped.values()), None)
        return Progress(self._embedded, self.pending, self._per_second, len(self.skipped), paused, problem)

    def may_work(self) -> bool:
        """Whether there may be something to do, and no rest is due."""
        return not self.idle and monotonic() >= self._rests_until

    def resting(self, otherwise: float) -> float:
        """Seconds until the rest is over; `otherwise` where there is none."""
        left = self._rests_until - monotonic()
        return left if left > 0 else otherwise

    def finished(self, left: int = 0) -> None:
        """Nothing is there to do until somebody says so."""
        self.pending = left
        self.idle = True

    def kept(self, count: int) -> None:
        """So many vectors were kept."""
        self._embedded += count
        self._of_part += count
        self.pending = max(0, (self.pending or 0) - count)

    def skip(self, number: int, why: ToolkitError) -> None:
        """A text is not tried again by this process."""
        self.skipped[number] = str(why)

    def went_well(self) -> None:
        """The last part did not fail."""
        self.error, self._failures, self._rests_until = None, 0, 0.0

    def failed(self, error: ToolkitError) -> bool:
        """Rest a while, longer each time; True if it is not the same failure as before."""
        new = str(error) != str(self.error)
        self.error = error
        self._rests_until = monotonic() + min(_LONGEST_REST, _REST * 2**self._failures)
        self._failures += 1
        return new

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Around a part: the next one is of a size that takes a second or a few."""
        self._of_part, begin = 0, monotonic()
        yield
        took = max(1e-6, monotonic() - begin)
        if self._of_part:
            pace = self._of_part / took
            self._per_second = 0.7 * self._per_second + 0.3 * pace if self._per_second else pace
        if took < _SHORT:
            self.size = min(_LARGEST, self.size * 2)
        elif took > _LONG:
            self.size = max(_SMALLEST, self.size // 2)

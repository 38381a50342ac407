"""How the batches of the vendors that the server plays turn out."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from toolkit.messages import Json


@dataclass(slots=True)
class BatchPlan:
    """What a test wants of batches; as it is, every request is answered by the second look.

    Attributes:
        looks: how many looks find a batch still under way.
        refused: ids of requests that the vendor refuses, each with the sentence.
        expired: ids of requests that are not answered within the day.
        lost: ids of requests of which the vendor says nothing at all.
        rejected: a sentence with which whole batches fail when they are read; None accepts them.
        cancelled: the batches that were cancelled.
        open: batches end only while it is set.
    """

    looks: int = 1
    refused: dict[str, str] = field(default_factory=dict)
    expired: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    rejected: str | None = None
    cancelled: list[str] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.open.set()


@dataclass(slots=True)
class Submitted:
    """A batch that the server got.

    Attributes:
        id: the vendor's.
        requests: the bodies of the questions by their ids.
        looks: how often somebody looked.
        cancelled: whether it was cancelled.
        results: by id of the request, once it has ended.
    """

    id: str
    requests: dict[str, Json]
    looks: int = 0
    cancelled: bool = False
    results: dict[str, Json] | None = None

    def look(self, plan: BatchPlan, answer: Callable[[str, Json], Json | None]) -> bool:
        """Whether it has ended by this look; then `answer` has made its results."""
        self.looks += 1
        if self.results is None and (self.cancelled or (self.looks > plan.looks and plan.open.is_set())):
            made = {name: answer(name, body) for name, body in self.requests.items() if name not in plan.lost}
            self.results = {name: result for name, result in made.items() if result is not None}
        return self.results is not None

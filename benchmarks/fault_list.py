"""The faults of `benchmarks.faults`: how each is played, and when a client can know of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from email.utils import format_datetime

from benchmarks.contestants.worker import Limits
from toolkit.messages import Json
from toolkit.stamps import now
from toolkit.testing.faults import TOO_LONG, Fault
from toolkit.testing.wire import texts_in

ANSWER = "It waits for one probe to succeed before it lets the other requests through to the provider again."
LIMITS = Limits(attempt=2.0, first_token=1.0, silence=1.0, total=30.0)
AFTER = 5  # words that come before a stream breaks
DRIP = 0.05  # seconds between two words; shorter than every limit


@dataclass(frozen=True, slots=True)
class Case:
    """One way to fail.

    Attributes:
        name: how the table calls it.
        fault: what the sick server does, by wire.
        whole: the limit that has to pass before a whole answer is known not to come, by its name; None: it is told.
        stream: the same for a stream.
        curable: a second vendor can answer what this one does not; a bad request nobody can, and a slow answer is one.
        refused: nobody listens; there is no fault to play.
    """

    name: str
    fault: Callable[[str], Fault]
    whole: str | None = None
    stream: str | None = None
    curable: bool = True
    refused: bool = False

    def limit(self, *, stream: bool) -> float:
        """Seconds from the moment when the fault strikes to the one when it can be known."""
        match self.stream if stream else self.whole:
            case "attempt":
                return LIMITS["attempt"]
            case "first_token":
                return LIMITS["first_token"]
            case "silence":
                return LIMITS["silence"]
        return 0.0


def healthy(body: Json) -> str:
    """What both servers say when they are well: the answer, or what is left of it for whoever has begun it."""
    begun = next((texts_in(each["content"]) for each in body["messages"][::-1] if each["role"] == "assistant"), "")
    # A vendor refuses white space at the end of what it is to go on with, and is sent it without.
    return ANSWER[len(begun) :] if begun and ANSWER.startswith(begun) else ANSWER


def _status(status: int, **headers: str) -> Callable[[str], Fault]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _wire: Fault.status(status, headers=named)


def _in_a_while(_wire: str) -> Fault:
    at = format_datetime(now() + timedelta(seconds=8), usegmt=True)
    return Fault.status(429, headers={"retry-after": at})


FAULTS = (
    Case("500", _status(500)),
    Case("503", _status(503)),
    Case("429", _status(429)),
    Case("429 after 1 s", _status(429, retry_after="1")),
    Case("429 after 8 s", _status(429, retry_after="8")),
    Case("429 after 3600 s", _status(429, retry_after="3600")),
    Case("429 after a date", _in_a_while),
    Case("401", _status(401)),
    Case("400", _status(400), curable=False),
    Case("context overflow", TOO_LONG.__getitem__),
    Case("policy refusal", lambda _wire: Fault.refusal()),
    Case("body not JSON", lambda _wire: Fault.not_json()),
    Case("empty answer", lambda _wire: Fault.empty()),
    Case("connection refused", lambda _wire: Fault.reset(), refused=True),
    Case("reset", lambda _wire: Fault.reset()),
    Case("hang before headers", lambda _wire: Fault.hang(), whole="attempt", stream="first_token"),
    Case("hang before a token", lambda _wire: Fault.stall(), whole="attempt", stream="first_token"),
    Case("cut", lambda _wire: Fault.cut(AFTER)),
    Case("error in the answer", lambda _wire: Fault.error_event(after=AFTER)),
    Case("stall", lambda _wire: Fault.stall(AFTER), whole="attempt", stream="silence"),
    Case("garbage", lambda _wire: Fault.garbage(AFTER)),
    Case("no end mark", lambda _wire: Fault.end(AFTER)),
    Case("slow drip", lambda _wire: Fault.drip(DRIP), curable=False),
)

"""Every error the toolkit raises.

    ToolkitError
    ├── ConfigError                a setting, an argument or a row cannot be used as written
    │   └── CassetteError          a recording cannot be read, written or used so
    │       └── CassetteMiss       the call is not in the recording that is replayed
    ├── NotFound                   no such model, session, tool, document or chunk
    │   └── SessionExpired         it was there; its time to live ran out
    ├── Conflict                   it is there already, or was changed by someone else meanwhile
    ├── DatabaseError              the database did not do what it was asked
    │   ├── DatabaseUnavailable    it cannot be opened or reached, or is read-only
    │   ├── DatabaseBusy         ↻ someone else held a lock for longer than we wait
    │   ├── DatabaseFull           no space is left
    │   └── MigrationError         its tables are not the ones this version knows
    ├── IngestError                a path, a file or a text cannot be read into the search index
    ├── ProviderError              a model's vendor did not answer
    │   ├── RateLimited          ↻ too many requests; `retry_after` says when to come back
    │   ├── ProviderUnavailable  ↻ network, 5xx, overloaded
    │   ├── BadAnswer            ↻ an answer that is none: not JSON, empty, cut off before its end mark
    │   ├── ProviderTimeout        nothing came within the limit
    │   ├── AuthenticationFailed   the key is missing or was refused
    │   ├── QuotaExceeded          the account has no money left
    │   ├── ModelNotFound          the vendor does not know the model
    │   ├── ContextTooLong         the messages do not fit into the model's window
    │   ├── ContentRefused         the vendor's policy refused the content
    │   └── InvalidRequest         the vendor refused the request itself; others would too
    ├── StreamInterrupted          the answer broke off; `text` is what had arrived
    ├── AllModelsFailed            every candidate was tried; see `attempts`
    ├── DeadlineExceeded           the time given for the whole call ran out; see `attempts`
    ├── BudgetExceeded             what may be spent today is spent; no model was asked
    ├── AnswerInvalid              the answers did not fit `response_model`; `errors` says what of the last one
    └── ToolError                  a tool failed; the model may read the message
        └── ToolArgumentsError     the arguments do not fit the tool's parameters

An error marked ↻ is `retryable`: the same request may succeed a moment later.
Every message is one sentence (or two) for the person who must act on it.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from toolkit.messages import Attempt, Usage


class ToolkitError(Exception):
    """Anything that went wrong in the toolkit; catch this to catch all of it."""

    retryable: ClassVar[bool] = False


class ConfigError(ToolkitError):
    """A setting, an argument or a row cannot be used as written."""


class CassetteError(ConfigError):
    """A cassette cannot be read, written or used so; no other model is asked."""


class CassetteMiss(CassetteError):
    """The call is not in the cassette that is replayed; the message shows the nearest one that is."""


class NotFound(ToolkitError):
    """No such model, session, tool, document or chunk."""


class SessionExpired(NotFound):
    """The session was there; its time to live ran out."""


class Conflict(ToolkitError):
    """It is there already, or was changed by someone else meanwhile."""


class DatabaseError(ToolkitError):
    """The database did not do what it was asked."""


class DatabaseUnavailable(DatabaseError):
    """The database cannot be opened or reached, or cannot be written."""


class DatabaseBusy(DatabaseError):
    """Someone else held a lock for longer than we wait."""

    retryable = True


class DatabaseFull(DatabaseError):
    """No space is left for what was to be written; nothing of it was."""


class MigrationError(DatabaseError):
    """The database's tables are not the ones that this version knows."""


class IngestError(ToolkitError):
    """A path, a file or a text cannot be read into the search index."""


class ProviderError(ToolkitError):
    """A model's vendor did not answer.

    Attributes:
        provider: the vendor's name in the toolkit, e.g. `"openai"`.
        status: the HTTP status, None where there was no response.
        request_id: the vendor's id of the request, None if it gave none.
        retry_after: seconds until the vendor wants to be asked again, None if it did not say.
        usage: the tokens that the vendor had counted when the answer broke off, None if it had not.
    """

    usage: "Usage | None" = None

    def __init__(
        self,
        message: str,
        *,
        provider: str,
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.provider = provider
        self.status = status
        self.request_id = request_id
        self.retry_after = retry_after


class RateLimited(ProviderError):
    """Too many requests."""

    retryable = True


class ProviderUnavailable(ProviderError):
    """The vendor cannot be reached or says that it is out of order."""

    retryable = True


class BadAnswer(ProviderError):
    """An answer that is none: not JSON, empty, or cut off before its end mark."""

    retryable = True


class ProviderTimeout(ProviderError):
    """Nothing came from the vendor within the limit."""


class AuthenticationFailed(ProviderError):
    """The key is missing or was refused."""


class QuotaExceeded(ProviderError):
    """The account behind the key has no money left; waiting does not help."""


class ModelNotFound(ProviderError):
    """The vendor does not know the model."""


class ContextTooLong(ProviderError):
    """The messages do not fit into the model's window."""


class ContentRefused(ProviderError):
    """The vendor's policy refused the content."""


class InvalidRequest(ProviderError):
    """The vendor refused the request itself; every other vendor would too."""


class StreamInterrupted(ToolkitError):
    """The answer broke off after it had begun.

    Attributes:
        text: what had arrived.
        attempts: every model asked, in order.
    """

    def __init__(self, message: str, *, text: str, attempts: Sequence["Attempt"] = ()) -> None:
        super().__init__(message)
        self.text = text
        self.attempts = tuple(attempts)


class AllModelsFailed(ToolkitError):
    """Every candidate was tried and none answered.

    Attributes:
        attempts: every model asked, in order, with the reason why it did not answer.
    """

    def __init__(self, attempts: Sequence["Attempt"]) -> None:
        self.attempts = tuple(attempts)
        super().__init__(" ".join(["No model answered.", *_reasons(self.attempts)]))


class DeadlineExceeded(ToolkitError):
    """The time given for the whole call ran out.

    Attributes:
        attempts: every model asked until then, in order.
    """

    def __init__(self, seconds: float, attempts: Sequence["Attempt"] = ()) -> None:
        self.attempts = tuple(attempts)
        super().__init__(" ".join([f"No answer within {seconds:g} s.", *_reasons(self.attempts)]))


class BudgetExceeded(ToolkitError):
    """What may be spent in a day is spent or set aside; no model was asked.

    Attributes:
        retry_after: seconds until the next day begins, in UTC.
    """

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AnswerInvalid(ToolkitError):
    """The answers did not fit the form that was asked for, however often the model was told why.

    Where a validator said so, `__cause__` is pydantic's error.

    Attributes:
        text: the last answer.
        errors: what does not fit in it, each with its place.
        attempts: every model asked, in order.
    """

    def __init__(self, message: str, *, text: str, errors: Sequence[str], attempts: Sequence["Attempt"] = ()) -> None:
        super().__init__(message)
        self.text = text
        self.errors = tuple(errors)
        self.attempts = tuple(attempts)


class ToolError(ToolkitError):
    """A tool failed; the model may read the message."""


class ToolArgumentsError(ToolError):
    """The arguments do not fit the tool's parameters; the message names the wrong one.

    Attributes:
        wrong: of each mistake the argument that has it and what is said of it, so that a form can say it there; the
            argument is empty where it is none or all of them. Without any where only the message is known.
    """

    wrong: tuple[tuple[str, str], ...] = ()

    def __init__(self, message: str, *, wrong: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        if wrong:
            self.wrong = tuple(wrong)


def choices(names: Iterable[str]) -> str:
    """The end of a sentence that says what there is instead: `there are 'a', 'b'`; at most 20 of `names`."""
    known = [repr(name) for name in names]
    shown = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")  # noqa: PLR2004 - a sentence, not a page
    return f"there {'are' if len(known) > 1 else 'is'} {shown or 'none'}"


def _reasons(attempts: Sequence["Attempt"]) -> list[str]:
    """Why each did not answer; a retry that failed in the same way is not told again."""
    failed = [f"{a.name}: {a.error} ({(a.message or '').rstrip('.')})." for a in attempts if a.error]
    return list(dict.fromkeys(failed))

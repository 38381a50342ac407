"""What went wrong, as HTTP says it: a status, and one body that every client can read.

The body is Anthropic's error object and OpenAI's at once: `{"type": "error", "error": {"type", "message", "code",
"param"}, "request_id"}`. Statuses are those of docs/http.md.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from toolkit import errors
from toolkit.messages import Attempt, Json
from toolkit.redaction import redact

REQUEST_ID: Final = "x-request-id"

_TYPES: Final[Mapping[int, str]] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    409: "conflict_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_STATUSES: Final[Sequence[tuple[type[errors.ToolkitError], int, str]]] = (
    (errors.SessionExpired, 404, "session_expired"),
    (errors.NotFound, 404, "not_found"),
    (errors.ConfigError, 400, "invalid_request"),
    (errors.Conflict, 409, "conflict"),
    (errors.DatabaseError, 503, "database_unavailable"),
    (errors.IngestError, 422, "unreadable_document"),
    (errors.RateLimited, 429, "rate_limit_exceeded"),
    (errors.BudgetExceeded, 429, "insufficient_quota"),
    (errors.ContextTooLong, 400, "context_length_exceeded"),
    (errors.ContentRefused, 400, "content_policy_violation"),
    (errors.InvalidRequest, 400, "invalid_request"),
    (errors.ProviderTimeout, 504, "deadline_exceeded"),
    (errors.ProviderError, 502, "provider_error"),
    (errors.AllModelsFailed, 503, "all_models_failed"),
    (errors.DeadlineExceeded, 504, "deadline_exceeded"),
    (errors.StreamInterrupted, 502, "stream_interrupted"),
    (errors.AnswerInvalid, 502, "answer_invalid"),
    (errors.ToolArgumentsError, 422, "invalid_arguments"),
    (errors.ToolError, 502, "tool_failed"),
)
"""The first whose class fits."""

_FINAL: Final = frozenset(
    {"AuthenticationFailed", "QuotaExceeded", "ModelNotFound", "ContentRefused", "InvalidRequest"}
)
_LATER_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


@dataclass(eq=False)
class Refusal(Exception):
    """A request that is not fulfilled; routes raise it, and every other error becomes one.

    Attributes:
        status: of the response.
        message: one sentence or two for the person who must act on it.
        code: a word that programs compare.
        param: the field of the request that is wrong, None where it is none.
        retry_after: seconds after which asking again makes sense, None where that is not known.
        attempts: the models that were asked.
        again: whether asking again at once may help; None leaves it to the status.
    """

    status: int
    message: str
    code: str = "invalid_request"
    param: str | None = None
    retry_after: float | None = None
    attempts: tuple[Attempt, ...] = ()
    again: bool | None = None

    def body(self, request_id: str | None = None) -> Json:
        """What the client reads."""
        error: Json = {
            "type": _TYPES.get(self.status, "api_error"),
            "message": self.message,
            "code": self.code,
            "param": self.param,
        }
        if self.attempts:
            error["attempts"] = [attempt.to_json() for attempt in self.attempts]
        return {"type": "error", "error": error, **({"request_id": request_id} if request_id else {})}

    @property
    def headers(self) -> dict[str, str]:
        """When to come back, and who was asked."""
        found = {}
        if self.retry_after is not None:
            found["retry-after"] = str(max(1, ceil(self.retry_after)))
        if self.again is not None:
            found["x-should-retry"] = "true" if self.again else "false"
        if self.attempts:
            found["x-toolkit-attempts"] = told(self.attempts)
        return found

    def response(self, request: Request) -> JSONResponse:
        """The answer to `request`."""
        return JSONResponse(self.body(request_id_of(request)), self.status, self.headers)


def refusal_of(error: Exception) -> Refusal:
    """What a client is told of `error`; what nobody foresaw goes to the log, and the client hears that it did."""
    if isinstance(error, Refusal):
        return error
    for kind, status, code in _STATUSES:
        if isinstance(error, kind):
            return _foreseen(error, status, code)
    _log.error("A request failed unexpectedly.", exc_info=error)
    return Refusal(500, "The request failed for a reason that is not yours; the server's log says why.", "internal")


def _foreseen(error: errors.ToolkitError, status: int, code: str) -> Refusal:
    attempts: tuple[Attempt, ...] = tuple(getattr(error, "attempts", ()))
    kinds = {attempt.error for attempt in attempts if not attempt.ok}
    again = None
    if isinstance(error, errors.AllModelsFailed):
        if kinds == {"ContextTooLong"}:
            status, code = 400, "context_length_exceeded"
        elif len({attempt.name for attempt in attempts}) == 1:
            status, code = 502, "provider_error"
        again = False if kinds <= _FINAL else None
    retry_after: float | None = getattr(error, "retry_after", None)
    if isinstance(error, errors.DatabaseError) and retry_after is None:
        retry_after = _LATER_SECONDS
    return Refusal(status, redact(str(error)), code, retry_after=retry_after, attempts=attempts, again=again)


def told(attempts: Sequence[Attempt]) -> str:
    """The models that were asked, in order, as a header: `large=RateLimited, small=ok`."""
    return ", ".join(f"{_plain(attempt.name)}={attempt.error or 'ok'}" for attempt in attempts)


def header(name: str) -> str:
    """A model's name as a header may have it: headers are ASCII, names need not be."""
    return _plain(name)


def _plain(name: str) -> str:
    return "".join(letter if " " <= letter <= "~" and letter not in ",=" else "_" for letter in name)


def request_id_of(request: Request) -> str | None:
    """The id under which the log knows the request; None where nobody has given it one."""
    found: str | None = request.scope.get(REQUEST_ID)
    return found

"""What became of a question: an answer or an error, and either as JSON that can be kept."""

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from toolkit import errors
from toolkit.db.keepable import keepable
from toolkit.errors import ToolkitError
from toolkit.messages import Attempt, Json, Reply, Usage
from toolkit.redaction import redact

Ask: TypeAlias = Callable[[Json], Awaitable[Reply]]
"""Asks one question, given the keywords of `Toolkit.complete`."""

Outcome: TypeAlias = Reply | ToolkitError

_FIELDS: Final = ("provider", "status", "request_id", "retry_after", "usage", "text", "errors", "attempts")
_log = logging.getLogger(__name__)


def reply_json(reply: Reply) -> Json:
    """An answer as a database can keep it."""
    kept: Json = keepable(reply.to_json())
    return kept


def error_json(error: ToolkitError) -> Json:
    """An error as JSON: its class, its sentence, and what else it says."""
    # A subclass of somebody else's is kept as the nearest of ours.
    kind = next(each.__name__ for each in type(error).__mro__ if getattr(errors, each.__name__, None) is each)
    out: Json = {"error": kind, "message": redact(str(error))}
    for name in _FIELDS:
        value = getattr(error, name, None)
        if name == "attempts":
            value = [attempt.to_json() for attempt in value or ()]
        elif isinstance(value, Usage):
            value = value.to_json()
        if value:
            out[name] = list(value) if isinstance(value, tuple) else value
    kept: Json = keepable(out)
    return kept


def error_from_json(value: Mapping[str, Any]) -> ToolkitError:
    """The error that `error_json` wrote."""
    kind = getattr(errors, value["error"], None)
    if not (isinstance(kind, type) and issubclass(kind, ToolkitError)):
        kind = ToolkitError  # a later version's
    # Not through the class's own constructor: the sentence is made already.
    error: ToolkitError = kind.__new__(kind, value["message"])
    for name in _FIELDS:
        if name in value or name in _expected(kind):
            setattr(error, name, _field(name, value.get(name)))
    return error


async def outcome_of(asked: Awaitable[Reply]) -> Outcome:
    """The answer, or the error that came instead; a defect of ours spoils one question, not all of them."""
    try:
        return await asked
    except ToolkitError as error:
        return error
    except Exception as error:  # noqa: BLE001 - see the sentence above
        said = f"The question failed in a way it should not ({type(error).__name__}: {redact(str(error))})."
        # A stack trace is for who asks for it.
        _log.error(said, exc_info=_log.isEnabledFor(logging.DEBUG))
        broken = ToolkitError(said)
        broken.__cause__ = error
        return broken


def _expected(kind: type[ToolkitError]) -> tuple[str, ...]:
    """The attributes that every error of this class has."""
    if issubclass(kind, errors.ProviderError):
        return ("provider", "status", "request_id", "retry_after")
    if issubclass(kind, errors.BudgetExceeded):
        return ("retry_after",)
    if issubclass(kind, errors.AnswerInvalid):
        return ("text", "errors", "attempts")
    if issubclass(kind, errors.StreamInterrupted):
        return ("text", "attempts")
    if issubclass(kind, errors.AllModelsFailed | errors.DeadlineExceeded):
        return ("attempts",)
    return ()


def _field(name: str, value: Any) -> Any:
    match name:
        case "attempts":
            return tuple(map(Attempt.from_json, value or ()))
        case "errors":
            return tuple(value or ())
        case "usage":
            return Usage.from_json(value)
        case "text" | "provider":
            return value or ""
    return value

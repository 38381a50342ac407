"""How a vendor's failures become the toolkit's errors: by its HTTP status, its error object, or the broken connection.

A vendor says what is wrong in three places that do not always agree: the status (which is 200 once a stream has begun),
the type and code of its error object, and the words of its message. The words win where they are more exact than the
status: Anthropic says with a 400 that the account is empty, and OpenAI says it with a 429.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from json import JSONDecodeError
from math import isfinite
from typing import Any

import httpx2

from toolkit.errors import (
    AuthenticationFailed,
    BadAnswer,
    ContentRefused,
    ContextTooLong,
    InvalidRequest,
    ModelNotFound,
    ProviderError,
    ProviderTimeout,
    ProviderUnavailable,
    QuotaExceeded,
    RateLimited,
)
from toolkit.redaction import redact
from toolkit.stamps import now

_BY_STATUS: Mapping[int, type[ProviderError]] = {
    401: AuthenticationFailed,
    402: QuotaExceeded,
    403: AuthenticationFailed,
    404: ModelNotFound,
    408: ProviderUnavailable,
    409: ProviderUnavailable,
    413: ContextTooLong,
    424: ProviderUnavailable,
    425: ProviderUnavailable,
    429: RateLimited,
}
"""Other statuses: below 400 a bad answer, below 500 an invalid request, else unavailable."""

_BY_WORDS: tuple[tuple[type[ProviderError], frozenset[int], re.Pattern[str]], ...] = (
    (
        QuotaExceeded,
        frozenset({400, 402, 403, 429}),
        re.compile(r"insufficient_quota|billing_(?:hard_limit|not_active|error)|spend_limit_reached|credit balance"),
    ),
    (
        ContextTooLong,
        frozenset({400, 413, 422}),
        re.compile(
            r"context_(?:length|window)_exceeded|exceed_context_size|request_too_large|(?:prompt|input) is too long"
            r"|(?:maximum|available) context|exceeds? (?:the )?context|context (?:length|limit|window)"
        ),
    ),
    (
        ContentRefused,
        frozenset({400, 403, 422}),
        re.compile(
            r"(?:content|bio|misalignment)_policy|content_filter|content (?:filtering|management) policy"
            r"|responsibleai|was flagged"
        ),
    ),
    # The model, not the request, was bad: Groq tells so of tool calls and of JSON that did not come out right.
    (BadAnswer, frozenset({400}), re.compile(r"tool_use_failed|json_validate_failed")),
    (
        AuthenticationFailed,
        frozenset({400}),
        re.compile(r"invalid_api_key|api[ _]key (?:is )?(?:not valid|invalid)|authentication_error"),
    ),
    (
        ModelNotFound,
        frozenset({400, 403, 422}),
        re.compile(
            r"model_(?:not_found|decommissioned)|(?:invalid|unknown) model|not a valid model"
            r"|model identifier is invalid|have access to the model"
        ),
    ),
)

_STATUS_OF_TYPE: Mapping[str, int] = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "insufficient_quota": 429,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "requests": 429,
    "tokens": 429,
    "timeout_error": 504,
    "overloaded_error": 529,
    "context_length_exceeded": 400,
    "content_filter": 400,
    "invalid_prompt": 400,
    "invalid_image": 400,
    "invalid_image_format": 400,
    "invalid_image_url": 400,
    "invalid_base64_image": 400,
    "image_too_large": 400,
    "image_too_small": 400,
    "image_parse_error": 400,
    "image_file_too_large": 400,
    "unsupported_image_media_type": 400,
    "empty_image_file": 400,
    "failed_to_download_image": 400,
    "image_content_policy_violation": 400,
    "bio_policy": 400,
    "misalignment_policy_violation": 400,
}
"""What an error within a stream, whose status is 200, would have had as status. Anything else is the vendor's fault."""

_SENTENCES: Mapping[type[ProviderError], str] = {
    RateLimited: "{provider} was asked too often ({reason}); ask again {when}.",
    ProviderUnavailable: "{provider} is out of order ({reason}); ask again {when}.",
    BadAnswer: "{provider} sent something that is no answer ({reason}); ask again, or check the base_url.",
    AuthenticationFailed: "{provider} refused the key ({reason}); check the variable that holds it.",
    QuotaExceeded: "The account at {provider} has no money left ({reason}); top it up or use another key.",
    ModelNotFound: "{provider} does not know the model ({reason}); check its name and the base_url.",
    ContextTooLong: "The messages are too long for the model at {provider} ({reason}); shorten them.",
    ContentRefused: "{provider} refused the content by its policy ({reason}); say it differently.",
    InvalidRequest: "{provider} refused the request ({reason}); change what it names.",
}


def error_of_response(
    provider: str, status: int, headers: Mapping[str, str], body: object, *secrets: str
) -> ProviderError:
    """The error that a vendor's response is.

    Args:
        provider: the vendor's name in the toolkit.
        status: the HTTP status; 200 where the error came within a stream or under a false flag.
        headers: of the response, by name in any case.
        body: its JSON, or its text where it is none.
        secrets: what the vendor may have repeated and the message must not.
    """
    complaint = _Complaint.read(body)
    kind = _kind(complaint.status if status == HTTPStatus.OK else status, complaint.words)
    wait = retry_after(headers)
    if wait is None:
        wait = complaint.retry_after
    reason = f"{status}: {complaint.message or _phrase(status)}"
    sentence = _SENTENCES[kind].format(
        provider=provider,
        reason=_short(redact(reason, *secrets)),
        when="later" if wait is None else f"in {wait:g} s",
    )
    return kind(sentence, provider=provider, status=status, request_id=request_id(headers), retry_after=wait)


def error_of_exception(provider: str, failure: Exception, *secrets: str, seconds: float) -> ProviderError:
    """The error that an exception is: a vendor's SDK's, httpx2's, or Python's own.

    Args:
        provider: the vendor's name in the toolkit.
        failure: what was raised.
        secrets: what it may have repeated and the message must not.
        seconds: how long was waited, for the message of a timeout.
    """
    response = getattr(failure, "response", None)
    if isinstance(response, httpx2.Response):
        body = getattr(failure, "body", None)
        return error_of_response(provider, response.status_code, response.headers, body, *secrets)
    if isinstance(body := getattr(failure, "body", None), Mapping):
        return error_of_response(provider, 200, {}, body, *secrets)
    # Both SDKs' errors have a body, and wrap what went wrong on the line, of which they say less than it does.
    wrapped = failure.__cause__ if hasattr(failure, "body") else None
    cause = wrapped if isinstance(wrapped, Exception) else failure
    where, below = _address(cause), _of_aiohttp(cause.__cause__)
    if below and isinstance(cause.__cause__, Exception):
        cause = cause.__cause__  # httpx2 has it as a timeout, whatever it was
    words = _short(redact(f"{type(cause).__name__}: {cause}".removesuffix(": "), *secrets))
    if "ClientConnectorError" in below:
        cause = httpx2.ConnectError(str(cause))
    match cause:
        case TimeoutError() | httpx2.TimeoutException():
            return ProviderTimeout(
                f"{provider} took longer than {seconds:g} s; allow it more time or use another model.",
                provider=provider,
            )
        case httpx2.UnsupportedProtocol() | httpx2.InvalidURL():
            return ProviderUnavailable(
                f"{provider} cannot be reached ({words}); mend the base_url.",
                provider=provider,
            )
        case httpx2.DecodingError() | UnicodeDecodeError() | JSONDecodeError():
            return no_answer(provider, words)
        case TypeError() | ValueError():
            return InvalidRequest(
                f"The request to {provider} cannot be sent ({words}); change what it names.", provider=provider
            )
        case httpx2.ConnectError():
            return ProviderUnavailable(
                f"{provider} cannot be reached at {where} ({words}); check the network and the base_url.",
                provider=provider,
            )
    return ProviderUnavailable(f"The connection to {provider} broke ({words}); ask again later.", provider=provider)


def _of_aiohttp(error: BaseException | None) -> frozenset[str]:
    """What kinds of aiohttp's errors it is, by their names; aiohttp itself is not imported for this."""
    return frozenset(kind.__name__ for kind in type(error).__mro__ if kind.__module__.startswith("aiohttp."))


def no_answer(
    provider: str, reason: str, *, status: int | None = 200, request_id: str | None = None, advice: str = ""
) -> BadAnswer:
    """The error for a response that came, but is no answer; `reason` says why in a few words."""
    return BadAnswer(
        f"{provider} gave no answer ({reason}); {advice or 'ask again or use another model'}.",
        provider=provider,
        status=status,
        request_id=request_id,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds until the vendor wants to be asked again, None if it does not say.

    Vendors say it as `retry-after-ms`, or as `retry-after` in seconds or as an HTTP date.
    """
    by_name = {name.lower(): value for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        seconds = _number(by_name.get(name, ""))
        if seconds is not None:
            return max(0.0, seconds * unit)
    try:
        return max(0.0, (parsedate_to_datetime(by_name.get("retry-after", "")) - now()).total_seconds())
    except (ValueError, TypeError):
        return None


def request_id(headers: Mapping[str, str]) -> str | None:
    """The vendor's id of the request, None if it gave none."""
    by_name = headers if isinstance(headers, httpx2.Headers) else {k.lower(): value for k, value in headers.items()}
    return by_name.get("x-request-id") or by_name.get("request-id") or by_name.get("x-amzn-requestid")


@dataclass(frozen=True, slots=True)
class _Complaint:
    """What a vendor's error object says.

    Attributes:
        message: in its words; empty if it has none.
        words: message, type and codes in lower case, to look for signs in.
        status: the HTTP status that the error has by its type or code; 0 if there is no error object.
        retry_after: seconds until the vendor wants to be asked again, None if it does not say.
    """

    message: str
    words: str
    status: int
    retry_after: float | None = None

    @classmethod
    def read(cls, body: object) -> "_Complaint":
        """Any vendor's error object; a page of HTML says nothing."""
        if isinstance(body, list) and body:
            body = body[0]
        inner: Any = body.get("error") or body if isinstance(body, Mapping) else body
        if not isinstance(inner, Mapping):
            text = inner if isinstance(inner, str) and not inner.lstrip().startswith("<") else ""
            return cls(text, text.lower(), 500 if isinstance(body, Mapping) else 0)
        details = inner.get("details")
        codes: list[Any] = [inner.get("type"), inner.get("code")]
        codes += [details.get("error_code")] if isinstance(details, Mapping) else []
        message = str(inner.get("message") or inner.get("detail") or "")
        status = next((_STATUS_OF_TYPE[code] for code in codes if code in _STATUS_OF_TYPE), 500)
        numbers = (code for code in codes if isinstance(code, int) and 400 <= code < 600)  # noqa: PLR2004 - statuses
        words = " ".join([*map(str, codes), message]).lower()
        return cls(message, words, next(numbers, status), _retry_delay(details))


def _retry_delay(details: object) -> float | None:
    """Google's way to say when to come back: `{"retryDelay": "34s"}` among the details of the error."""
    parts = details if isinstance(details, list) else []
    said = (str(part["retryDelay"]) for part in parts if isinstance(part, Mapping) and "retryDelay" in part)
    seconds = _number(next(said, "").removesuffix("s"))
    return None if seconds is None else max(0.0, seconds)


def _kind(status: int, words: str) -> type[ProviderError]:
    for kind, statuses, signs in _BY_WORDS:
        if status in statuses and signs.search(words):
            return kind
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    if status < HTTPStatus.BAD_REQUEST:
        return BadAnswer
    return InvalidRequest if status < HTTPStatus.INTERNAL_SERVER_ERROR else ProviderUnavailable


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if isfinite(number) else None


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "no reason given"


def _address(failure: Exception) -> str:
    try:
        url = failure.request.url if isinstance(failure, httpx2.RequestError) else None
    except RuntimeError:  # raised where the connection was tried outside of a request
        url = None
    return f"{url.scheme}://{url.netloc.decode()}" if url else "its address"


def _short(text: str, length: int = 300) -> str:
    line = " ".join(text.split()).rstrip(".")
    return line if len(line) <= length else line[: length - 1] + "…"

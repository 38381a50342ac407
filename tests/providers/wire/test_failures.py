"""The exceptions of the SDKs themselves, of httpx2 and of Python, without the provider's own reading in between."""

import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import anthropic as anthropic_sdk
import httpx2
import openai as openai_sdk
import pytest

from tests.providers.conftest import KEY
from toolkit import errors, stamps
from toolkit.errors import ProviderError
from toolkit.providers.wire.failures import error_of_exception, error_of_response, retry_after
from toolkit.testing.vendors import Fault, VendorServer

QUESTION: Any = [{"role": "user", "content": "hi there"}]
SENT = httpx2.Request("POST", "http://vendor.example/v1")


@pytest.fixture
async def sdk(vendor: str, vendors: VendorServer) -> AsyncIterator[Callable[[bool], Any]]:
    """Asks by the SDK's own typed method, and reads the stream to its end."""
    client: Any
    if vendor == "openai":
        client = openai_sdk.AsyncOpenAI(api_key=KEY, base_url=vendors.openai_url, max_retries=0, timeout=1.0)
        create, options = client.chat.completions.create, {}
    else:
        client = anthropic_sdk.AsyncAnthropic(api_key=KEY, base_url=vendors.anthropic_url, max_retries=0, timeout=1.0)
        create, options = client.messages.create, {"max_tokens": 9}

    async def ask(stream: bool) -> None:
        answer = await create(model="m", messages=QUESTION, stream=stream, **options)
        if stream:
            async for _ in answer:
                pass

    yield ask
    await client.close()


@pytest.mark.parametrize(
    ("fault", "stream", "kind"),
    [
        (Fault.status(429, headers={"retry-after": "2"}), False, errors.RateLimited),
        (Fault.status(529), True, errors.ProviderUnavailable),
        (Fault.status(401, f"Incorrect API key provided: {KEY}"), True, errors.AuthenticationFailed),
        (Fault.status(413), False, errors.ContextTooLong),
        (Fault.reset(), False, errors.ProviderUnavailable),
        (Fault.hang(), False, errors.ProviderTimeout),
        (Fault.stall(1), True, errors.ProviderTimeout),
        (Fault.cut(1), True, errors.ProviderUnavailable),
        (Fault.garbage(1), True, errors.BadAnswer),
        (Fault.end(), False, errors.BadAnswer),
        (Fault.error_event("overloaded", error_type="overloaded_error"), True, errors.ProviderUnavailable),
        (Fault.error_event("slow down", error_type="rate_limit_error"), True, errors.RateLimited),
    ],
    ids=str,
)
async def test_what_the_sdks_raise_is_understood(
    sdk: Callable[[bool], Any],
    vendors: VendorServer,
    fault: Fault,
    stream: bool,
    kind: type[ProviderError],
) -> None:
    vendors.fail("openai", fault)
    vendors.fail("anthropic", fault)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - each has a class of its own
        await sdk(stream)
    error = error_of_exception("x", caught.value, KEY, seconds=1.0)
    assert type(error) is kind
    assert KEY not in str(error)
    assert error.retry_after == (2.0 if kind is errors.RateLimited and not stream else None)


@pytest.mark.parametrize(
    ("failure", "kind", "says"),
    [
        (TimeoutError(), errors.ProviderTimeout, "longer than 3 s"),
        (httpx2.PoolTimeout("", request=SENT), errors.ProviderTimeout, "longer than 3 s"),
        (httpx2.ConnectError("refused", request=SENT), errors.ProviderUnavailable, "at http://vendor.example"),
        (httpx2.ConnectError("refused"), errors.ProviderUnavailable, "at its address"),
        (httpx2.RemoteProtocolError("gone"), errors.ProviderUnavailable, "gone"),
        (httpx2.UnsupportedProtocol("no scheme"), errors.ProviderUnavailable, "base_url"),
        (httpx2.DecodingError("bad gzip"), errors.BadAnswer, "bad gzip"),
        (ssl.SSLError("handshake"), errors.ProviderUnavailable, "handshake"),
        (ConnectionResetError(), errors.ProviderUnavailable, "ConnectionResetError"),
        (RuntimeError("Event loop is closed"), errors.ProviderUnavailable, "Event loop is closed"),
        (json.JSONDecodeError("Expecting value", "<html>", 0), errors.BadAnswer, "Expecting value"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid"), errors.BadAnswer, "utf-8"),
        (TypeError("set is not JSON serializable"), errors.InvalidRequest, "not JSON serializable"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_httpx2_and_python_raise_is_understood(failure: Exception, kind: type[ProviderError], says: str) -> None:
    error = error_of_exception("openai", failure, seconds=3)
    assert type(error) is kind
    assert says in str(error)


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (500, None, errors.ProviderUnavailable, "500: Internal Server Error"),
        (599, None, errors.ProviderUnavailable, "599: no reason given"),
        (503, "<html>\n<h1>Sorry</h1>", errors.ProviderUnavailable, "503: Service Unavailable"),
        (400, {"detail": "field x is wrong"}, errors.InvalidRequest, "field x is wrong"),
        (400, {"error": "field y is wrong"}, errors.InvalidRequest, "field y is wrong"),
        (400, [{"error": {"code": 400, "message": "API key not valid."}}], errors.AuthenticationFailed, "not valid"),
        (200, {"error": {"code": 502, "message": "Upstream died."}}, errors.ProviderUnavailable, "Upstream died"),
        (200, {"error": {"code": 429, "message": "Slow down."}}, errors.RateLimited, "Slow down"),
        (200, {"error": "it just failed"}, errors.ProviderUnavailable, "it just failed"),
        (200, "Welcome", errors.BadAnswer, "Welcome"),
        (200, {"error": {"type": "billing_error", "message": "No money."}}, errors.QuotaExceeded, "No money"),
    ],
)
def test_error_objects_of_every_shape_are_understood(
    status: int, body: object, kind: type[ProviderError], says: str
) -> None:
    error = error_of_response("openai", status, {"X-Request-ID": "r"}, body)
    assert type(error) is kind
    assert says in str(error)
    assert (error.status, error.request_id) == (status, "r")


def test_a_key_is_kept_out_of_the_words_of_an_exception_and_of_an_answer() -> None:
    illegal = httpx2.LocalProtocolError(f"Illegal header value b'Bearer {KEY}'")
    assert KEY not in str(error_of_exception("openai", illegal, KEY, seconds=3))
    assert KEY not in str(error_of_response("openai", 401, {}, {"error": {"message": f"No {KEY}"}}, KEY))


def test_a_long_complaint_is_cut_and_its_line_breaks_are_gone() -> None:
    error = error_of_response("openai", 400, {}, {"error": {"message": "no\n" * 1000}})
    assert len(str(error)) < 400
    assert "\n" not in str(error)
    assert "…" in str(error)


def test_a_date_in_retry_after_is_seconds_from_now() -> None:
    with stamps.freeze(datetime(2026, 1, 1, tzinfo=UTC)):
        date = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=90)
        assert retry_after({"Retry-After": format_datetime(date, usegmt=True)}) == pytest.approx(90, abs=0.1)


def test_no_sdk_is_imported_before_a_row_needs_it() -> None:
    code = (
        "import sys, toolkit.providers, toolkit.providers.wire.failures, toolkit.providers.openai, "
        "toolkit.providers.anthropic, toolkit.providers.scripted\n"
        "print([name for name in ('openai', 'anthropic') if name in sys.modules])\n"
        "toolkit.providers.connect('openai', {'api_key': 'k'}, {})\n"
        "print([name for name in ('openai', 'anthropic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["[]", "['openai']"]

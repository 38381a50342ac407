"""Spans of OpenTelemetry, where somebody collects them: of HTTP requests, messages, models asked and tools used.

They are in the words of its conventions for HTTP and for generative AI, and hold nothing of what was said. Where nobody
has set up a provider none is made: it would go nowhere, and take as long as a small tool itself.

Source: https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from mcp.server import Server
from mcp.server.context import CallNext, HandlerResult, ServerMiddleware, ServerRequestContext
from opentelemetry.propagate import extract
from opentelemetry.trace import ProxyTracerProvider, Span, SpanKind, Status, StatusCode, get_tracer, get_tracer_provider
from starlette.types import Message, Scope, Send

from toolkit.messages import Attempt
from toolkit.usage.watching import Asked, Told, ToolUsed

_NAME: Final = "toolkit"
_OPERATIONS: Final = {"chat": "chat", "stream": "chat", "embed": "embeddings"}
_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "google": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
}
"""What the conventions call those whom they call otherwise than we do."""
_BROUGHT: Final = frozenset({b"traceparent", b"tracestate", b"baggage"})


def collected() -> bool:
    """Whether somebody takes spans."""
    return not isinstance(get_tracer_provider(), ProxyTracerProvider)  # it stands for one that may come


@contextmanager
def of_request(scope: Scope, send: Send) -> Iterator[Send]:
    """The span of an HTTP request, below the one that its caller names in `traceparent`; gives the `send` to use."""
    brought = {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in _BROUGHT}
    attributes = {
        "http.request.method": scope["method"],
        "url.path": scope["path"],
        "url.scheme": scope["scheme"],
        "toolkit.request_id": scope["x-request-id"],
    }
    with get_tracer(_NAME).start_as_current_span(
        scope["method"], extract(brought), SpanKind.SERVER, attributes, record_exception=False
    ) as span:

        async def answered(message: Message) -> None:
            if message["type"] == "http.response.start":
                _answered(span, scope, message["status"])
            await send(message)

        yield answered


def _answered(span: Span, scope: Scope, status: int) -> None:
    if path := getattr(scope.get("route"), "path", ""):
        span.update_name(f"{scope['method']} {path}")
        span.set_attribute("http.route", path)
    span.set_attribute("http.response.status_code", status)
    if status >= 500:  # noqa: PLR2004 - the server's own failures
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))


def hear(told: Told) -> None:
    """Make the span of what the ledger tells, below the one in which it happened."""
    if not collected():
        return
    match told:
        case Asked(status="cached"):
            return
        case Asked() if operation := _OPERATIONS.get(told.kind):
            name = f"{operation} {told.attempt.model}"
            _over(name, SpanKind.CLIENT, told.attempt, told.started_at, _of_model(told, operation))
        case ToolUsed():
            attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": told.tool}
            _over(f"execute_tool {told.tool}", SpanKind.INTERNAL, told, told.started_at, attributes)


def _of_model(told: Asked, operation: str) -> dict[str, Any]:
    attempt, usage = told.attempt, told.attempt.usage
    address = urlsplit(told.address) if told.address else None
    known = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDERS.get(attempt.provider, attempt.provider),
        "gen_ai.request.model": attempt.model,
        "gen_ai.usage.input_tokens": usage and usage.input_tokens,
        "gen_ai.usage.output_tokens": usage and usage.output_tokens,
        "http.response.status_code": attempt.status,
        "server.address": address and address.hostname,
        "server.port": address and address.port,
        "toolkit.model": attempt.name,
    }
    return {name: value for name, value in known.items() if value is not None}


def _over(name: str, kind: SpanKind, told: ToolUsed | Attempt, began: datetime, attributes: dict[str, Any]) -> None:
    """A span of what is over already."""
    start = round(began.timestamp() * 1e9)
    if told.error:
        attributes["error.type"] = told.error
    span = get_tracer(_NAME).start_span(name, kind=kind, attributes=attributes, start_time=start)
    if told.error:
        span.set_status(Status(StatusCode.ERROR))
    span.end(start + round(told.milliseconds * 1e6))


class _Spans:
    """The SDK's own spans of messages, as soon as there is a provider to take them.

    Args:
        make: makes them.
    """

    def __init__(self, make: ServerMiddleware[Any]) -> None:
        self._make = make

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        """Serve one message."""
        return await (self._make(ctx, call_next) if collected() else call_next(ctx))


def where_collected(server: Server[Any]) -> None:
    """Let `server` make its spans only where somebody collects them."""
    server.middleware[:] = map(_Spans, server.middleware)  # the SDK's alone are there at first
